# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backup serves a target: the newest one before it, from which the log reaches it without a gap; or why none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import MIB, Archive, Backup, Repository
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import (
    Choice,
    Target,
    between,
    choose,
    target_of,
)

SEGMENT = 16 * MIB


def name(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def backup(number: int, timeline: int = 1, **changes) -> Backup:
    """A backup that took one segment, which was archived ten seconds a segment."""
    lsn = number * SEGMENT + 40
    at = 10.0 * number
    made = Backup(f"b{number}", "full", at - 1, at, name(number, timeline), name(number, timeline), lsn, lsn + 9, 1, 1)
    return replace(made, **changes)


def copy(backups=(10, 20, 30), segments=range(5, 41), key=1, timeline=1, missing=(), **changes) -> Repository:
    held = {name(n, timeline): 10.0 * n + 5 for n in segments if n not in missing}
    return Repository(key, backups=tuple(backup(n, timeline) for n in backups), archive=Archive(held), **changes)


def at(seconds: float) -> Target:
    return Target("time", "then", seconds)


def lsn(number: int) -> Target:
    return Target("lsn", "there", number * SEGMENT + 100)


def refused(*copies: Repository, target: Target, **options) -> list[str]:
    found = choose(copies, target, **options)
    assert not isinstance(found, Choice)
    assert all(refusal.hint and refusal.measured and refusal.limit for refusal in found)
    return [refusal.rule for refusal in found]


@pytest.mark.parametrize(
    ("target", "label"),
    [
        (Target("latest"), "b30"),
        (at(405), "b30"),
        (at(302), "b30"),
        (at(300.5), "b20"),  # kept as 300, it may have ended as late as 301
        (at(299), "b20"),
        (at(102), "b10"),
        (lsn(30), "b30"),
        (lsn(29), "b20"),
        (Target("name", "x"), "b30"),
    ],
)
def test_the_newest_backup_before_the_target_serves_it(target, label):
    found = choose([copy()], target)
    assert isinstance(found, Choice)
    assert (found.backup.label, found.timeline, found.repository, found.last_segment) == (label, 1, 1, 40)


@pytest.mark.parametrize(
    ("first", "target", "rule"),
    [
        (copy(reachable=False, message="lost"), Target("latest"), "repository_unreachable"),
        (copy(backups=()), Target("latest"), "no_backup"),
        (replace(copy(), backups=(backup(10, error=True),)), Target("latest"), "no_backup"),
        (replace(copy(), archive=None), Target("latest"), "no_archive"),
        (copy(segments=()), Target("latest"), "no_archive"),
        (copy(), at(50), "target_before_backup"),
        (copy(), lsn(3), "target_before_backup"),
        (copy(), at(406), "target_not_archived"),
        (copy(), lsn(41), "target_not_archived"),
        (copy(missing=(35,)), Target("latest"), "archive_gap"),
        (copy(missing=(35,)), at(380), "archive_gap"),
        (copy(missing=(15, 25, 35)), lsn(36), "archive_gap"),
    ],
)
def test_each_reason_why_a_copy_cannot_serve(first, target, rule):
    assert refused(first, target=target) == [rule]


def test_a_gap_after_the_target_does_no_harm():
    assert isinstance(choose([copy(missing=(38,))], at(352)), Choice)
    assert isinstance(choose([copy(missing=(38,))], lsn(35)), Choice)


def test_the_next_copy_serves_where_the_first_cannot_and_else_each_says_why():
    found = choose([copy(missing=(35,)), copy(key=2)], Target("latest"))
    assert isinstance(found, Choice) and found.repository == 2
    assert refused(copy(missing=(35,)), copy((), key=2), target=Target("latest")) == ["archive_gap", "no_backup"]
    assert refused(copy(missing=(35,)), copy(key=2), target=Target("latest"), only=1) == ["archive_gap"]
    assert refused(copy(), target=Target("latest"), only=7) == ["no_such_repository"]


def test_the_latest_comes_from_the_copy_whose_archive_goes_on_for_longest():
    """The archive of the first one stopped days ago, which no gap tells."""
    behind, ahead = copy(segments=range(5, 33)), copy(key=2)
    for copies, key in (((behind, ahead), 2), ((copy(), ahead), 1), ((behind, copy(missing=(35,), key=2)), 1)):
        found = choose(copies, Target("latest"))
        assert isinstance(found, Choice) and found.repository == key
    found = choose((behind, ahead), at(302))
    assert isinstance(found, Choice) and found.repository == 1, "a moment is the same in each"


def test_the_timeline_is_always_named_and_must_be_there():
    old = copy(segments=range(5, 36))
    both = {**old.archive.segments, **{name(n, 2): 10.0 * n + 5 for n in range(35, 41)}}
    forked = replace(old, archive=Archive(both, frozenset({2})))
    newest, first = choose([forked], Target("latest")), choose([forked], Target("latest"), timeline=1)
    assert isinstance(newest, Choice) and (newest.timeline, newest.last_segment) == (2, 40)
    assert isinstance(first, Choice) and (first.timeline, first.last_segment) == (1, 35)
    assert refused(forked, target=Target("latest"), timeline=3) == ["timeline_not_archived"]
    young = replace(forked, backups=(backup(38, 2),))
    assert refused(young, target=Target("latest"), timeline=1) == ["target_before_backup"]


@given(
    st.sets(st.integers(1, 60), min_size=1, max_size=6),
    st.sets(st.integers(1, 60), max_size=6),
    st.floats(0, 650, allow_nan=False),
)
def test_what_is_chosen_can_serve_and_a_refusal_is_right(backups, missing, then):
    held = copy(tuple(sorted(backups)), range(1, 61), missing=missing)
    if not held.archive.segments:
        return
    found = choose([held], at(then))
    if isinstance(found, Choice):
        assert found.backup.stopped + 1 <= then
        needed = [n for n in range(found.backup.lsn_start // SEGMENT, 61) if 10.0 * n + 5 < then]
        assert not set(needed) & missing, "recovery would end before the target"
    else:
        (refusal,) = found
        usable = [n for n in backups if 10.0 * n + 1 <= then]
        last = max(n for n in range(1, 61) if n not in missing)
        assert {
            "target_before_backup": not usable,
            "target_not_archived": then >= 10.0 * last + 6,
            "archive_gap": bool(missing),
        }[refusal.rule]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("latest", "latest", ""),
        ("2026-11-22T02:10:00Z", "time", "2026-11-22 02:10:00.000000+00"),
        ("2026-11-22T03:10:00.5+01:00", "time", "2026-11-22 02:10:00.500000+00"),
        ("lsn=0/16b3748", "lsn", "0/16B3748"),
        ("name=before_release", "name", "before_release"),
    ],
)
def test_a_target_is_read(text, kind, value):
    assert (target_of(text).kind, target_of(text).value) == (kind, value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-22T02:10:00", "has no time zone"),
        ("2026-11-22 02:10:00", "has no time zone"),
        ("2026-02-30T02:10:00Z", "is no restore target"),
        ("yesterday", "is no restore target"),
        ("lsn=16", "is no restore target"),
        ("name=it's", "is no restore target"),
        ("name=", "is no restore target"),
        ("", "is no restore target"),
        ("xid=4711", "is no restore target"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_can(text, said):
    with pytest.raises(ValueError, match=said) as wrong:
        target_of(text)
    assert "2026-11-22T02:10:00Z" in str(wrong.value)


@given(st.floats(0, 1e6), st.floats(1, 1e6), st.floats(0.1, 100), st.floats(0, 1))
def test_halving_comes_to_the_last_clean_moment(clean, width, resolution, where):
    dirty, mistake, tries = clean + width, clean + width * where, 0
    while (middle := between(clean, dirty, resolution)) is not None:
        clean, dirty = (middle, dirty) if middle <= mistake else (clean, middle)
        tries += 1
        assert tries < 60
    assert clean <= mistake <= dirty and dirty - clean <= resolution
