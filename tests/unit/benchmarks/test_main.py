# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`python -m benchmarks` without a lab: what is measured in which order, what is published, what it exits with."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import cases, goals, machines, results
from benchmarks.case import Acted, Case
from benchmarks.peer import Peer, PeerCase


class Product(Peer):
    """Installed, unless it is not."""

    def __init__(self, name: str, version: str = "1.0") -> None:
        self.name, self._version = name, version
        self.calls: list[str] = []

    def version(self) -> str:
        self.calls.append("version")
        if not self._version:
            raise RuntimeError("no such package")
        return self._version

    def up(self) -> str:
        self.calls.append("up")
        return "bench1"

    def stop(self) -> None:
        self.calls.append("stop")


class Own(Case):
    """A case whose repetitions are counted."""

    def __init__(self, name: str, floor: str) -> None:
        self.name, self.title, self.floor = name, name, floor

    def act(self) -> Acted:
        raise AssertionError("measured elsewhere")


def of_peer(name: str, product: Product) -> PeerCase:
    case = PeerCase.__new__(PeerCase)
    case.name = case.title = name
    case.product, case.peer = product, product.name
    return case


class Bench:
    """The benchmark with cases that take no time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.order: list[str] = []
        self.outages: dict[str, Any] = {}
        self.folder, self.published = folder, folder / "published.json"
        self.products = {name: Product(name) for name in ("repmgr", "patroni", "other")}
        known = [Own("floor_planned", "floor_planned"), Own("continuity_switchover", "floor_planned")]
        peers = [of_peer(f"{name}_switchover", product) for name, product in self.products.items()]
        monkeypatch.setattr(cases, "ALL", {case.name: case for case in (*known, *peers)})
        self.resets: list[tuple[str, ...]] = []
        self.stopped: list[object] = []
        self.drawn: dict[str, list[float]] = {}
        for name, value in {
            "measure": self.measure,
            "RESULTS": self.published,
            "STATE": folder,
            "PAGE": folder / "page.md",
            "PLOT": folder / "plot.svg",
        }.items():
            monkeypatch.setattr(command, name, value)
        monkeypatch.setattr(command.page, "write", lambda found, page, plot: page.write_text("page"))
        monkeypatch.setattr(command.page, "table", lambda found: "the table")
        monkeypatch.setattr(command.engine, "connect", object)
        monkeypatch.setattr(machines, "stop", self.stopped.append)
        monkeypatch.setattr(machines, "ensure", lambda client: None)
        monkeypatch.setattr(command.harness, "lab", lambda *words: self.resets.append(words))
        monkeypatch.setattr(command.signal, "signal", lambda *_given: None)
        versions = {"versions": {"commit": "abc123", "python": "3"}}
        monkeypatch.setattr(command.about, "describe", lambda: versions)
        for variable in ("BENCH_ROUNDS", "BENCH_CASES", "BENCH_SEED"):
            monkeypatch.delenv(variable, raising=False)

    def measure(self, case: Case, run_id: str) -> dict[str, Any]:
        self.order.append(case.name)
        self.drawn.setdefault(case.name, []).append(case.chance.random())
        outage = self.outages.get(case.name, 0.2)
        if isinstance(outage, BaseException):
            raise outage
        return {"outage_seconds": outage, "wall_seconds": 1.0, "lost": 0, "acknowledged": 100, "parts": {}}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path)


def test_a_whole_run_is_published_and_ends_well(bench: Bench) -> None:
    assert command.main([]) == 0
    found = results.read(bench.published)
    assert list(found["cases"]) == list(cases.ALL)
    assert {len(case["samples"]) for case in found["cases"].values()} == {5}
    assert found["peers"] == {"repmgr": "1.0", "patroni": "1.0", "other": "1.0"}
    assert (bench.folder / "page.md").is_file()
    assert bench.resets == [("reset",)]
    assert len(bench.stopped) == 2
    assert all(product.calls == ["version", "up", "stop"] for product in bench.products.values())


def test_each_round_takes_every_case_once_in_an_order_of_its_own(bench: Bench) -> None:
    assert command.main(["--rounds", "6", "--seed", "7"]) == 0
    count = len(cases.ALL)
    rounds = [bench.order[at : at + count] for at in range(0, 6 * count, count)]
    assert all(sorted(taken) == sorted(cases.ALL) for taken in rounds)
    assert len({tuple(taken) for taken in rounds}) > 1
    found = results.read(bench.published)["cases"]
    for name, case in found.items():
        places = [(one["round"], one["order"]) for one in case["samples"]]
        assert places == [(number + 1, taken.index(name) + 1) for number, taken in enumerate(rounds)]


def test_the_seed_gives_the_order_and_every_chance_again(bench: Bench) -> None:
    runs = []
    for seed in ("1", "1", "2"):
        bench.order, bench.drawn = [], {}
        command.main(["--seed", seed])
        runs.append((bench.order, bench.drawn))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]
    assert runs[0][1] != runs[2][1]
    one = runs[0][1]
    assert len({tuple(drawn) for drawn in one.values()}) == len(one), "cases must not draw the same"
    assert one["floor_planned"] == [random.Random("1 floor_planned").random()] + one["floor_planned"][1:]


@pytest.mark.parametrize("absent", ["repmgr", "patroni"])
def test_without_a_needed_peer_it_fails_names_it_and_publishes_nothing(
    absent: str, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.products[absent]._version = ""
    assert command.main([]) == 1
    assert not bench.published.exists()
    assert results.read(bench.folder / "results.json")["not_installed"] == {absent: "RuntimeError: no such package"}
    assert f"{absent}_switchover" not in bench.order
    assert f"problem: {absent} could not be installed: RuntimeError: no such package" in capsys.readouterr().out


def test_another_peer_that_cannot_be_installed_is_named_and_the_rest_is_published(bench: Bench) -> None:
    bench.products["other"]._version = ""
    assert command.main([]) == 0
    found = results.read(bench.published)
    assert found["not_installed"] == {"other": "RuntimeError: no such package"}
    assert "other_switchover" not in found["cases"]


def test_a_needed_peer_that_was_not_asked_for_fails_as_well(bench: Bench) -> None:
    assert command.main(["--cases", "floor_planned repmgr_switchover"]) == 1
    assert not bench.published.exists()


def test_a_repetition_that_failed_fails_the_run_and_the_others_go_on(bench: Bench) -> None:
    bench.outages["other_switchover"] = RuntimeError("not served")
    assert command.main([]) == 1
    assert len(bench.order) == 5 * len(cases.ALL)
    assert not bench.published.exists()
    kept = results.read(bench.folder / "results.json")["cases"]["other_switchover"]
    assert [one["failed"] for one in kept["samples"]] == ["RuntimeError: not served"] * 5
    assert "outage_seconds" not in kept


def test_fewer_rounds_are_for_trying(bench: Bench) -> None:
    assert command.main(["--rounds", "4"]) == 0
    assert not bench.published.exists()
    assert not (bench.folder / "page.md").exists()


def test_what_lacks_a_case_that_could_be_measured_is_for_trying(bench: Bench) -> None:
    assert command.main(["--cases", "floor_planned continuity_switchover repmgr_switchover patroni_switchover"]) == 0
    assert not bench.published.exists()
    assert (bench.folder / "results.json").is_file()


def test_some_cases_go_where_they_are_told_and_the_page_stays(bench: Bench) -> None:
    path = bench.folder / "mine.json"
    assert command.main(["--cases", "floor_planned,repmgr_switchover,patroni_switchover", "--output", str(path)]) == 0
    assert list(results.read(path)["cases"]) == ["floor_planned", "repmgr_switchover", "patroni_switchover"]
    assert not bench.published.exists()
    assert bench.products["other"].calls == []


def test_an_unknown_case_is_refused_before_anything_is_measured(bench: Bench) -> None:
    with pytest.raises(command.LabError, match=r"no case is called nobody; there are: floor_planned, .*"):
        command.main(["--cases", "floor_planned nobody"])
    assert bench.order == []


def test_the_machines_are_stopped_also_when_the_run_breaks_off(bench: Bench) -> None:
    bench.outages["floor_planned"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        command.main([])
    assert len(bench.stopped) == 2


def test_cases_are_added_beside_what_is_published_with_their_floor_or_not_at_all(bench: Bench) -> None:
    assert command.main([]) == 0
    before = results.read(bench.published)
    cases.ALL["many"] = Own("many", "one")
    cases.ALL["one"] = Own("one", "one")
    bench.order = []
    with pytest.raises(command.LabError, match="many: one is not measured with it"):
        command.main(["--add", "--cases", "many"])
    assert bench.order == []
    bench.outages["many"] = 0.6
    assert command.main(["--add", "--cases", "many one"]) == 0
    found = results.read(bench.published)
    assert {name: found["cases"][name] for name in before["cases"]} == before["cases"]
    assert (found["cases"]["many"]["ratio"], found["started"]) == (3.0, before["started"])
    assert [one["cases"] for one in found["added"]] == [["many", "one"]]


def test_what_a_goal_rests_on_is_measured_by_make_bench_as_it_stands() -> None:
    chosen = command._chosen("")
    assert {goal.case for goal in goals.GOALS} <= set(chosen)
    assert {"continuity_scale_1", "ansible_debug_playbook", "patroni_failover_killed"} <= set(chosen)
    assert cases.NEEDED_PEERS == ("repmgr", "patroni")
    assert {"repmgr", "patroni", "pg_auto_failover"} <= set(cases.peers(chosen))
