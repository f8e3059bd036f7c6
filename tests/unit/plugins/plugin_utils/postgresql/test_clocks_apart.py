# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machines whose clocks differ: from a server's answer to the decision, no wrong clock makes a possible loss smaller.

A commit has the time of its primary's clock, and the primary is dead. Whoever asks how old it is has two clocks left:
the replica's, in its answer, and the controller's. A sight of the primary tells by how much its own was ahead.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core import loss
from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    Decision,
    EndpointView,
    LastSeen,
    Observation,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import read
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import Answer

from .conftest import PRIMARY, REPLICA

#: The true time of the decision. The member was asked a moment before it, and looked at its clock between the two.
NOW = 1_000_000.0
ASKED, LOOKED = NOW - 3.0, NOW - 2.0
#: The primary was seen long before, and looked at its clock so long after it was asked.
SEEN, ROUND_TRIP = NOW - 5000.0, 1.0
RPO = 300.0
DEAD = Observation("db1", "dc1", reachable=True, running=False, role="none", writable=False, address="198.51.100.11")


def held(age: float, *, member: float = 0.0, primary: float = 0.0, controller: float = 0.0) -> Observation:
    """What db2 is seen to hold `age` after the last commit; each clock is ahead of the true time by so many seconds."""
    said = {**REPLICA, "receiver": None, "now": LOOKED + member, "last_commit": NOW - age + primary}
    return read_by(said, controller)


def read_by(server: dict[str, Any], controller: float = 0.0) -> Observation:
    answer = Answer(server, True, False, "active", 0, None, {}, False, False, "", {})
    observed = read.observation("db2", "dc2", "203.0.113.11", answer)
    return dataclasses.replace(observed, asked=ASKED + controller)  # as the action does


def remembered(primary: float, controller: float = 0.0) -> LastSeen:
    """What a run kept of db1 while it served; nothing of what it held is known to be on db2."""
    said = {**PRIMARY, "now": SEEN + ROUND_TRIP + primary}
    answer = Answer(said, True, False, "active", 0, None, {}, False, False, "", {})
    seen = read.observation("db1", "dc1", "198.51.100.11", answer)
    seen = dataclasses.replace(seen, asked=SEEN + controller)
    return LastSeen(SEEN + controller, "db1", None, {"db2": "async"}, seen.timeline, seen.system_id, seen.clock_ahead)


def failover(target: Observation, controller: float = 0.0, sight: LastSeen | None = None, **asked: Any) -> Decision:
    request = Request("failover", "run-1", NOW + controller, target_site="dc2", **asked)
    return decide(view(target, sight), request)


def view(target: Observation, sight: LastSeen | None = None) -> View:
    dead = dataclasses.replace(DEAD, system_id=target.system_id, timeline=target.timeline)
    endpoint = EndpointView("shop.example.", reachable=True, values=("198.51.100.11",))
    service = Service("shop", RPO, {"db1": "dc1", "db2": "dc2"}, "dc1", ("shop.example.",))
    return View(service, {"db1": dead, "db2": target}, (endpoint,), sight)


def bound(target: Observation, controller: float = 0.0, sight: LastSeen | None = None, **asked: Any) -> loss.Bound:
    request = Request("failover", "run-1", NOW + controller, target_site="dc2", **asked)
    return loss.bound(view(target, sight), request, target)


def refused(decision: Decision) -> list[tuple[str, str]]:
    return [(refusal.rule, refusal.measured) for refusal in decision.refusals]


@pytest.mark.parametrize(
    ("member", "measured"), [(0.0, "401.0 s"), (-150.0, "400.0 s"), (-399.0, "400.0 s"), (150.0, "551.0 s")]
)
def test_a_loss_over_the_rpo_is_refused_whatever_the_clock_of_the_replica_says(member, measured):
    """With its clock 150 s behind the replica tells 248 s of itself, and loses 400."""
    assert held(400.0, member=-150.0).lag_seconds == 248.0 < RPO
    assert refused(failover(held(400.0, member=member))) == [("lag_over_rpo", measured)]


