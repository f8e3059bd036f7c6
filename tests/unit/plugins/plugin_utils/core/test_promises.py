# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A primary that is gone, and two replicas in any condition: who may become a primary, and at what loss."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core import loss
from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    Decision,
    EndpointView,
    LastSeen,
    Observation,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.steps import step_members
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

NOW = 1_000_000.0
SITES = {"db1": "dc1", "db2": "dc2", "db3": "dc3"}
ADDRESSES = {"db1": "198.51.100.11", "db2": "203.0.113.11", "db3": "203.0.113.12"}
NAME = "shop.example."
OFF = Evidence("db1", "power", "off", 3, True, 3, "off", NOW)
#: What an operator can give away about fences, candidates and arbiters: none of it is a word about data
LOUD = ("old_primary_unfenced", "missing_candidate", "arbiter_unreachable")


@st.composite
def members(draw: Any) -> dict[str, Observation]:
    """db1 crashed or out of sight; db2 and db3 mostly replicas, each with any position on any timeline."""
    seen = {name: Observation(name, site, address=ADDRESSES[name]) for name, site in SITES.items()}
    if draw(st.booleans()):
        here = {"reachable": True, "running": False, "role": "none", "system_id": "7", "timeline": 1, "epoch": 0}
        seen["db1"] = dataclasses.replace(seen["db1"], **here)
    for name in ("db2", "db3"):
        state = draw(st.sampled_from(["replica"] * 6 + ["stopped", "silent"]))
        if state == "silent":
            continue
        role, running = ("replica", True) if state == "replica" else ("none", False)
        seen[name] = dataclasses.replace(
            seen[name],
            reachable=True,
            running=running,
            role=role,
            writable=False,
            receiving=False if running else None,
            system_id="7",
            epoch=0,
            timeline=draw(st.sampled_from([1, 1, 2, None])),
            position=draw(st.sampled_from([900, 1000, 1100, None])),
            lag_seconds=1.0,
            engine={"promoting": running and draw(st.sampled_from([False, False, True]))},
        )
    return seen


@st.composite
def views(draw: Any) -> View:
    followers = {
        name: draw(st.sampled_from(["sync", "quorum", "quorum", "potential", "async"]))
        for name in ("db2", "db3", "elsewhere")
        if draw(st.sampled_from([True, True, False]))
    }
    seen = LastSeen(NOW - 5, "db1", 1000, followers, draw(st.sampled_from([None, 1, 2])))
    service = Service("shop", draw(st.sampled_from([0.0, 300.0])), SITES, "dc1", (NAME,), ("power",))
    endpoints = (EndpointView(NAME, True, (ADDRESSES["db1"],)),) if draw(st.booleans()) else ()
    evidence = {"db1": (OFF,)} if draw(st.booleans()) else {}
    return View(service, draw(members()), endpoints, seen, evidence)


def failover(view: View, **request: Any) -> Decision:
    word = {"confirm": "run-0", "confirm_refused_at": NOW - 60, "reason": "r"}
    return decide(view, Request("failover", "run-1", NOW, target_site="dc2", **word, **request))


WAIVES = st.sampled_from([(), LOUD, LOUD[:2], LOUD[:1]])


def test_the_cases_do_promote() -> None:
    met: Counter[str] = Counter()

    @settings(max_examples=1500, deadline=None, database=None, derandomize=True)
    @given(views(), WAIVES)
    def count(view: View, waive: tuple[str, ...]) -> None:
        decision = failover(view, waive=waive)
        if step_members(decision.steps, "promote"):
            met["promoted"] += 1
            met["a sibling that may promote itself is fenced"] += "db3" in step_members(decision.steps, "fence")
            met["without an endpoint"] += not view.endpoints
            met["by a quorum"] += bool(
                view.last_seen and view.last_seen.followers.get("db2") == "quorum" and view.service.rpo_seconds == 0
            )

    count()
    assert min(met.values()) >= 5 and len(met) == 4, met


@settings(max_examples=1000, deadline=None)
@given(views(), WAIVES)
def test_no_promotion_beside_one_that_may_still_come(view: View, waive: tuple[str, ...]) -> None:
    """A promotion that was sent to a replica ends only with its server: it is stopped before another is promoted."""
    decision = failover(view, waive=waive)
    for promoted in step_members(decision.steps, "promote"):
        before = decision.steps[: [step.name for step in decision.steps].index("promote")]
        for other in view.observed.values():
            if other.member != promoted and other.engine.get("promoting"):
                assert other.member in step_members(before, "fence"), decision
                assert other.member not in step_members(decision.steps, "rejoin"), decision


@settings(max_examples=1000, deadline=None)
@given(views(), WAIVES)
def test_nobody_is_promoted_beside_a_replica_that_followed_longer(view: View, waive: tuple[str, ...]) -> None:
    """A later timeline is newer wherever it ends: it began with a promotion that the other one missed."""
    decision = failover(view, waive=waive)
    for promoted in step_members(decision.steps, "promote"):
        target = view.observed[promoted]
        for other in view.observed.values():
            if other.is_replica and other.timeline and target.timeline:
                assert other.timeline <= target.timeline, decision
                if other.timeline == target.timeline:
                    assert (other.position or 0) <= (target.position or 0), decision


