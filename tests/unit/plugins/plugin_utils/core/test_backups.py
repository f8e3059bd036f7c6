# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backup is due, and what stands against the promise; over histories that hypothesis makes up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backup_problems import problems
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import (
    KINDS,
    MIB,
    SEGMENT_SIZES,
    Archive,
    Backup,
    Found,
    Repository,
    Schedule,
    Timer,
    due,
    gaps,
    segment_size,
)

DAY, HOUR = 86400.0, 3600.0
PLAN = Schedule(7 * DAY, DAY, HOUR, verify_every=7 * DAY, rpo=300.0)
NOW = 100 * DAY


def name(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def backup(kind="full", age=60.0, segment=10, **changes) -> Backup:
    label = f"{kind}-{age}-{segment}"
    lsn = segment * 16 * MIB + 40
    made = Backup(label, kind, NOW - age - 5, NOW - age, name(segment), name(segment), lsn, lsn + 100, 1000, 500)
    return replace(made, **changes)


def copy(*backups: Backup, key=1, site="dc1", last=20, archived=10.0, **changes) -> Repository:
    segments = {name(number): NOW - archived - (last - number) for number in range(5, last + 1)}
    return Repository(key, site, backups=backups, archive=Archive(segments), proven=NOW - 60, **changes)


def rules(*copies: Repository, plan=PLAN, **changes) -> list[str]:
    return [each.rule for each in problems(Found(copies, **changes), plan, NOW)]


HEALTHY = (copy(backup()), copy(backup(), key=2, site="dc2"))


@pytest.mark.parametrize(
    ("within", "told"), [(None, ["archive_over_rpo"] * 2), (60.0, []), (200.0, ["archive_late"] * 2)]
)
def test_an_idle_server_is_not_late(within, told):
    copies = (copy(backup(), archived=4000), copy(backup(), archived=4000, key=2, site="dc2"))
    assert rules(*copies, archived_within=within) == told


@pytest.mark.parametrize(
    ("backups", "wanted"),
    [
        ((), "full"),
        ((backup("incr"),), "full"),
        ((backup("full", error=True),), "full"),
        ((backup("full", size=0),), "full"),
        ((backup("full", 8 * DAY),), "full"),
        ((backup("full", 2 * DAY),), "diff"),
        ((backup("full", 2 * DAY), backup("incr", 60)), "diff"),
        ((backup("full", 2 * HOUR),), "incr"),
        ((backup("full", 2 * DAY), backup("diff", 2 * HOUR)), "incr"),
        ((backup("full", 60),), None),
        ((backup("full", 2 * DAY), backup("diff", 2 * HOUR), backup("incr", 60)), None),
    ],
)
def test_the_kind_that_is_due(backups, wanted):
    assert due(Repository(1, backups=backups), PLAN, NOW) == wanted


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 30 * DAY)), max_size=8), st.floats(0, 30 * DAY))
def test_making_what_is_due_ends_with_nothing_due_and_waiting_makes_nothing_less_due(made, wait):
    backups = tuple(backup(kind, age, segment=n) for n, (kind, age) in enumerate(made))
    wanted = due(Repository(1, backups=backups), PLAN, NOW)
    if wanted is not None:
        backups += (backup(wanted, 0.0, segment=99),)
    assert due(Repository(1, backups=backups), PLAN, NOW) is None
    before, after = (due(Repository(1, backups=backups), PLAN, now) for now in (NOW, NOW + wait))
    assert before is None and (after is not None) == (wait >= HOUR)


def test_a_backup_whose_full_one_is_gone_is_no_backup():
    orphan = backup("incr", references=("gone",))
    assert Repository(1, backups=(orphan,)).newest is None
    assert due(Repository(1, backups=(orphan,)), PLAN, NOW) == "full"


