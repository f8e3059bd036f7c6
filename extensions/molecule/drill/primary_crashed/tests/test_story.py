# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The drill moved the service away and back, measured both, and left nothing behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import story
from harness import Result, differences, state
from testinfra.host import Host


def test_the_service_is_back_home_with_its_redundancy(
    answers: Callable[[str], set[str]], ask: Callable[..., str], db1: Host
) -> None:
    assert ask(db1, "select pg_is_in_recovery()") == "f"
    assert ask(db1, "select application_name, state, sync_state from pg_stat_replication") == "db2|streaming|sync"
    assert answers("payments-db") == {"198.51.100.11"}


def test_both_ways_were_measured_and_lost_nothing(last_report: Callable[[str], dict]) -> None:
    report = last_report("drill")
    assert report["verdict"] == "passed"
    stages = {stage["stage"]: stage for stage in report["services"][0]["stages"]}
    for name in ("failover", "failback"):
        assert stages[name]["rpo"]["lost"] == 0
        assert stages[name]["rto"]["measured_seconds"] > 0
    # What careful users have today takes 9.1 s after a kill and 3.6 s planned
    assert stages["failover"]["rto"]["measured_seconds"] < 9.1
    assert stages["failback"]["rto"]["measured_seconds"] < 3.6


def test_whoever_was_fenced_was_watched_to_the_end_and_acknowledged_nothing(
    last_report: Callable[[str], dict], measurements: Callable[[str], dict]
) -> None:
    counts = {stage: each["acknowledged_by_fenced"] for stage, each in measurements("drill").items()}
    assert counts == {"failover": 0, "dwell": 0, "failback": 0, "end": 0}
    assert last_report("drill")["services"][0]["acknowledged_elsewhere"] == 0


def test_detection_and_decision_are_allowances_and_not_measured(last_report: Callable[[str], dict]) -> None:
    rto = last_report("drill")["services"][0]["rto"]
    assert rto["total_seconds"] == pytest.approx(rto["measured_seconds"] + 60 + 300)


def test_no_canary_is_left(place: Path) -> None:
    """Whoever runs has its ledger open. Other canaries of this machine are none of this drill's."""
    runs = story.place(place) / "runs"
    with next(runs.glob("*/canary/*.jsonl")).open():  # so this test is seen to look
        assert holding(runs) == {os.getpid()}


def holding(folder: Path) -> set[int]:
    """The processes that have a file below the folder open."""
    found = set()
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # it has ended meanwhile
            if Path(os.readlink(handle)).is_relative_to(folder):
                found.add(int(handle.parts[2]))
    return found


def test_failback_after_the_drill_has_nothing_to_do(verb: Callable[..., Result]) -> None:
    before = state()
    again = verb("failback", "scope=payments")
    assert (again.rc, again.changed) == (0, 0), again.output
    assert differences(before) == ""


def test_a_replica_stopped_by_hand_is_the_one_change_of_the_next_run(
    verb: Callable[..., Result], by_hand: Callable[..., str]
) -> None:
    by_hand("db2", "systemctl stop postgresql@15-payments")
    again = verb("failback", "scope=payments")
    assert (again.rc, again.changed) == (0, 1), again.output
    assert verb("failback", "scope=payments").changed == 0