def test_a_loss_within_the_rpo_is_let_through_by_right_clocks_and_by_a_replica_that_is_behind():
    for member in (0.0, -0.5, -150.0):
        decision = failover(held(200.0, member=member))
        assert not decision.refusals and "promote" in {step.name for step in decision.steps}
    # Of a clock ahead it may be that the primary had the same: then 351 s are lost
    assert refused(failover(held(200.0, member=150.0))) == [("lag_over_rpo", "351.0 s")]


def test_an_accepted_loss_is_compared_with_the_corrected_one():
    behind = held(400.0, member=-150.0)
    assert refused(failover(behind, accept_data_loss_seconds=399.0, reason="x")) == [("lag_over_rpo", "400.0 s")]
    assert not failover(behind, accept_data_loss_seconds=400.0, reason="x").refusals


@pytest.mark.parametrize(
    "clocks", [{"member": -600.0}, {"primary": 600.0}, {"controller": -600.0}, {"member": 600.0, "primary": 600.0}]
)
def test_a_commit_that_lies_in_the_future_by_either_clock_has_no_age(clocks):
    target, controller = held(30.0, **clocks), clocks.get("controller", 0.0)
    assert refused(failover(target, controller)) == [("lag_unknown", "unknown")]
    assert bound(target, controller).source == "the newest replayed commit lies in the future, so two clocks differ"


def test_a_clock_that_is_kept_right_may_be_off_by_a_moment():
    assert bound(held(2.5, member=-1.5)).seconds == 3.0 and bound(held(2.5, controller=-3.5), -3.5).seconds == 3.5
    assert bound(held(2.5, member=-1.6)).seconds is bound(held(2.5, controller=-3.6), -3.6).seconds is None


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (-150.0, "; db2's clock is 149 s behind this controller's, and the later one counts"),
        (150.0, "; db2's clock is 148 s ahead of this controller's, and the later one counts"),
        (0.0, ""),
        (-1.9, ""),
        (2.9, ""),
    ],
)
def test_the_line_for_people_tells_a_difference_of_clocks_that_is_certain(member, said):
    """The member looked somewhere between the question and the decision: only what is outside of both is certain."""
    target = held(400.0, member=member)
    assert bound(target).source == f"the age of the newest replayed commit{said}"
    (line,) = [line for line in failover(target).evidence if line.startswith("possible loss")]
    assert line == f"possible loss: at most {bound(target).seconds:.1f} s (from {bound(target).source})"


@pytest.mark.parametrize("member", [-600.0, 0.0, 600.0])
def test_the_age_of_the_last_word_from_upstream_is_one_clocks_and_any_clock_tells_it(member):
    """Everything announced is held: the time of the last message and the time now are both the replica's."""
    receiver = {**REPLICA["receiver"], "last_message": LOOKED + member - 0.5}
    target = read_by({**REPLICA, "receiver": receiver, "now": LOOKED + member, "last_commit": NOW - 900.0})
    assert (target.lag_seconds, target.committed) == (0.5, None)
    assert bound(target) == loss.Bound(3.5, "the age of the newest replayed commit"), "and 3 s since it was asked"


def test_what_was_seen_ages_until_the_decision():
    """A fence may have been asked meanwhile: who still served wrote on."""
    target = held(100.0)
    for later in (0.0, 60.0):
        request = Request("failover", "run-1", NOW + later, target_site="dc2")
        assert loss.bound(view(target), request, target).seconds == 101.0 + later
        told = dataclasses.replace(request, outage_started=NOW - 40.0)
        assert loss.bound(view(target), told, target).seconds == 61.0, "what counts from a time does not grow"


def test_when_the_outage_began_is_believed_only_where_no_clock_says_that_the_service_still_served():
    """A replica whose clock is ahead makes a fresh commit look older than an outage that was told too early."""
    told = {"outage_started": NOW - 620.0}
    found = bound(held(40.0, member=600.0), **told)
    assert found.seconds == 641.0 and "outage_started does not count" in found.source, "not 21 s"
    assert bound(held(700.0), **told).seconds == 81.0
    behind = bound(held(700.0, member=-150.0), **told)
    assert behind.seconds == 700.0 and "outage_started does not count" in behind.source


