# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A member that runs and would not start again: every refusal tells it, and no verb finds nothing to do beside it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    HALF_FENCED,
    TOLD,
    Decision,
    EndpointView,
    Observation,
    Problem,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

HERE: dict[str, Any] = {"reachable": True, "running": True, "position": 9, "system_id": "7", "timeline": 1, "epoch": 4}
FOLLOWS: dict[str, Any] = {"role": "replica", "receiving": True, "lag_seconds": 0.0, "upstream": "db1:5432", **HERE}
DB1 = Observation("db1", "dc1", role="primary", writable=True, followers={"db2": "async"}, address="1", **HERE)
DB2 = Observation("db2", "dc2", writable=False, address="2", **FOLLOWS)
MASKED = Problem(HALF_FENCED, "its unit is masked", "one that starts again", "it would not start", (TOLD,), "rejoin")


def masked(observed: Observation) -> Observation:
    return dataclasses.replace(observed, problems=(MASKED,))


def decided(verb: str, *members: Observation, **request: Any) -> Decision:
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1", ("shop.example.",))
    endpoint = EndpointView("shop.example.", True, ("1",), 4)
    view = View(service, {one.member: one for one in members}, (endpoint,))
    return decide(view, Request(verb, "run-1", 1e6, **request))


def told(decision: Decision) -> list[tuple[str, str]]:
    return [(refusal.rule, refusal.message) for refusal in decision.refusals if refusal.rule == HALF_FENCED]


@pytest.mark.parametrize("members", [(masked(DB1), DB2), (DB1, masked(DB2))], ids=["the primary", "a replica"])
def test_assess_and_whatever_is_refused_tell_it(members: tuple[Observation, ...]) -> None:
    for decision in (decided("assess", *members), decided("failover", *members, target_site="dc2")):
        member = next(one.member for one in members if one.half_fenced)
        assert told(decision) == [(HALF_FENCED, f"{member}: it would not start")]
        assert decision.steps == ()
    assert decided("assess", DB1, DB2).refusals == ()


def test_no_waiver_makes_it_unsaid() -> None:
    assert told(decided("assess", masked(DB1), DB2, waive=(HALF_FENCED,), reason="later"))


def test_a_move_goes_on_and_lifts_it_on_its_way() -> None:
    decision = decided("switchover", masked(DB1), DB2, target_site="dc2")
    names = [(step.name, step.member) for step in decision.steps]
    assert ("demote", "db1") in names and ("rejoin", "db1") in names
    assert decision.refusals == ()


@pytest.mark.parametrize(
    ("verb", "request_"),
    [
        ("rejoin", {}),
        ("failback", {}),
        ("switchover", {"target_site": "dc1"}),
        ("failover", {"target_site": "dc1"}),
        ("switchover", {"source_site": "dc2"}),
        ("failover", {"source_site": "dc2"}),
    ],
)
def test_where_the_goal_is_reached_already_the_primary_is_mended(verb: str, request_: dict[str, str]) -> None:
    assert decided(verb, DB1, DB2, **request_).goal_reached, "without it there is nothing to do"
    steps = [(step.name, step.member) for step in decided(verb, masked(DB1), DB2, **request_).steps]
    assert steps == [("claim", None), ("lease", "db1"), ("lease", "db2"), ("verify", "db1")]


@pytest.mark.parametrize("verb", ["rejoin", "failback"])
def test_a_replica_that_follows_is_mended_as_well(verb: str) -> None:
    steps = [(step.name, step.member) for step in decided(verb, DB1, masked(DB2)).steps]
    assert steps[-2:] == [("rejoin", "db2"), ("verify", "db1")]
    assert decided(verb, DB1, masked(DB2)).redundancy == "", "it follows all the while"
