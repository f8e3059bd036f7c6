# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record's time to live around a planned move: lowered ahead of it, put back behind it, told to the operator."""

from __future__ import annotations

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

NOW = 1_800_000_000.0
ADDRESS = {"db1": "198.51.100.11", "db2": "203.0.113.11"}
NORMAL = {"ttl": 300, "planned_ttl": 300, "move_ttl": 5}
PREPARED = {**NORMAL, "ttl": 5}


def member(name: str, role: str, **changes: Any) -> Observation:
    values: dict[str, Any] = {"reachable": True, "running": True, "role": role, "writable": role == "primary"}
    values |= {"position": 1000, "system_id": "7", "timeline": 1, "epoch": 0, "address": ADDRESS[name], "fenced": False}
    values |= {"followers": {"db1": "sync", "db2": "sync"}} if role == "primary" else {"receiving": True}
    return Observation(name, f"dc{name[-1]}", **(values | changes))


def decided(verb: str = "switchover", first: str = "primary", **asked: Any) -> Decision:
    """Of a service in two sites; what is not an input is the endpoint's."""
    inputs = {key: asked.pop(key) for key in ("target_site", "prepare") if key in asked}
    second = "replica" if first == "primary" else "primary"
    members = [member("db1", first), member("db2", second)]
    holds = ADDRESS["db1" if first == "primary" else "db2"]
    endpoint = EndpointView(**({"name": "shop.example.", "reachable": True, "values": (holds,)} | asked))
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1", ("shop.example.",))
    view = View(service, {each.member: each for each in members}, (endpoint,))
    return decide(view, Request(**({"verb": verb, "run_id": "run-1", "now": NOW, "target_site": "dc2"} | inputs)))


def names(decision: Decision) -> list[str]:
    assert not decision.refusals, decision.refusals
    return [step.name for step in decision.steps]


@pytest.mark.parametrize(
    ("endpoint", "lowered", "held"),
    [
        (NORMAL, True, "5m, until 2027-01-15T08:05:00Z"),
        ({**PREPARED, "cached_seconds": 119.2}, False, "2m, until 2027-01-15T08:02:00Z"),
        (PREPARED, False, ""),
        ({"ttl": 300, "planned_ttl": 300}, False, ""),
    ],
    ids=["not prepared", "prepared too late", "prepared in time", "without a move_ttl"],
)
def test_a_planned_move_lowers_it_first_and_says_what_caches_hold(
    endpoint: dict[str, Any], lowered: bool, held: str
) -> None:
    decision = decided(**endpoint)
    before = names(decision)[: names(decision).index("demote")]
    assert before == ["claim", "lease", "lease", *(["lower_ttl"] if lowered else [])]
    assert "point" in names(decision)
    assert "restore_ttl" not in names(decision), "the move itself writes the plan's"
    assert bool(decision.caches) == bool(held)
    if held:
        assert f"clients may keep the old address for {held}; to shorten that" in decision.caches[0]
        assert "-e prepare=true" in decision.caches[0]


def test_prepare_lowers_it_and_moves_nothing() -> None:
    decision = decided(prepare=True, target_site=None, **NORMAL)
    assert names(decision) == ["claim", "lease", "lease", "lower_ttl", "verify"]
    assert decision.to_member == "db1"
    assert decision.caches == (
        "shop.example.: its time to live is 5 s around the move; move it in 5m, at 2027-01-15T08:05:00Z or later",
    )


def test_prepare_again_changes_nothing_and_says_how_long_is_left() -> None:
    decision = decided(prepare=True, **PREPARED, cached_seconds=60.0)
    assert decision.goal_reached
    assert "move it in 1m, at 2027-01-15T08:01:00Z or later" in decision.caches[0]
    assert "move it now or later" in decided(prepare=True, **PREPARED).caches[0]


def test_a_prepare_that_was_cut_off_gives_back_what_it_holds() -> None:
    cut_off = {**PREPARED, "claim_run": "run-1", "claim_seconds_left": 300.0, "epoch": 1}
    assert names(decided(prepare=True, **cut_off)) == ["claim", "lease", "lease", "lower_ttl", "verify"]


def test_prepare_of_a_plan_without_a_move_ttl_says_so() -> None:
    decision = decided(prepare=True, ttl=300, planned_ttl=300)
    assert decision.goal_reached
    assert decision.caches == ("shop.example.: the plan gives it no move_ttl, so its time to live stays",)


def test_prepare_needs_the_arbiter_and_one_primary() -> None:
    silent = decided(prepare=True, reachable=False)
    assert [refusal.rule for refusal in silent.refusals] == ["arbiter_unreachable"]
    nobody = decided(prepare=True, first="replica", **NORMAL)
    assert nobody.to_member == "db2"
    held = decided(prepare=True, claim_run="run-2", claim_owner="ann", claim_seconds_left=60.0, **NORMAL)
    assert [refusal.rule for refusal in held.refusals] == ["claim_held"]


def test_nothing_is_prepared_where_nobody_serves() -> None:
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1", ("shop.example.",))
    members = {name: member(name, "replica", receiving=False) for name in ADDRESS}
    view = View(service, members, (EndpointView("shop.example.", True, ("198.51.100.11",), **NORMAL),))
    decision = decide(view, Request("switchover", "run-1", NOW, target_site="dc2", prepare=True))
    assert [refusal.rule for refusal in decision.refusals] == ["no_primary"]


def test_a_move_that_was_called_off_is_put_back_by_a_switchover_to_where_the_service_is() -> None:
    decision = decided(target_site="dc1", **PREPARED)
    assert names(decision) == ["claim", "lease", "lease", "restore_ttl", "verify"]
    assert decided(target_site="dc1", **NORMAL).goal_reached
    assert decided(target_site="dc1", ttl=5, planned_ttl=300).goal_reached, "without a move_ttl it is nobody's affair"


def test_a_move_whose_clients_have_to_follow_writes_it_with_the_record() -> None:
    decision = decided(first="replica", values=(ADDRESS["db1"],), **PREPARED)
    assert names(decision) == ["claim", "lease", "lease", "point", "verify"]


def test_an_outage_waits_for_no_time_to_live() -> None:
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1", ("shop.example.",))
    stopped = member("db1", "none", running=False, writable=False, followers={}, receiving=None)
    members = {"db1": stopped, "db2": member("db2", "replica", receiving=False, lag_seconds=1.0)}
    view = View(service, members, (EndpointView("shop.example.", True, (ADDRESS["db1"],), **NORMAL),))
    decision = decide(view, Request("failover", "run-1", NOW, target_site="dc2", prepare=True))
    assert "lower_ttl" not in [step.name for step in decision.steps]
    assert "promote" in names(decision)
    assert decision.caches == ()
