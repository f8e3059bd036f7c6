# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How one repetition becomes a sample: from what the client wrote and what the new primary's table holds."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import case
from benchmarks.case import Acted, Case
from benchmarks.figures import Row
from benchmarks.places import ADDRESSES

MS = 10**6


def rows(*times: tuple[int, str]) -> list[Row]:
    """Rows with their outcomes, answered so many ms after the beginning."""
    return [Row(seq, outcome, at * MS - 1, at * MS) for seq, (at, outcome) in enumerate(times, start=1)]


WRITTEN = rows(
    *((0, "acknowledged"), (400, "acknowledged"), (500, "acknowledged")),  # a gap of 400 ms, over before it began
    *((510, "in_doubt"), (530, "refused"), (700, "acknowledged"), (710, "acknowledged")),
)


class FakePlace:
    """A pair of servers of which the first is primary until the case has acted."""

    def __init__(self, tables: dict[str, list[int]]) -> None:
        self.tables = tables
        self.ports = {"db1": 5432, "db2": 5432}
        self.now = "db1"
        self.asked: list[str] = []

    def healthy(self) -> str:
        return "db1"

    def primary(self) -> str:
        return self.now

    def other(self, machine: str) -> str:
        return {"db1": "db2", "db2": "db1"}[machine]

    def rows(self, machine: str, run_id: str) -> list[int]:
        self.asked.append(machine)
        return self.tables[machine]


class FakeLoad:
    """A client that wrote what it is told, and notes what it was asked to wait for."""

    made: list[FakeLoad] = []
    written: list[Row] = WRITTEN
    fails = False

    def __init__(self, run_id: str, login: dict[str, Any], hosts: list[str]) -> None:
        self.hosts, self.login, self.stopped = hosts, login, False
        self.waited: tuple[Any, ...] = ()
        FakeLoad.made.append(self)

    def start(self) -> None:
        pass

    def served(self, address: str | None, within: float, since_ns: int = 0) -> None:
        self.waited = (address, within, since_ns)
        if FakeLoad.fails:
            raise RuntimeError("not served")

    def stop(self) -> list[Row]:
        self.stopped = True
        return FakeLoad.written


class Move(Case):
    """It began 450 ms after the client."""

    name, title, floor = "move", "a move", "floor_planned"

    def __init__(self, place: Any, moves: bool = True, reach: str = "name") -> None:
        self.place, self.moves, self.reach = place, moves, reach
        self.cleaned = 0

    def act(self) -> Acted:
        return Acted(450 * MS, 1.23456, {"fence": 12.3456}, {"cpu_seconds": 2.0, "largest_mb": 70.0})

    def clean(self) -> None:
        self.cleaned += 1


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case, "Load", FakeLoad)
    monkeypatch.setattr(case.credentials, "secret", lambda name: "secret")
    monkeypatch.setattr(FakeLoad, "made", [])
    monkeypatch.setattr(FakeLoad, "fails", False)


def test_the_outage_is_the_clients_since_the_case_began_and_lost_what_the_new_primary_lacks() -> None:
    move = Move(FakePlace({"db1": [1, 2, 3, 4, 6, 7], "db2": [1, 2, 3, 7]}))
    sample = case.measure(move, "run")
    load = sample.pop("load_average")
    assert load >= 0
    assert sample == {
        "outage_seconds": 0.2,  # 500 to 700 ms: neither the row in doubt nor the refused one ends it
        "wall_seconds": 1.2346,
        "lost": 1,  # row 6; the one in doubt (4) is nobody's loss
        "acknowledged": 5,
        "in_doubt": 1,
        "surviving": 4,
        "parts": {"fence": 12.35},
        "controller": {"cpu_seconds": 2.0, "largest_mb": 70.0},
    }
    assert (move.place.asked, move.cleaned) == (["db2"], 1)
    assert FakeLoad.made[0].waited == (ADDRESSES["db2"], 30.0, 450 * MS)
    assert FakeLoad.made[0].stopped


def test_where_the_product_decides_its_present_primary_is_asked_and_anybody_may_serve() -> None:
    move = Move(FakePlace({"db1": [1, 2, 3, 6, 7], "db2": []}), moves=False)
    assert case.measure(move, "run")["lost"] == 0
    assert FakeLoad.made[0].waited[0] is None


@pytest.mark.parametrize("breaks", ["prepare", "act", "served"])
def test_a_repetition_that_breaks_off_stops_its_client_and_cleans_up(
    breaks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object) -> None:
        raise RuntimeError("broken")

    move = Move(FakePlace({"db1": [], "db2": []}))
    if breaks == "served":
        FakeLoad.fails = True
    else:
        monkeypatch.setattr(move, breaks, broken)
    with pytest.raises(RuntimeError):
        case.measure(move, "run")
    assert move.cleaned == 1
    assert [each.stopped for each in FakeLoad.made] == ([] if breaks == "prepare" else [True])


def test_the_client_goes_where_its_users_go() -> None:
    tables: dict[str, list[int]] = {"db1": [], "db2": []}
    for reach in ("name", "cache", "hosts"):
        case.measure(Move(FakePlace(tables), reach=reach), "run")
    by_name, cached, hosts = FakeLoad.made
    assert (by_name.hosts, cached.hosts) == ([], [])
    assert hosts.hosts == [ADDRESSES["db1"], ADDRESSES["db2"]]
    assert by_name.login["resolvers"] == case.RESOLVERS
    assert cached.login["resolvers"] == case.CACHING


def test_without_a_client_only_the_command_counts() -> None:
    sample = case.measure(Move(None), "run")
    assert sample.keys() == {"wall_seconds", "parts", "controller", "load_average"}


def test_many_services_keep_each_ones_outage() -> None:
    class Many(Move):
        def act(self) -> Acted:
            return Acted(0, 2.0, outages={"s01": 0.12345, "s02": 0.5}, lost=3)

    sample = case.measure(Many(None), "run")
    assert (sample["outages"], sample["lost"]) == ({"s01": 0.1235, "s02": 0.5}, 3)