@settings(max_examples=1500, deadline=None)
@given(views(), WAIVES)
def test_no_loss_is_promised_on_the_word_of_a_quorum_that_cannot_be_asked(view: View, waive: tuple[str, ...]) -> None:
    decision = failover(view, waive=waive)
    seen = view.last_seen
    assert seen
    for promoted in step_members(decision.steps, "promote"):
        target = view.observed[promoted]
        found = loss.bound(view, Request("failover", "run-1", NOW), target)
        if seen.followers.get(promoted) != "quorum" or found.seconds != 0.0 or "synchronous" not in found.source:
            continue
        for name in (name for name, mode in seen.followers.items() if mode == "quorum" and name != promoted):
            other = view.observed.get(name)
            assert other and other.is_replica and other.position is not None, decision
            assert other.position <= (target.position or 0) or (other.timeline or 0) < (target.timeline or 0), decision


@settings(max_examples=1000, deadline=None)
@given(views(), WAIVES)
def test_without_a_claim_nobody_out_of_sight_is_left_to_a_second_operator(view: View, waive: tuple[str, ...]) -> None:
    """Each of two operators who reach one member alone could promote it: only a fence or a waiver by name will do."""
    decision = failover(view, waive=waive)
    if view.endpoints or not step_members(decision.steps, "promote"):
        return
    for other in view.observed.values():
        if not other.reachable and other.member not in step_members(decision.steps, "fence"):
            assert "arbiter_unreachable" in {waiver.rule for waiver in decision.waivers}, decision
            assert "arbiter_unreachable" in waive


def test_in_a_site_with_two_replicas_the_one_that_followed_longer_is_the_target() -> None:
    """Else `newer_replica` would refuse it with the hint to move to this very site."""
    here: dict[str, Any] = {"reachable": True, "running": True, "role": "replica", "system_id": "7", "lag_seconds": 0.0}
    one = Observation("db2", "dc2", timeline=1, position=1000, address=ADDRESSES["db2"], **here)
    two = Observation("db3", "dc2", timeline=2, position=900, address=ADDRESSES["db3"], **here)
    gone = Observation("db1", "dc1", address=ADDRESSES["db1"])
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2", "db3": "dc2"}, "dc1", (NAME,), ("power",))
    endpoint = EndpointView(NAME, True, (ADDRESSES["db1"],))
    seen = View(service, {o.member: o for o in (gone, one, two)}, (endpoint,), None, {"db1": (OFF,)})
    decision = failover(seen)
    assert step_members(decision.steps, "promote") == ["db3"], decision
    assert step_members(decision.steps, "rejoin") == ["db2"]


def test_a_planned_move_stops_one_that_may_still_promote_itself_first() -> None:
    here: dict[str, Any] = {"reachable": True, "running": True, "system_id": "7", "timeline": 1, "position": 1000}
    follows = {"role": "replica", "receiving": True, "lag_seconds": 0.0, **here}
    one = Observation("db1", "dc1", role="primary", address=ADDRESSES["db1"], followers={"db2": "async"}, **here)
    two = Observation("db2", "dc2", address=ADDRESSES["db2"], **follows)
    three = Observation("db3", "dc3", address=ADDRESSES["db3"], engine={"promoting": True}, **follows)
    service = Service("shop", 300.0, SITES, "dc1", (NAME,), ("systemd",))
    endpoint = EndpointView(NAME, True, (ADDRESSES["db1"],))
    for fences, expected in ((("systemd",), ["claim", "fence", "demote", "promote"]), ((), [])):
        seen = {o.member: o for o in (one, two, three)}
        view = View(dataclasses.replace(service, fences=fences), seen, (endpoint,))
        decision = decide(view, Request("switchover", "run-1", NOW, target_site="dc2"))
        assert [
            step.name for step in decision.steps if step.name in ("claim", "fence", "demote", "promote")
        ] == expected
        assert step_members(decision.steps, "fence") == (["db3"] if fences else [])
        assert [refusal.rule for refusal in decision.refusals] == ([] if fences else ["no_fence"])


def test_a_planned_move_without_a_claim_wants_every_member_or_a_waiver() -> None:
    here: dict[str, Any] = {"reachable": True, "running": True, "system_id": "7", "timeline": 1, "position": 1000}
    one = Observation("db1", "dc1", role="primary", address=ADDRESSES["db1"], followers={"db2": "async"}, **here)
    two = Observation("db2", "dc2", role="replica", receiving=True, address=ADDRESSES["db2"], **here)
    silent = Observation("db3", "dc3", address=ADDRESSES["db3"])
    seen = {o.member: o for o in (one, two, silent)}
    for endpoints, expected in (((), {"missing_candidate", "arbiter_unreachable"}), ((NAME,), {"missing_candidate"})):
        views = tuple(EndpointView(name, True, (ADDRESSES["db1"],)) for name in endpoints)
        decision = decide(
            View(Service("shop", 300.0, SITES, "dc1", endpoints, ("power",)), seen, views),
            Request("switchover", "run-1", NOW, target_site="dc2"),
        )
        assert {refusal.rule for refusal in decision.refusals} == expected