@given(st.integers(0, 3000), st.integers(0, 300), st.sets(st.integers(0, 300)), st.integers(1, 3))
def test_a_missing_segment_is_counted_and_nothing_else(first, length, missing, timeline):
    segments = {name(first + n, timeline): NOW for n in range(length + 1) if n not in missing or n in (0, length)}
    expected = tuple(first + n for n in sorted(missing) if 0 < n < length)
    assert gaps(Archive(segments), name(first), timeline) == expected
    assert gaps(Archive(segments), name(first, 1), timeline) == expected, "a backup of the timeline before"


@given(st.sampled_from(SEGMENT_SIZES), st.lists(st.integers(1, 1 << 44), min_size=1, max_size=4))
def test_the_size_of_a_segment_is_read_from_the_names(size, places):
    backups = []
    for lsn in places:
        segment = f"00000001{lsn >> 32:08X}{(lsn & 0xFFFFFFFF) // size:08X}"
        backups.append(backup(lsn_start=lsn, wal_start=segment, wal_stop=segment))
    found = segment_size(backups)
    for each in backups:
        assert f"{(each.lsn_start & 0xFFFFFFFF) // found:08X}" == each.wal_start[16:]


def test_what_is_as_promised_has_no_problem():
    assert rules(*HEALTHY) == []


@pytest.mark.parametrize(
    ("first", "rule"),
    [
        (replace(HEALTHY[0], reachable=False, message="no route"), "repository_unreachable"),
        (copy(), "no_backup"),
        (copy(backup(error=True)), "no_backup"),
        (copy(backup(age=2 * HOUR)), "backup_overdue"),
        (copy(backup(age=-300 * DAY)), "backup_overdue"),
        (replace(HEALTHY[0], archive=None), "archive_unknown"),
        (replace(HEALTHY[0], proven=None), "restore_unproven"),
        (replace(HEALTHY[0], proven=NOW - 8 * DAY), "restore_unproven"),
        (replace(HEALTHY[0], proven=NOW + 300 * DAY), "restore_unproven"),
        (copy(backup(), archived=200), "archive_late"),
        (copy(backup(), archived=301), "archive_over_rpo"),
    ],
)
def test_each_thing_that_stands_against_the_promise_is_told(first, rule):
    assert rule in rules(first, HEALTHY[1])
    assert rule not in rules(*HEALTHY)


def test_a_gap_is_told():
    gap = dict(HEALTHY[0].archive.segments)
    del gap[name(15)]
    assert rules(replace(HEALTHY[0], archive=Archive(gap)), HEALTHY[1]) == ["archive_gap"]


def test_copies_at_one_site_and_copies_that_hold_nothing_do_not_count():
    assert rules(HEALTHY[0], replace(HEALTHY[1], site="dc1")) == ["copies_in_one_site"]
    assert rules(HEALTHY[0]) == ["copies_in_one_site"]
    assert "copies_in_one_site" in rules(HEALTHY[0], copy(key=2, site="dc2"))
    assert rules(HEALTHY[0], replicas=("db2", "db3")) == ["copies_in_one_site"], "a replica is no copy"


@pytest.mark.parametrize(
    ("timer", "rule"),
    [
        (Timer("db1", False, False), "schedule_stopped"),
        (Timer("db1", True, False), "schedule_stopped"),
        (Timer("db1", True, True, failed=True), "schedule_failed"),
    ],
)
def test_a_schedule_that_stands_still_is_told_while_every_backup_is_still_young(timer, rule):
    assert rules(*HEALTHY, timers=(timer,)) == [rule]
    assert rules(*HEALTHY, timers=(Timer("db1", True, True, False),)) == []


@given(st.floats(0, 2000))
def test_a_still_archive_is_told_before_the_rpo_is_over(age):
    told = rules(copy(backup(), archived=age), HEALTHY[1])
    assert ("archive_over_rpo" in told) == (age > 300)
    assert ("archive_late" in told) == (150 < age <= 300)


def test_a_failing_archiver_is_told():
    assert rules(*HEALTHY, archiver_failing=True) == ["archiver_failing"]