def test_the_last_sight_of_the_primary_needs_no_clock_of_a_member():
    sight = LastSeen(NOW - 9.0, "db1", 4096, {"db2": "async"}, 1)
    for member in (-600.0, -150.0, 0.0, 150.0):
        assert bound(held(400.0, member=member), sight=sight).seconds == 9.0


def test_assess_does_not_tell_a_smaller_loss_either():
    primary = Observation("db1", "dc1", position=4196, followers={"db2": "async"})
    assert "100 bytes, 398.0 s (db2 is async)" in loss.describe_now(primary, held(400.0))
    assert "100 bytes, 397.0 s (db2 is async)" in loss.describe_now(primary, held(400.0, member=-150.0))
    assert "100 bytes, 548.0 s (db2 is async)" in loss.describe_now(primary, held(400.0, member=150.0))


AHEAD = "; db1's clock was at most 151.0 s ahead of this controller's when last seen, which is added"


def test_a_primary_whose_clock_was_ahead_of_both_hides_nothing_once_it_was_seen():
    """400 s are lost; by the replica's clock and the controller's it would be 251, which the plan allows."""
    target = held(400.0, primary=150.0)
    assert not failover(target).refusals and bound(target).seconds == 251.0 < RPO, "never seen: nobody can know"
    decision = failover(target, sight=remembered(150.0))
    assert refused(decision) == [("lag_over_rpo", "401.0 s")], "and what it took to ask the primary"
    (line,) = [line for line in decision.evidence if line.startswith("possible loss")]
    assert line == f"possible loss: at most 401.0 s (from the age of the newest replayed commit{AHEAD})"


def test_a_primary_whose_clock_is_ahead_may_lose_what_the_plan_allows():
    decision = failover(held(200.0, primary=150.0), sight=remembered(150.0))
    assert not decision.refusals and any("at most 201.0 s" in line for line in decision.evidence)


@pytest.mark.parametrize("primary", [0.0, -1.0, -150.0])
def test_a_primary_whose_clock_was_right_or_behind_adds_nothing_to_a_commit(primary):
    """What it took to ask the primary is no more than what it took to ask the replica: nothing is said either."""
    target = held(200.0, primary=primary)
    assert bound(target, sight=remembered(primary)) == bound(target), "behind makes no commit younger"
    assert "clock" not in bound(target, sight=remembered(primary)).source


@pytest.mark.parametrize(
    "changes",
    [
        {"clock_ahead": None},
        {"member": "db2"},
        {"member": "db3"},
        {"timeline": 7},
        {"system_id": "7302"},
        {"time": NOW + 60.0},
    ],
    ids=["of an older version", "of the target", "of another member", "timeline", "cluster", "from the future"],
)
def test_a_sight_that_is_not_of_the_primary_that_made_the_commit_adds_nothing(changes):
    target, other = held(400.0, primary=150.0), dataclasses.replace(remembered(150.0), **changes)
    assert bound(target, sight=other) == bound(target) and bound(target).seconds == 251.0
    assert not failover(target, sight=other).refusals


def test_only_a_commits_age_grows_by_the_primarys_clock():
    """The time of the last word from upstream is the replica's own."""
    receiver = {**REPLICA["receiver"], "last_message": LOOKED - 0.5}
    target = read_by({**REPLICA, "receiver": receiver, "now": LOOKED})
    assert bound(target, sight=remembered(150.0)).seconds == bound(target).seconds == 3.5


def test_a_sight_of_the_primarys_clock_gives_no_age_to_a_commit_from_the_future():
    target = held(30.0, primary=600.0)
    assert refused(failover(target, sight=remembered(600.0))) == [("lag_unknown", "unknown")]
    by_the_controller = failover(held(30.0, controller=-600.0), -600.0, remembered(0.0, -600.0))
    assert refused(by_the_controller) == [("lag_unknown", "unknown")]


