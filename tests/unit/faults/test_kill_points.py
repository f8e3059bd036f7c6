# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import harness
import pytest
from harness import Result
from say import LabError

from tests.faults import kill_points, page, results
from tests.faults.cut_off import Cut, Place
from tests.faults.kill_points import Tried, Try, nothing_left, told
from tests.faults.lanes import Lane
from tests.faults.oracles import NUMBERS
from tests.faults.points import Point

QUIET = "payments-db : ok=4    changed=0    unreachable=0    failed=0"
RECAP = "payments-db : ok=4    changed=2    unreachable=0    failed=0"


def test_one_more_run_that_does_nothing_is_as_it_must_be() -> None:
    assert nothing_left(Result(0, QUIET, 1.0)) == []


def test_one_more_run_must_neither_fail_nor_change_anything() -> None:
    assert nothing_left(Result(0, RECAP, 1.0)) == ["one more run changed 2 things"]
    (said,) = nothing_left(Result(2, f"claim_held\n{QUIET}", 1.0))
    assert said.startswith("one more run ended with 2") and "claim_held" in said


def test_one_more_run_that_tells_nothing_proves_nothing() -> None:
    (said,) = nothing_left(Result(0, "", 1.0))
    assert "told nothing of any host" in said


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
    monkeypatch.setattr(results, "PATH", tmp_path / "faults.json")
    monkeypatch.setattr(results, "PUBLISHED", tmp_path / "published.json")
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


def test_a_point_that_was_wrong_stays_wrong_until_it_is_tried_again(folder: Path) -> None:
    kill_points.try_all(["accounts-db:failover:2"], None, 7, folder)
    results.publish()
    results.PATH.unlink()
    kill_points.try_all(["payments-db:rejoin:1"], None, 7, folder)
    kept = json.loads((folder.parent / "faults.json").read_text())
    assert kept["kill_points_about"]["failed"] == ["accounts-db:failover:2, killed after claim done: a lease is left"]
    assert sorted(kept["kill_points_about"]["points"]) == ["accounts-db:failover:2", "payments-db:rejoin:1"]


def test_a_sample_is_added_to_those_before_and_all_points_begin_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted() -> int:
        return int(json.loads((folder.parent / "faults.json").read_text())["kill_points"])

    monkeypatch.setattr(Lane, "undisturbed", lambda _self, _verb: [{"step": "decide", "state": "started"}] * 9)
    kill_points.try_all(["payments-db:rejoin:11"], None, 7, folder)
    kill_points.try_all([], 2, 7, folder)
    assert counted() == 3
    kill_points.try_all([], None, 7, folder)
    assert counted() == 2 * 4 * 9


def test_the_rest_is_what_was_not_tried(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lane, "undisturbed", lambda _self, _verb: [{"step": "decide", "state": "started"}] * 2)
    kill_points.try_all(["payments-db:rejoin:1"], None, 7, folder)
    tried = kill_points.try_all([], None, 7, folder, rest=True)
    assert len(tried) == 2 * 4 * 2 - 1 and "payments-db:rejoin:1" not in {each.point for each in tried}
    kept = json.loads((folder.parent / "faults.json").read_text())
    assert (kept["kill_points"], kept["kill_points_about"]["of"]) == (16, 16)


def test_how_many_there_are_is_kept_from_the_last_run_of_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> str:
        text = page._counted(json.loads((folder.parent / "faults.json").read_text()), "kill_points", "killed")
        return text.partition(";")[0]

    monkeypatch.setattr(Lane, "undisturbed", lambda _self, _verb: [{"step": "decide", "state": "started"}] * 9)
    kill_points.try_all(["payments-db:rejoin:1"], None, 7, folder)
    assert told() == "- killed: 1 tried, none failed"
    kill_points.try_all([], None, 7, folder)
    kill_points.try_all(["payments-db:rejoin:1"], None, 7, folder)
    assert told() == "- killed: 72 of 72 tried, 8 failed"


@pytest.mark.parametrize("error", [LabError("no engine"), subprocess.TimeoutExpired("ansible-playbook", 600)])
def test_a_point_that_is_broken_off_is_wrong_and_the_next_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def undisturbed(_self: Lane, verb: str) -> list[dict[str, str]]:
        raise error

    monkeypatch.setattr(Lane, "undisturbed", undisturbed)
    tried = Try(Point("payments-db", "rejoin", 2), Lane("payments-db", tmp_path))()
    assert tried.wrong and tried.wrong[0].startswith(f"broken off by {type(error).__name__}")


UNHEARD = ["not judged: db2 was not heard for 3 s"]
SILENT = ["run again, it ended with 2", "names: no server answered for a.example.: each was asked 6 times in vain"]
TWO_AT_ONCE = ["writer: two at once", *UNHEARD]


@pytest.mark.parametrize(
    ("tries", "told"),
    [
        ([UNHEARD, []], []),
        ([UNHEARD, UNHEARD], UNHEARD),
        ([SILENT, []], []),  # nothing here touches a name server: the network of the whole lab stood still
        ([SILENT, SILENT], SILENT),
        ([TWO_AT_ONCE], TWO_AT_ONCE),
        (
            [["names: ns0 answers NXDOMAIN for a.example., 3 times"]],
            ["names: ns0 answers NXDOMAIN for a.example., 3 times"],
        ),
    ],
)
def test_a_point_that_was_not_judged_is_tried_once_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tries: list[list[str]], told: list[str]
) -> None:
    left = list(tries)

    def call(self: Try) -> Tried:
        return Tried(str(self.point), "claim done", 1.0, left.pop(0))

    monkeypatch.setattr(Try, "__call__", call)
    (tried,) = kill_points.try_all(["payments-db:rejoin:1"], None, 7, folder)
    assert (tried.wrong, left) == (told, [])


def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seen: dict[str, Any]) -> Tried:
    """A point whose run is killed, continued and done, and whose watch saw this much."""

    @contextmanager
    def watching(*_services: str, place: Path) -> Iterator[Any]:
        place.mkdir(parents=True, exist_ok=True)
        yield SimpleNamespace(
            seen=seen,
            violations=[],
            ledgers=[SimpleNamespace(lost=list)],
            hear=lambda *_words: None,
            keep=lambda _name, result: result,
            wait_rows=lambda _count: None,
        )

    lane = Lane("payments-db", tmp_path)
    lane.stands, lane.expected = "failed_over", {"rejoin": {}}
    monkeypatch.setattr(lane, "undisturbed", lambda _verb: [])
    monkeypatch.setattr(lane, "bring", lambda _start: None)
    monkeypatch.setattr(lane, "timeline", lambda: 1)
    monkeypatch.setattr(lane, "reading", lambda _timeline: {})
    monkeypatch.setattr(Place, "journal", lambda _self: [{"step": "claim", "state": "done", "data": {}}])
    monkeypatch.setattr(kill_points, "watching", watching)
    monkeypatch.setattr(kill_points, "run_verb", lambda *_words, **_more: Cut(True, -9, ""))
    monkeypatch.setattr(harness, "run_verb", lambda *_words, **_more: Result(0, QUIET, 1.0))
    return Try(Point("payments-db", "rejoin", 1), lane)()


def test_a_point_whose_oracles_saw_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole: dict[str, Any] = {**dict.fromkeys(NUMBERS, 1), "not_judged": {}}
    assert watched(monkeypatch, tmp_path / "whole", whole).wrong == []
    silent = watched(monkeypatch, tmp_path / "silent", {**whole, "asked_for_names": 0})
    assert silent.wrong == [NUMBERS["asked_for_names"]]


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
