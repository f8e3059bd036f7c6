# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many services: the plan has its waves, each service its own client, and each client's outage is told."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from benchmarks.cases import scale
from benchmarks.figures import Row

SECOND = 10**9


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale.credentials, "secret", lambda name: "c2VjcmV0")


@pytest.mark.parametrize(("count", "waves"), [(1, [1]), (10, [4, 4, 2]), (50, [17, 17, 16])])
def test_the_plan_is_a_correct_one_of_so_many_services_in_three_waves(count: int, waves: list[int]) -> None:
    loaded = load_plan(scale.plan(count))
    assert loaded.errors == []
    assert [len(wave) for wave in loaded.plan["waves"]] == waves


def test_the_cases_are_one_ten_and_fifty_and_the_ratio_is_to_one() -> None:
    assert [case.name for case in scale.CASES] == ["continuity_scale_1", "continuity_scale_10", "continuity_scale_50"]
    assert {case.floor for case in scale.CASES} == {"continuity_scale_1"}


def test_each_client_goes_to_its_own_service() -> None:
    known = scale.plan(50)["services"]
    for name in scale.names(50):
        login = scale.login(name)
        assert login["name"] == known[name]["endpoints"][0]["name"]
        assert login["port"] == known[name]["engine"]["port"]


def row(seq: int, at: float, outcome: str = "acknowledged") -> Row:
    return Row(seq, outcome, int(at * SECOND) - 1, int(at * SECOND))


def test_every_service_has_an_outage_of_its_own_and_the_losses_are_added() -> None:
    rows = {
        "s01": [row(1, 0.0), row(2, 5.0), row(3, 5.2), row(4, 5.9), row(5, 6.0)],  # 5 s: before it began
        "s02": [row(1, 5.0), row(2, 6.0, "in_doubt"), row(3, 7.5)],
    }
    outages, lost = scale.judged(rows, {"s01": [1, 2, 3, 4, 5], "s02": [1]}, int(5.5 * SECOND))
    assert outages == pytest.approx({"s01": 0.7, "s02": 2.5})
    assert lost == 1


def test_a_service_that_was_never_served_has_no_outage_of_zero() -> None:
    with pytest.raises(ValueError, match="no two rows"):
        scale.judged({"s01": [row(1, 0.0)]}, {"s01": [1]}, 0)


def test_the_rows_of_each_table_are_told_in_the_services_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def inside(machine: str, script: str) -> str:
        asked.append(f"{machine}: {script}")
        return "3,1,2\n-\n7"

    monkeypatch.setattr(scale.harness, "inside", inside)
    assert scale.surviving("bench2", "run", 3) == {"s01": [3, 1, 2], "s02": [], "s03": [7]}
    assert asked == [f"bench2: sh {scale.SCRIPT} rows 3 run"]


def test_an_answer_for_fewer_services_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale.harness, "inside", lambda machine, script: "1\n2")
    with pytest.raises(ValueError, match="zip"):
        scale.surviving("bench2", "run", 3)


def test_the_controller_takes_no_more_services_at_once_than_it_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fifty forks on two processors members answered too late, and services were refused."""
    ran: dict[str, Any] = {}

    def ansible(words: list[str], **options: Any) -> Any:
        ran.update(options, words=words)
        raise scale.commands.CommandFailed("enough was seen")

    monkeypatch.setattr(scale.commands, "ansible", ansible)
    case = scale.Scale(50)
    case.primary = "bench1"
    monkeypatch.setattr(case, "write", lambda run_id: {})
    with pytest.raises(scale.commands.CommandFailed):
        case.act()
    assert ran["words"][-2:] == ["--forks", str(scale.FORKS)]
    assert ran["watched"] is True
    assert "target_site=dc2" in ran["words"]
    assert scale.FORKS % 4 == 0


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("streaming streaming", "standby standby", ["bench1", "bench1"]),
        ("standby streaming", "streaming standby", ["bench2", "bench1"]),
        ("streaming alone", "standby standby", ["bench1", None]),
        ("streaming streaming", "streaming standby", [None, "bench1"]),  # two of them: nobody's
        ("streaming", "standby standby", [None, None]),  # one did not answer for all
        ("streaming bare", "standby standby", ["bench1", None]),
    ],
)
def test_where_the_primaries_are(first: str, second: str, expected: list[str | None]) -> None:
    assert scale.primaries({"bench1": first.split(), "bench2": second.split()}, 2) == expected


@pytest.mark.parametrize(("seen", "moved"), [(["bench1", "bench1"], []), (["bench2", "bench1"], ["bench1"])])
def test_services_that_a_smaller_case_has_moved_are_gathered_and_not_made_anew(
    seen: list[str], moved: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    case, now, calls = scale.Scale(2), [seen], list[str]()

    def move(machine: str) -> None:
        calls.append(machine)
        now[0] = [machine, machine]

    monkeypatch.setattr(scale, "STATE", tmp_path)
    monkeypatch.setattr(case, "start", lambda: None)
    monkeypatch.setattr(case, "move", move)
    monkeypatch.setattr(scale, "make", lambda: calls.append("made"))
    monkeypatch.setattr(scale, "wait_streaming", lambda count: now[0])
    case.prepare()
    assert (calls, case.primary) == (moved, "bench1")


def test_what_cannot_be_gathered_is_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    case, now, made = scale.Scale(2), [["bench2", "bench1"]], list[bool]()

    def move(machine: str) -> None:
        raise scale.commands.CommandFailed("refused")

    def make() -> None:
        made.append(True)
        now[0] = ["bench1", "bench1"]

    monkeypatch.setattr(scale, "STATE", tmp_path)
    for name, value in {"start": lambda: None, "move": move}.items():
        monkeypatch.setattr(case, name, value)
    monkeypatch.setattr(scale, "make", make)
    monkeypatch.setattr(scale, "wait_streaming", lambda count: now[0])
    case.prepare()
    assert (made, case.primary) == ([True], "bench1")