def test_the_line_for_people_tells_of_both_clocks_where_both_are_wrong():
    source = bound(held(400.0, member=-50.0, primary=150.0), sight=remembered(150.0)).source
    assert source.endswith(f"; db2's clock is 49 s behind this controller's{AHEAD}") and "later one" not in source


@pytest.mark.parametrize(("round_trip", "said"), [(1.9, False), (2.2, True)])
def test_the_line_for_people_tells_of_the_primarys_clock_only_where_its_number_is_another(round_trip, said):
    sight = dataclasses.replace(remembered(0.0), clock_ahead=round_trip)
    assert ("db1's clock was at most" in bound(held(200.0), sight=sight).source) is said


def test_when_the_outage_began_is_compared_with_what_was_added():
    found = bound(held(400.0, primary=150.0), sight=remembered(150.0), outage_started=NOW - 100.0)
    assert found.seconds == 301.0, "not 151"


def test_assess_adds_what_the_primarys_clock_is_ahead_while_it_serves():
    primary = Observation("db1", "dc1", position=4196, followers={"db2": "async"}, asked=ASKED)
    for ahead, said in ((150.0, "398.0 s"), (0.0, "248.0 s"), (-150.0, "248.0 s")):
        told = loss.describe_now(dataclasses.replace(primary, clock=LOOKED + ahead), held(400.0, primary=150.0))
        assert f"100 bytes, {said} (db2 is async)" in told
    behind = loss.describe_now(dataclasses.replace(primary, clock=LOOKED - 150.0), held(400.0, member=-150.0))
    assert "100 bytes, 397.0 s (db2 is async)" in behind, "not 248"


OFF = st.integers(-2000, 2000).map(float)


@given(st.integers(3, 1000).map(float), OFF, OFF, st.booleans())
def test_no_wrong_clock_makes_a_loss_look_smaller_while_another_one_agrees_with_the_primarys(
    age: float, one: float, other: float, with_member: bool
) -> None:
    """Whatever the clocks are: the primary's may be the replica's or the controller's, and nobody knows which."""
    clocks = {"primary": one, "member": one if with_member else other, "controller": other if with_member else one}
    found = bound(held(age, **clocks), clocks["controller"]).seconds
    assert found is None or found >= age


@given(st.integers(3, 1000).map(float), OFF)
def test_right_clocks_tell_the_loss_and_what_it_took_to_ask(age: float, all_of_them: float) -> None:
    """One that differs from the true time is right as long as all are: only differences count."""
    target = held(age, member=all_of_them, primary=all_of_them, controller=all_of_them)
    found = bound(target, all_of_them)
    assert found.seconds == age + (LOOKED - ASKED) and "clock" not in found.source


@given(st.integers(3, 1000).map(float), OFF, OFF, OFF, st.none() | st.integers(0, 1000).map(float))
def test_once_the_primarys_clock_was_seen_no_three_clocks_make_a_loss_look_smaller(
    age: float, primary: float, member: float, controller: float, outage: float | None
) -> None:
    """Whatever each of them is off by. What was written after the outage began is none of the loss."""
    told = {} if outage is None else {"outage_started": NOW - outage + controller}
    target = held(age, member=member, primary=primary, controller=controller)
    found = bound(target, controller, remembered(primary, controller), **told).seconds
    assert found is None or found >= age - (outage or 0.0)


@given(st.integers(3, 1000).map(float), OFF, OFF, OFF, st.none() | OFF, st.none() | st.integers(0, 1000).map(float))
def test_whatever_another_controller_kept_of_the_primarys_clock_makes_no_loss_smaller(
    age: float, primary: float, member: float, controller: float, ahead: float | None, outage: float | None
) -> None:
    """Its own clock was off, or this one's was changed since."""
    told = {} if outage is None else {"outage_started": NOW - outage + controller}
    target = held(age, member=member, primary=primary, controller=controller)
    sight = dataclasses.replace(remembered(primary), time=SEEN + controller)
    without = bound(target, controller, dataclasses.replace(sight, clock_ahead=None), **told).seconds
    found = bound(target, controller, dataclasses.replace(sight, clock_ahead=ahead), **told).seconds
    assert (found is None) is (without is None)
    assert found is None or without is None or found >= without
