# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rejoin brings back whoever does not follow, and only to a primary that every endpoint sends clients to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    Decision,
    EndpointView,
    Observation,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

HERE: dict[str, Any] = {"reachable": True, "system_id": "7", "timeline": 2, "epoch": 4}
OLD, NEW = "198.51.100.11", "203.0.113.11"
STOPPED = Observation("db1", "dc1", running=False, role="none", address=OLD, **HERE)
SERVES = Observation("db2", "dc2", running=True, role="primary", writable=True, address=NEW, position=9, **HERE)
FOLLOWED = dataclasses.replace(SERVES, followers={"db1": "async"})
FOLLOWS = dataclasses.replace(STOPPED, running=True, role="replica", receiving=True, position=9)
SHOP = EndpointView("shop.example.", True, (NEW,), 4)
READS = dataclasses.replace(SHOP, name="reads.example.")
BACK = [("claim", None), ("lease", "db1"), ("lease", "db2"), ("rejoin", "db1"), ("verify", "db2")]


def rejoin(*endpoints: EndpointView, old: Observation = STOPPED, new: Observation = SERVES, **request: Any) -> Decision:
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1", tuple(each.name for each in endpoints))
    return decide(View(service, {"db1": old, "db2": new}, endpoints), Request("rejoin", "run-1", 1e6, **request))


def refused(decision: Decision) -> dict[str, str]:
    assert not (decision.refusals and decision.steps)
    return {refusal.rule: refusal.measured for refusal in decision.refusals}


def steps(decision: Decision) -> list[tuple[str, str | None]]:
    assert decision.refusals == ()
    return [(step.name, step.member) for step in decision.steps]


@pytest.mark.parametrize("endpoints", [(), (SHOP,), (SHOP, READS)], ids=["none", "one", "two"])
def test_where_all_of_them_send_clients_to_the_primary_the_others_come_back(
    endpoints: tuple[EndpointView, ...],
) -> None:
    assert steps(rejoin(*endpoints)) == BACK
    assert rejoin(*endpoints, old=FOLLOWS, new=FOLLOWED).goal_reached


@pytest.mark.parametrize("values", [(OLD,), (NEW, OLD), (OLD, NEW), (NEW, NEW), ()], ids=str)
@pytest.mark.parametrize("wrong", [0, 1])
def test_one_of_several_that_sends_them_elsewhere_is_enough_to_refuse(values: tuple[str, ...], wrong: int) -> None:
    """Also beside the right one: a part of the clients would reach the member that is about to come back."""
    both = [SHOP, READS]
    both[wrong] = dataclasses.replace(both[wrong], values=values)
    for old, new in ((STOPPED, SERVES), (FOLLOWS, FOLLOWED)):
        decision = rejoin(*both, old=old, new=new)
        told = ", ".join((*values, NEW) if wrong == 0 else (NEW, *values))
        assert refused(decision) == {"endpoint_elsewhere": told}
        assert decision.refusals[0].limit == NEW and "db2" in decision.refusals[0].message
        assert "finish the failover" in decision.refusals[0].hint
        alone = rejoin(both[wrong], old=old, new=new)
        assert refused(alone) == {"endpoint_elsewhere": ", ".join(values) or "nothing"}


def test_the_primary_counts_and_not_the_member_that_comes_back() -> None:
    """The old primary runs again, and the record was never moved: it may be the one that clients write to."""
    decision = rejoin(SHOP, old=dataclasses.replace(FOLLOWS, role="primary", writable=True, receiving=None))
    assert set(refused(decision)) == {"two_primaries"}
    turned = rejoin(SHOP, old=dataclasses.replace(SERVES, member="db1", site="dc1", address=OLD), new=STOPPED)
    assert set(refused(turned)) == {"endpoint_elsewhere"}


@pytest.mark.parametrize("silent", [0, 1])
def test_of_one_that_gives_no_answer_nothing_is_taken_for_granted(silent: int) -> None:
    """Its waiver says that nobody else is at work. Where it sends clients is known to nobody all the same."""
    both = [SHOP, READS]
    both[silent] = dataclasses.replace(both[silent], reachable=False, values=(), problem="timed out")
    measured = f"{both[silent].name} was not asked"
    assert refused(rejoin(*both)) == {"arbiter_unreachable": "timed out", "endpoint_elsewhere": measured}
    waived = {"waive": ("arbiter_unreachable", "endpoint_elsewhere"), "reason": "its machine burnt down"}
    decision = rejoin(*both, **waived)
    assert refused(decision) == {"endpoint_elsewhere": measured}
    assert decision.refusals[0].hint == "restore its name server, then run rejoin again"
    # Where another one says already that clients go elsewhere, that is what has to be mended
    both[1 - silent] = dataclasses.replace(both[1 - silent], values=(OLD,))
    decision = rejoin(*both, **waived)
    assert refused(decision) == {"endpoint_elsewhere": OLD} and "finish the failover" in decision.refusals[0].hint


