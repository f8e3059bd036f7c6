# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An upper bound of what a promotion would lose: never below the truth, and unknown where nothing proves it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core import loss
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import LastSeen, Observation, Request, Service
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import SYNCHRONOUS, View

NOW = 1_000_000.0


def target(**changes: Any) -> Observation:
    values = {"reachable": True, "running": True, "role": "replica", "position": 5000, "lag_seconds": 40.0}
    return Observation("db2", "dc2", **(values | changes))


def view(seen: LastSeen | None = None) -> View:
    return View(Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1"), {}, (), seen)


def seen(ago: float, mode: str = "async", position: int | None = 5000, member: str = "db1") -> LastSeen:
    return LastSeen(NOW - ago, member, position, {"db2": mode})


def ask(**changes: Any) -> Request:
    return Request("failover", "run-1", NOW, **changes)


def seconds(sight: LastSeen | None, request: Request | None = None, **changes: Any) -> float | None:
    return loss.bound(view(sight), request or ask(), target(**changes)).seconds


def test_nothing_known_is_unknown_and_not_nothing_lost() -> None:
    assert seconds(None, lag_seconds=None) is None
    assert "unknown" in loss.describe(view(), ask(), target(lag_seconds=None))


def test_the_age_of_the_newest_commit_bounds_the_loss() -> None:
    assert seconds(None) == 40.0
    assert seconds(None, lag_seconds=0.0) == 0.0


def test_the_last_sight_bounds_it_when_the_target_holds_what_was_there() -> None:
    assert seconds(seen(9)) == 9.0
    assert seconds(seen(9), position=4999) == 40.0, "it misses something of what was seen"
    assert seconds(seen(9), position=None, lag_seconds=None) is None
    assert seconds(seen(9, position=None), lag_seconds=None) is None
    assert seconds(seen(90)) == 40.0, "the smaller of two bounds"


def test_what_came_after_the_outage_began_does_not_count_as_lost() -> None:
    outage = ask(outage_started=NOW - 30)
    assert seconds(None, outage) == 10.0
    assert seconds(seen(35), outage, lag_seconds=None) == 5.0
    assert seconds(seen(31), outage, lag_seconds=None) == 1.0


def test_an_outage_that_began_before_the_service_last_served_does_not_count() -> None:
    assert seconds(seen(9), ask(outage_started=NOW - 30), lag_seconds=None) == 9.0
    early = ask(outage_started=NOW - 300)
    assert seconds(None, early) == 40.0
    assert "outage_started does not count, it served 260 s after that" in loss.describe(view(), early, target())


@pytest.mark.parametrize(
    ("mode", "none_lost"), [("sync", True), ("quorum", True), ("async", False), ("potential", False)]
)
def test_a_target_that_confirmed_every_commit_lost_none(mode: str, none_lost: bool) -> None:
    assert loss.was_synchronous(view(seen(9, mode)), ask(), target()) is none_lost
    assert (seconds(seen(9, mode), lag_seconds=None, position=0) == 0.0) is none_lost


def test_a_sight_of_the_target_itself_as_primary_proves_nothing() -> None:
    assert not loss.was_synchronous(view(seen(9, "sync", member="db2")), ask(), target())
    assert not loss.was_synchronous(view(LastSeen(NOW, "db1", 1, {"db3": "sync"})), ask(), target())
    assert not loss.was_synchronous(view(), ask(), target())


def test_the_line_for_people_names_the_bound_its_source_and_its_age() -> None:
    text = loss.describe(view(seen(9)), ask(), target())
    assert text == "possible loss: at most 9.0 s (from the last sight of the primary, 9 s ago)"
    late = loss.describe(view(seen(90)), ask(), target())
    assert late == "possible loss: at most 40.0 s (from the age of the newest replayed commit)", "it rests on no sight"
    assert "at most 40.0 s (from the age of the newest replayed commit)" in loss.describe(view(), ask(), target())


@pytest.mark.parametrize(
    ("sight", "why"),
    [
        (LastSeen(NOW - 9, "db2", 1, {"db2": "sync"}), "it is of db2 itself"),
        (LastSeen(NOW - 9, "db1", 1, {"db2": "sync"}, 5), "it is of timeline 5, and db2 is on 4"),
        (
            LastSeen(NOW - 9, "db1", 1, {"db2": "sync"}, 4, "7302"),
            "it is of the cluster 7302, and db2 is of 7301",
        ),
    ],
)
def test_a_sight_that_does_not_count_is_named_with_the_reason(sight: LastSeen, why: str) -> None:
    new = target(timeline=4, system_id="7301")
    assert loss.last_sight(view(sight), ask(), new) == f"sync, 9 s ago, which does not count: {why}"
    text = loss.describe(view(sight), ask(), new)
    assert text == (
        "possible loss: at most 40.0 s (from the age of the newest replayed commit; "
        f"the last sight of a primary does not count: {why})"
    )


@pytest.mark.parametrize(
    ("timeline", "record", "seconds_"),
    [
        (4, None, None),
        (4, {"member": "db2", "epoch": 1, "timeline": 3}, None),  # of the promotion before
        (4, {"member": "db3", "epoch": 2, "timeline": 4}, 40.0),  # it follows one that a run promoted
        (4, {"member": "db3", "epoch": 2}, None),
        (3, None, 40.0),
        (2, None, 40.0),  # it missed a promotion: its newest commit is older than that
        (None, None, 40.0),
    ],
    ids=["its own", "an earlier record", "a record", "a record of none", "the same", "behind", "not known"],
)
def test_a_commit_of_its_own_tells_nothing_of_what_the_primary_acknowledged(
    timeline: int | None, record: dict[str, Any] | None, seconds_: float | None
) -> None:
    """It was a primary for a moment, wrote, and is a standby again: its newest commit is younger than what it lacks."""
    sight = LastSeen(NOW - 90, "db1", 1, {"db2": "async"}, 3)
    new = target(timeline=timeline, promotion=record)
    seen_by_all = dataclasses.replace(view(sight), observed={**view(sight).observed, "db2": new})
    assert loss.bound(seen_by_all, ask(), new).seconds == seconds_
    if seconds_ is None:
        assert "left the primary for a timeline of which no record tells" in loss.describe(seen_by_all, ask(), new)


def test_a_sight_whose_cluster_is_not_known_counts_as_before() -> None:
    known, unknown = LastSeen(NOW, "db1", 1, {"db2": "sync"}, 4, "7301"), LastSeen(NOW, "db1", 1, {"db2": "sync"}, 4)
    for sight, system_id in ((known, "7301"), (known, None), (unknown, "7301")):
        assert loss.was_synchronous(view(sight), ask(), target(timeline=4, system_id=system_id))


def test_a_sight_from_the_future_proves_nothing() -> None:
    ahead = seen(-3600, "sync")
    assert not loss.was_synchronous(view(ahead), ask(), target())
    assert seconds(ahead) == 40.0 and seconds(ahead, lag_seconds=None) is None
    assert seconds(ahead, ask(outage_started=NOW - 30)) == 10.0, "nor when the service last served"
    told = loss.last_sight(view(ahead), ask(), target())
    assert told.startswith("sync, 3600 s ahead of the clock, which does not count: it lies in the future")
    assert "it lies in the future" in loss.describe(view(ahead), ask(), target())


def test_a_clock_that_is_kept_right_may_step_back_but_makes_no_bound_smaller() -> None:
    step = seen(-loss.CLOCK_STEP_SECONDS, "sync")
    assert loss.was_synchronous(view(step), ask(), target())
    assert "synchronous, -" not in loss.describe(view(seen(-0.6, "sync")), ask(), target())
    assert not loss.was_synchronous(view(seen(-loss.CLOCK_STEP_SECONDS - 0.1, "sync")), ask(), target())
    assert seconds(seen(-0.5)) == 40.0, "of no known age"
    assert seconds(seen(0)) == 0.0


@pytest.mark.parametrize(
    "reason", ["commits do not wait (synchronous_commit = local)", "one of 2 with this name (a, b)"]
)
def test_one_that_is_only_called_synchronous_proves_nothing(reason: str) -> None:
    for mode in SYNCHRONOUS:
        sight = seen(9, f"{mode}, {reason}")
        assert not loss.was_synchronous(view(sight), ask(), target()) and seconds(sight) == 9.0
        primary = Observation("db1", "dc1", position=5100, followers={"db2": f"{mode}, {reason}"})
        told = loss.describe_now(primary, target())
        assert "could lose: 100 bytes" in told and reason in told


def test_a_quorum_with_a_member_that_proves_nothing_proves_nothing() -> None:
    """What db2 lacks another one of the name db3 may have confirmed."""
    other = Observation("db3", "dc3", reachable=True, running=True, role="replica", position=5000)
    both = View(view().service, {"db1": Observation("db1", "dc1"), "db3": other})
    for mode, proven in (("quorum", True), ("quorum, one of 2 with this name (a, b)", False)):
        sight = LastSeen(NOW - 9, "db1", 5000, {"db2": "quorum", "db3": mode})
        assert loss.was_synchronous(dataclasses.replace(both, last_seen=sight), ask(), target()) is proven


def test_a_sight_that_counts_is_named_as_it_is() -> None:
    assert loss.last_sight(view(seen(9)), ask(), target()) == "async, 9 s ago"
    assert loss.last_sight(view(LastSeen(NOW - 9, "db1", 1, {})), ask(), target()) == "not attached, 9 s ago"
    assert loss.last_sight(view(), ask(), target()) == "never seen"


def test_what_a_failover_would_lose_now() -> None:
    primary = Observation("db1", "dc1", position=5100, followers={"db2": "sync"})
    assert loss.describe_now(primary, target()) == "a failover now would lose nothing: db2 is sync"
    behind = Observation("db1", "dc1", position=5100, followers={"db2": "async"})
    assert loss.describe_now(behind, target()) == "a failover now could lose: 100 bytes, 40.0 s (db2 is async)"
    blind = Observation("db1", "dc1")
    assert "unknown bytes, unknown (db2 is not attached)" in loss.describe_now(blind, target(lag_seconds=None))


# Whole seconds: the test compares sums of floats
SECONDS = st.none() | st.integers(0, 10_000).map(float)


@given(SECONDS, SECONDS, st.integers(0, 10), st.integers(0, 10), SECONDS)
def test_no_bound_is_better_than_what_proves_it(
    lag: float | None, ago: float | None, position: int, seen_at: int, outage: float | None
) -> None:
    sight = None if ago is None else seen(ago, position=seen_at)
    request = ask(outage_started=None if outage is None else NOW - outage)
    found = seconds(sight, request, lag_seconds=lag, position=position)
    since = outage or 0.0
    # It still served after that, as a sight or a commit tells: then it counts for nothing
    if any(age is not None and age < since - 1 for age in (ago, lag)):
        since = 0.0
    proofs = [max(0.0, lag - since)] if lag is not None else []
    if ago is not None and position >= seen_at:
        proofs.append(max(0.0, (NOW - since) - (NOW - ago)))
    assert found == (min(proofs) if proofs else None)


@pytest.mark.parametrize("timeline", [None, 2, 4])
def test_a_sight_of_a_timeline_proves_nothing_about_a_target_that_is_not_known_to_be_on_it(
    timeline: int | None,
) -> None:
    """What was acknowledged on timeline 3 may be missing on any other, and on one that nobody knows."""
    sight = dataclasses.replace(seen(9, "sync"), timeline=3)
    assert seconds(sight, timeline=3) == 0.0, "there it proves that nothing is lost"
    assert seconds(sight, timeline=timeline) == (None if timeline == 4 else 40.0)
    assert seconds(sight, timeline=timeline, lag_seconds=None) is None
    assert "is of timeline 3" in loss.why_not(view(sight), ask(), target(timeline=timeline))
