# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from pathlib import Path

import harness
import pytest
from harness import Result

from tests.faults import kill_points, results
from tests.faults.kill_points import Tried, Try, nothing_left, told
from tests.faults.lanes import Lane

QUIET = "payments-db : ok=4    changed=0    unreachable=0    failed=0"
RECAP = "payments-db : ok=4    changed=2    unreachable=0    failed=0"


def test_one_more_run_that_does_nothing_is_as_it_must_be() -> None:
    assert nothing_left(Result(0, QUIET, 1.0)) == []


def test_one_more_run_must_neither_fail_nor_change_anything() -> None:
    assert nothing_left(Result(0, RECAP, 1.0)) == ["one more run changed 2 things"]
    (said,) = nothing_left(Result(2, f"claim_held\n{QUIET}", 1.0))
    assert said.startswith("one more run ended with 2") and "claim_held" in said


def test_what_went_wrong_stands_below_its_point() -> None:
    assert told(Tried("rejoin:3", "claim done", 12.0)).startswith("passed rejoin:3")
    assert told(Tried("rejoin:3", "claim done", 12.0, ["lost"])).splitlines()[1] == "    lost"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Points that need no lab: line 2 is wrong."""

    def call(self: Try) -> Tried:
        wrong = ["a lease is left"] if self.point.line == 2 else []
        return Tried(str(self.point), "claim done", 1.0, wrong)

    monkeypatch.setattr(Try, "__call__", call)
    monkeypatch.setattr(harness, "lab", lambda *_words: "")
    monkeypatch.setattr(kill_points, "KEPT", tmp_path / "points")
    monkeypatch.setattr(results.add_kill_points, "__defaults__", (tmp_path / "faults.json",))
    return tmp_path / "points"


def test_what_came_of_every_point_is_kept(folder: Path) -> None:
    kill_points.try_all(["payments-db:rejoin:1", "accounts-db:failover:2"], None, 7, folder)
    kept = json.loads((folder.parent / "faults.json").read_text())
    assert kept["kill_points"] == 2
    assert kept["kill_points_about"]["failed"] == ["accounts-db:failover:2, killed after claim done: a lease is left"]
    assert kept["kill_points_about"]["by_verb"] == {"rejoin": 1, "failover": 1}


def test_points_that_are_named_are_added_to_those_before(folder: Path) -> None:
    kill_points.try_all(["payments-db:rejoin:1", "accounts-db:failover:2"], None, 7, folder)
    kill_points.try_all(["payments-db:rejoin:1", "payments-db:rejoin:3"], None, 7, folder)
    assert json.loads((folder.parent / "faults.json").read_text())["kill_points"] == 3


def test_anything_wrong_is_told_by_the_exit_code(folder: Path) -> None:
    assert kill_points.main(["payments-db:rejoin:1"]) == 0
    assert kill_points.main(["payments-db:rejoin:1", "payments-db:rejoin:2"]) == 1


def test_a_sample_runs_only_what_it_needs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def undisturbed(self: Lane, verb: str) -> list[dict[str, str]]:
        ran.append(f"{self.service} {verb}")
        return [{"step": "decide", "state": "started"}] * 9

    monkeypatch.setattr(Lane, "undisturbed", undisturbed)
    assert len(kill_points.try_all([], 2, 7, folder)) == 2
    assert len(ran) == 2
    ran.clear()
    assert len(kill_points.try_all([], None, 7, folder)) == 2 * 4 * 9
    assert len(ran) == 8