@pytest.mark.parametrize("held", [0, 1])
def test_a_claim_at_any_of_them_keeps_others_out_and_ones_own_is_taken_up(held: int) -> None:
    both = [SHOP, READS]
    both[held] = dataclasses.replace(both[held], claim_run="run-2", claim_owner="ann@ops", claim_seconds_left=50.0)
    assert refused(rejoin(*both)) == {"claim_held": "run-2 by ann@ops"}
    both[held] = dataclasses.replace(both[held], claim_seconds_left=0.0)
    assert steps(rejoin(*both)) == BACK
    both[held] = dataclasses.replace(both[held], claim_run="run-1", claim_seconds_left=50.0)
    assert steps(rejoin(*both)) == BACK
    left = rejoin(*both, old=FOLLOWS, new=FOLLOWED)
    assert steps(left) == [step for step in BACK if step[0] != "rejoin"], "what it holds still is given back"


@pytest.mark.parametrize("broken", [0, 1])
def test_one_that_could_not_be_changed_refuses_although_nothing_is_to_be_switched(broken: int) -> None:
    """The claim stands beside the record: what cannot be written there keeps nobody out."""
    both = [SHOP, READS]
    both[broken] = dataclasses.replace(both[broken], problem="tsig_badkey")
    assert refused(rejoin(*both)) == {"endpoint_problem": "tsig_badkey"}


@pytest.mark.parametrize(("ttl", "planned_ttl"), [(60, 60), (5, 60), (600, 60)])
def test_no_record_is_touched_whatever_its_time_to_live(ttl: int, planned_ttl: int) -> None:
    aged = dataclasses.replace(SHOP, ttl=ttl, planned_ttl=planned_ttl, move_ttl=5)
    assert steps(rejoin(aged)) == BACK
    assert rejoin(aged, old=FOLLOWS, new=FOLLOWED).goal_reached


def test_the_epoch_of_the_claim_is_above_that_of_every_endpoint() -> None:
    for endpoints in ((SHOP, dataclasses.replace(READS, epoch=9)), (dataclasses.replace(SHOP, epoch=9), READS)):
        assert rejoin(*endpoints).epoch == 10


@pytest.mark.parametrize("rpo", [300.0, 0.0])
@pytest.mark.parametrize(
    ("old", "followers"),
    [
        (FOLLOWS, {}),
        (FOLLOWS, {"db3": "sync"}),
        (dataclasses.replace(FOLLOWS, receiving=False), {"db1": "sync"}),
        (dataclasses.replace(FOLLOWS, receiving=None), {"db1": "sync"}),
        (dataclasses.replace(STOPPED, receiving=True), {"db1": "sync"}),
    ],
    ids=["it follows another", "another follows", "it receives nothing", "it does not say", "it was stopped since"],
)
def test_whoever_is_not_said_to_follow_by_both_sides_is_brought_back(
    old: Observation, followers: dict[str, str], rpo: float
) -> None:
    new = dataclasses.replace(SERVES, followers=followers)
    service = Service("shop", rpo, {"db1": "dc1", "db2": "dc2"}, "dc1", ("shop.example.",))
    seen = View(service, {"db1": old, "db2": new}, (SHOP,))
    assert steps(decide(seen, Request("rejoin", "run-1", 1e6))) == BACK
    both = {"db1": FOLLOWS, "db2": dataclasses.replace(SERVES, followers={"db1": "sync"})}
    assert decide(dataclasses.replace(seen, observed=both), Request("rejoin", "run-1", 1e6)).goal_reached


def test_where_nobody_serves_there_is_nobody_to_follow() -> None:
    decision = rejoin(SHOP, new=dataclasses.replace(STOPPED, member="db2", site="dc2", address=NEW))
    assert refused(decision) == {"no_primary": "none runs"}
