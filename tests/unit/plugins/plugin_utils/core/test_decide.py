# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The decision: each rule refuses by name with both values, and three promises hold for every input."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core import fencing
from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide, exercise
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EVERY_VERB,
    FIXED_RULES,
    HALF_FENCED,
    WAIVABLE_RULES,
    Decision,
    EndpointView,
    LastSeen,
    Observation,
    Problem,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.steps import step_members
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

NOW = 1_000_000.0
CONFIRMED = {"confirm": "run-0", "confirm_refused_at": NOW - 60}
ADDRESS = {"db1": "198.51.100.11", "db2": "203.0.113.11", "db3": "203.0.113.12"}


def primary(member: str = "db1", site: str = "dc1", **changes: Any) -> Observation:
    values: dict[str, Any] = {
        "reachable": True,
        "running": True,
        "role": "primary",
        "writable": True,
        "position": 1000,
        "system_id": "7",
        "timeline": 1,
        "epoch": 0,
        "address": ADDRESS[member],
        "fenced": False,
        "followers": {"db2": "sync"},
    }
    return Observation(member, site, **(values | changes))


def replica(member: str = "db2", site: str = "dc2", **changes: Any) -> Observation:
    values: dict[str, Any] = {
        "reachable": True,
        "running": True,
        "role": "replica",
        "writable": False,
        "position": 1000,
        "lag_bytes": 0,
        "lag_seconds": 0.0,
        "upstream": "db1:5432",
        "system_id": "7",
        "timeline": 1,
        "epoch": 0,
        "receiving": True,
        "address": ADDRESS[member],
        "fenced": False,
    }
    return Observation(member, site, **(values | changes))


def crashed(member: str = "db1", site: str = "dc1", **changes: Any) -> Observation:
    values: dict[str, Any] = {
        "reachable": True,
        "running": False,
        "role": "none",
        "writable": False,
        "system_id": "7",
        "timeline": 1,
        "epoch": 0,
        "address": ADDRESS[member],
        "fenced": False,
        "engine": {"control_state": "in production"},
    }
    return Observation(member, site, **(values | changes))


def gone(member: str = "db1", site: str = "dc1") -> Observation:
    return Observation(member, site, address=ADDRESS[member])


def alone(**changes: Any) -> Observation:
    """The standby of a dead primary."""
    return replica(**({"receiving": False, "lag_bytes": None, "lag_seconds": 1.0} | changes))


def view(*observed: Observation, rpo: float = 300.0, seen: LastSeen | None = None, **endpoint: Any) -> View:
    service = Service("shop", rpo, {o.member: o.site for o in observed}, "dc1", ("shop.example.",))
    values = {"name": "shop.example.", "reachable": True, "values": (ADDRESS["db1"],)} | endpoint
    return View(service, {o.member: o for o in observed}, (EndpointView(**values),), seen)


def ask(verb: str, **changes: Any) -> Request:
    return Request(verb=verb, run_id="run-1", now=NOW, **changes)


def rules(decision: Decision) -> list[str]:
    return [refusal.rule for refusal in decision.refusals]


def steps(decision: Decision) -> list[tuple[str, str | None]]:
    return [(step.name, step.member) for step in decision.steps]


def test_switchover_freezes_the_primary_before_it_promotes() -> None:
    decision = decide(view(primary(), replica(), rpo=0.0), ask("switchover", target_site="dc2"))
    assert steps(decision) == [
        ("claim", None),
        ("lease", "db1"),
        ("lease", "db2"),
        ("demote", "db1"),
        ("promote", "db2"),
        ("point", None),
        ("rejoin", "db1"),
        ("verify", "db2"),
    ]


def test_a_target_is_named_never_guessed() -> None:
    assert rules(decide(view(primary(), replica()), ask("switchover"))) == ["no_target"]
    assert decide(view(primary(), replica()), ask("switchover", source_site="dc1")).to_member == "db2"
    assert decide(view(primary(), replica()), ask("assess")).to_member == "db2"


def test_failover_fences_the_dead_primary_first() -> None:
    decision = decide(view(crashed(), alone()), ask("failover", target_site="dc2"))
    assert steps(decision)[-4:] == [("fence", "db1"), ("promote", "db2"), ("point", None), ("verify", "db2")]


def test_target_already_primary_is_nothing_to_do() -> None:
    there = view(
        replica("db1", "dc1", upstream="db2:5432"),
        primary("db2", "dc2", followers={"db1": "sync"}),
        values=(ADDRESS["db2"],),
    )
    for verb in ("switchover", "failover"):
        decision = decide(there, ask(verb, target_site="dc2"))
        assert decision.goal_reached, decision


@pytest.mark.parametrize(
    ("comes_back_as", "fenced", "left"),
    [("primary", False, ["db1"]), ("primary", True, []), ("primary", None, []), ("replica", False, [])],
)
def test_a_fence_lifted_by_hand_is_put_back(comes_back_as: str, fenced: bool | None, left: list[str]) -> None:
    there = view(
        crashed(fenced=fenced, comes_back_as=comes_back_as),
        primary("db2", "dc2", followers={}),
        values=(ADDRESS["db2"],),
    )
    decision = decide(there, ask("failover", target_site="dc2"))
    assert step_members(decision.steps, "fence") == left
    assert decision.goal_reached == (not left)
    assert not step_members(decision.steps, "promote")
    assert "second primary" not in decision.redundancy, "it is fenced now"
    told = decide(there, ask("assess")).redundancy
    assert ("not fenced: db1, whose next start would be a second primary" in told) == bool(left), told


def test_a_run_cut_off_before_dns_is_finished_by_the_next() -> None:
    half = view(crashed(fenced=True), primary("db2", "dc2", followers={}), values=(ADDRESS["db1"],))
    decision = decide(half, ask("failover", source_site="dc1"))
    assert ("point", None) in steps(decision)
    assert not step_members(decision.steps, "promote")


def test_a_switchover_cut_off_after_the_freeze_is_continued() -> None:
    frozen = crashed(position=900, engine={"control_state": "shut down", "stopped_cleanly": True}, fenced=True)
    decision = decide(view(frozen, alone(position=1000)), ask("switchover", target_site="dc2"))
    assert step_members(decision.steps, "demote") == ["db1"]
    assert step_members(decision.steps, "promote") == ["db2"]


def test_rejoin_brings_back_who_does_not_follow() -> None:
    decision = decide(
        view(crashed(fenced=True), primary("db2", "dc2", followers={}), values=(ADDRESS["db2"],)), ask("rejoin")
    )
    assert step_members(decision.steps, "rejoin") == ["db1"]


def test_the_next_in_line_follows_and_proves_nothing() -> None:
    """Of several named standbys one is synchronous: bringing the other back again and again would never end."""
    follows = {"db1": "sync", "db3": "potential"}
    three = (replica("db1", "dc1"), primary("db2", "dc2", followers=follows), replica("db3", "dc2"))
    moved = view(*three, rpo=0.0, values=(ADDRESS["db2"],))
    decision = decide(moved, ask("rejoin"))
    assert decision.goal_reached and not decision.redundancy
    lost = (alone(member="db1", site="dc1"), crashed("db2", "dc2"), alone(member="db3", site="dc3"))
    seen = LastSeen(NOW - 9, "db2", 1000, follows, 1)
    dead = view(*lost, rpo=0.0, values=(ADDRESS["db2"],), seen=seen)
    assert not decide(dead, ask("failover", target_site="dc1")).refused
    assert rules(decide(dead, ask("failover", target_site="dc3"))) == ["synchronous_unproven"]


def test_one_that_is_only_called_synchronous_is_refused_with_the_reason_and_no_rejoin_is_sent_after_it() -> None:
    """No rejoin changes synchronous_commit: it would come back again and again."""
    mode = "sync, commits do not wait (synchronous_commit = local)"
    members = (primary(followers={"db2": mode}), replica())
    for verb in ("assess", "switchover"):
        (refusal,) = decide(view(*members, rpo=0.0), ask(verb, target_site="dc2")).refusals
        assert (refusal.rule, refusal.measured) == ("synchronous_unproven", mode)
        assert "rejoin, which restores" not in refusal.hint
    rejoin = decide(view(*members, rpo=0.0), ask("rejoin"))
    assert rejoin.goal_reached and rejoin.redundancy == f"not proven to lose nothing: db2 is {mode}"
    assert not decide(view(*members), ask("switchover", target_site="dc2")).refused, "a plan that asks for no proof"
    assert not decide(view(*members), ask("rejoin")).redundancy
    sight = LastSeen(NOW - 9, "db1", 1000, {"db2": mode}, 1, "7")
    (refusal,) = decide(view(crashed(), alone(), rpo=0.0, seen=sight), ask("failover", target_site="dc2")).refusals
    assert (refusal.rule, refusal.measured) == ("synchronous_unproven", f"{mode}, 9 s ago")


def test_rejoin_restores_the_synchronous_promise() -> None:
    async_only = view(
        replica("db1", "dc1"), primary("db2", "dc2", followers={"db1": "async"}), rpo=0.0, values=(ADDRESS["db2"],)
    )
    assert step_members(decide(async_only, ask("rejoin")).steps, "rejoin") == ["db1"]


FAILOVER = ask("failover", target_site="dc2")
SWITCHOVER = ask("switchover", target_site="dc2")
BACKLOG = Problem("archiver_backlog", "40 segments wait", "16", "it would not stop", hint="mend it")

REFUSED: list[tuple[str, View, Request, str, str, str]] = [
    (
        "unreachable old primary",
        view(gone(), alone()),
        FAILOVER,
        "old_primary_unfenced",
        "db1 cannot be reached",
        "proof",
    ),
    ("lag over rpo", view(crashed(), alone(lag_seconds=301.0)), FAILOVER, "lag_over_rpo", "301.0 s", "300 s"),
    ("lag unknown", view(crashed(), alone(lag_seconds=None)), FAILOVER, "lag_unknown", "unknown", "known lag"),
    (
        "rpo 0 never seen synchronous",
        view(crashed(), alone(), rpo=0.0),
        FAILOVER,
        "synchronous_unproven",
        "never seen",
        "sync",
    ),
    (
        "rpo 0 seen asynchronous",
        view(crashed(), alone(), rpo=0.0, seen=LastSeen(NOW - 9, "db1", 1000, {"db2": "async"})),
        FAILOVER,
        "synchronous_unproven",
        "async, 9 s ago",
        "sync",
    ),
    (
        "rpo 0 asynchronous switchover",
        view(primary(followers={"db2": "async"}), replica(), rpo=0.0),
        SWITCHOVER,
        "synchronous_unproven",
        "async",
        "sync",
    ),
    (
        "rpo 0 asynchronous assess",
        view(primary(followers={"db2": "async"}), replica(), rpo=0.0),
        ask("assess"),
        "synchronous_unproven",
        "async",
        "sync",
    ),
    ("no replica", view(crashed(), crashed("db2", "dc2")), FAILOVER, "no_replica", "stopped", "replica"),
    ("target unreachable", view(crashed(), gone("db2", "dc2")), FAILOVER, "target_unreachable", "no answer", "answer"),
    ("other cluster", view(primary(), replica(system_id="8")), SWITCHOVER, "other_cluster", "db2=8", "one"),
    ("other cluster, dead primary", view(crashed(), alone(system_id="8")), FAILOVER, "other_cluster", "db1=7", "one"),
    ("two primaries", view(primary(), primary("db2", "dc2")), FAILOVER, "two_primaries", "db1, db2", "one"),
    ("primary alive", view(primary(), replica()), FAILOVER, "primary_alive", "db1", "no running primary"),
    ("primary seen by the replica", view(gone(), replica()), FAILOVER, "primary_seen", "db2", "no live"),
    (
        "not streaming",
        view(primary(followers={}), replica(receiving=False)),
        SWITCHOVER,
        "not_streaming",
        "not attached",
        "db1",
    ),
    ("another timeline", view(primary(timeline=2), replica()), SWITCHOVER, "timeline_differs", "1", "2"),
    (
        "far behind",
        view(primary(position=50_000_000), replica()),
        SWITCHOVER,
        "lag_too_large",
        "49999000 bytes",
        "16777216 bytes",
    ),
    (
        "lag over rpo, planned",
        view(primary(position=2000), replica(lag_seconds=400.0)),
        SWITCHOVER,
        "lag_over_rpo",
        "400.0 s",
        "300 s",
    ),
    ("no primary", view(crashed(), replica()), SWITCHOVER, "no_primary", "none", "one"),
    (
        "arbiter unreachable",
        view(crashed(), alone(), reachable=False, values=()),
        FAILOVER,
        "arbiter_unreachable",
        "no answer",
        "answer",
    ),
    (
        "claim held",
        view(primary(), replica(), claim_run="run-2", claim_owner="ann@desk", claim_seconds_left=50.0),
        SWITCHOVER,
        "claim_held",
        "run-2 by ann@desk",
        "another run",
    ),
    (
        "endpoint not pointed",
        view(crashed(), primary("db2", "dc2"), values=(ADDRESS["db1"],)),
        ask("rejoin"),
        "endpoint_elsewhere",
        ADDRESS["db1"],
        ADDRESS["db2"],
    ),
    (
        "rejoin of the unreachable",
        view(gone(), primary("db2", "dc2", followers={}), values=(ADDRESS["db2"],)),
        ask("rejoin"),
        "member_unreachable",
        "no answer",
        "answer",
    ),
    (
        "an older timeline",
        view(crashed(promotion={"member": "db1", "epoch": 3, "timeline": 5}), alone()),
        FAILOVER,
        "timeline_behind",
        "1",
        "5",
    ),
    (
        "newer data elsewhere",
        view(crashed(), alone(), alone(member="db3", site="dc3", position=2000)),
        FAILOVER,
        "newer_replica",
        "1000",
        "2000",
    ),
    (
        "a smaller setting",
        view(primary(capacities={"max_connections": 100}), replica(capacities={"max_connections": 50})),
        SWITCHOVER,
        "setting_too_small",
        "max_connections = 50",
        "at least 100",
    ),
    (
        "a member nobody can see, planned",
        view(primary(), replica(), gone("db3", "dc2")),
        ask("switchover", target_site="dc2"),
        "missing_candidate",
        "db3 cannot be reached",
        "every member",
    ),
    (
        "a problem of the primary itself",
        view(primary(problems=(BACKLOG,)), replica()),
        ask("switchover", target_site="dc2"),
        "archiver_backlog",
        "40 segments",
        "16",
    ),
    (
        "rpo 0, seen on another timeline",
        view(crashed(), alone(timeline=2), rpo=0.0, seen=LastSeen(NOW - 9, "db1", 1000, {"db2": "sync"}, 1)),
        FAILOVER,
        "synchronous_unproven",
        "does not count: it is of timeline 1, and db2 is on 2",
        "sync",
    ),
    (
        "rpo 0, seen another primary",
        view(crashed(), alone(), rpo=0.0, seen=LastSeen(NOW - 9, "db3", 1000, {"db2": "sync"}, 1)),
        FAILOVER,
        "synchronous_unproven",
        "does not count: it is of db3, and the primary that is gone was db1",
        "sync",
    ),
    (
        "the primary's position unknown, planned",
        view(primary(position=None), replica()),
        SWITCHOVER,
        "lag_unknown",
        "unknown",
        "known lag",
    ),
    (
        "the target's position unknown, planned",
        view(primary(), replica(position=None)),
        SWITCHOVER,
        "lag_unknown",
        "unknown",
        "known lag",
    ),
    (
        "an endpoint that cannot be changed",
        view(crashed(), alone(), problem="tsig_badkey"),
        FAILOVER,
        "endpoint_problem",
        "tsig_badkey",
        "can be changed",
    ),
    ("no such site", view(primary(), replica()), ask("switchover", target_site="dc9"), "no_target", "dc9", "dc1, dc2"),
]


@pytest.mark.parametrize(
    ("seen", "request_", "rule", "measured", "limit"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_refuses_with_measured_value_and_limit(
    seen: View, request_: Request, rule: str, measured: str, limit: str
) -> None:
    decision = decide(seen, request_)
    found = {refusal.rule: refusal for refusal in decision.refusals}
    assert rule in found, rules(decision)
    assert measured in found[rule].measured
    assert limit in found[rule].limit + found[rule].message
    assert found[rule].hint
    assert decision.steps == ()


@pytest.mark.parametrize("verb", ["switchover", "failover"])
def test_a_problem_of_the_engine_refuses(verb: str) -> None:
    problem = Problem("replay_paused", "paused", "running", "it does not replay")
    seen = view(
        primary() if verb == "switchover" else crashed(),
        dataclasses.replace(replica() if verb == "switchover" else alone(), problems=(problem,)),
    )
    assert rules(decide(seen, ask(verb, target_site="dc2"))) == ["replay_paused"]


def test_every_unmet_rule_is_listed_at_once() -> None:
    seen = view(gone(), alone(lag_seconds=999.0), claim_run="run-2", claim_owner="x", claim_seconds_left=9.0)
    assert set(rules(decide(seen, ask("failover", target_site="dc2")))) == {
        "claim_held",
        "old_primary_unfenced",
        "lag_over_rpo",
    }


def test_a_waiver_is_named_one_by_one_and_needs_a_reason() -> None:
    seen = view(gone(), alone())
    named = ask("failover", target_site="dc2", waive=("old_primary_unfenced",), **CONFIRMED)
    assert rules(decide(seen, named)) == ["reason_missing"]
    spoken = decide(seen, dataclasses.replace(named, reason="powered off by hand"))
    assert step_members(spoken.steps, "promote") == ["db2"]
    assert [waiver.rule for waiver in spoken.waivers] == ["old_primary_unfenced"]
    other = decide(seen, ask("failover", target_site="dc2", waive=("lag_unknown",), reason="wrong one"))
    assert rules(other) == ["old_primary_unfenced"]


@pytest.mark.parametrize(
    ("seen", "given"),
    [
        (view(crashed(), alone(lag_seconds=None)), {"waive": ("lag_unknown",)}),
        (view(crashed(), alone(lag_seconds=400.0)), {"accept_data_loss_seconds": 500.0}),
        (view(crashed(), alone(lag_seconds=400.0)), {"accept_data_loss_seconds": 500.0, "reason": " "}),
    ],
)
def test_whatever_is_given_away_needs_a_reason(seen: View, given: dict[str, Any]) -> None:
    request = ask("failover", target_site="dc2", **given)
    assert rules(decide(seen, request)) == ["reason_missing"]
    assert not decide(seen, dataclasses.replace(request, reason="agreed")).refused


def test_a_live_primary_cannot_be_waived() -> None:
    decision = decide(
        view(gone(), replica()), ask("failover", target_site="dc2", waive=tuple(WAIVABLE_RULES), reason="hurry")
    )
    assert "primary_seen" in rules(decision)


def test_what_is_not_waivable_stays_refused_also_when_it_is_named() -> None:
    named = ("primary_seen", "primary_alive", "two_primaries", "no_replica")
    decision = decide(view(gone(), replica()), ask("failover", target_site="dc2", waive=named, reason="hurry"))
    assert "primary_seen" in rules(decision)
    assert not decision.waivers


def test_a_member_that_is_no_replica_needs_a_fence_in_the_plan() -> None:
    for verb, first in (("switchover", primary()), ("failover", crashed())):
        second = replica() if verb == "switchover" else alone()
        seen = view(first, second, crashed("db3", "dc2"))
        unfenced = dataclasses.replace(seen, service=dataclasses.replace(seen.service, fences=()))
        assert "no_fence" in rules(decide(unfenced, ask(verb, target_site="dc2")))
        assert "no_fence" not in rules(decide(seen, ask(verb, target_site="dc2")))


def test_idle_members_are_fenced_before_the_outage_begins() -> None:
    decision = decide(view(primary(), replica(), crashed("db3", "dc2")), ask("switchover", target_site="dc2"))
    names = [step.name for step in decision.steps]
    assert names.index("fence") < names.index("demote") < names.index("promote")


def test_an_accepted_loss_is_a_bound() -> None:
    seen = view(crashed(), alone(lag_seconds=400.0))
    enough = decide(seen, ask("failover", target_site="dc2", accept_data_loss_seconds=500.0, reason="agreed"))
    assert step_members(enough.steps, "promote") == ["db2"]
    too_little = decide(seen, ask("failover", target_site="dc2", accept_data_loss_seconds=350.0, reason="agreed"))
    assert rules(too_little) == ["lag_over_rpo"]


def test_an_unknown_loss_is_within_no_bound() -> None:
    """However large a bound was accepted: it is no permission to lose anything."""
    seen = view(crashed(), alone(lag_seconds=None))
    accepted = ask("failover", target_site="dc2", accept_data_loss_seconds=86400.0, reason="agreed")
    assert rules(decide(seen, accepted)) == ["lag_unknown"]


def test_rpo_zero_is_proven_by_the_last_sight_named_with_its_age() -> None:
    seen = LastSeen(NOW - 42, "db1", 1000, {"db2": "sync"})
    decision = decide(view(crashed(), alone(), rpo=0.0, seen=seen), ask("failover", target_site="dc2"))
    assert step_members(decision.steps, "promote") == ["db2"]
    assert any("42 s ago" in line and "synchronous" in line for line in decision.evidence)


@pytest.mark.parametrize(
    "seen",
    [
        LastSeen(NOW - 9, "db3", 1000, {"db2": "sync"}, 1),  # another primary, long ago
        LastSeen(NOW - 9, "db1", 1000, {"db2": "sync"}, 0),  # this one, before it was promoted the last time
    ],
)
def test_a_sight_of_an_earlier_primary_proves_nothing(seen: LastSeen) -> None:
    decision = decide(view(crashed(), alone(), rpo=0.0, seen=seen), ask("failover", target_site="dc2"))
    assert rules(decision) == ["synchronous_unproven"]


def test_the_endpoint_names_the_old_primary_before_any_record() -> None:
    """Clients were sent to db3: it is the one that may still serve, whoever was seen or promoted before."""
    seen = view(
        crashed(),
        alone(),
        gone("db3", "dc2"),
        values=(ADDRESS["db3"],),
        seen=LastSeen(NOW - 9, "db1", 1000, {"db2": "async"}),
    )
    assert view_old(seen) == "db3"
    assert rules(decide(seen, FAILOVER)) == ["old_primary_unfenced"]
    strange = dataclasses.replace(seen.endpoints[0], values=("198.51.100.99",))
    elsewhere = dataclasses.replace(seen, endpoints=(strange,))
    assert view_old(elsewhere) == "db1"
    assert rules(decide(elsewhere, FAILOVER)) == ["missing_candidate"]


def view_old(seen: View) -> str | None:
    """The member that the view takes for the old primary of db2."""
    old = seen.old_primary(seen.observed["db2"])
    return old.member if old else None


def test_the_member_of_the_newest_promotion_needs_proof_although_the_endpoint_names_another() -> None:
    """A run that was cut off before the endpoint moved: db3 was promoted, cannot be reached, and may take writes."""
    record = {"member": "db3", "epoch": 3}
    seen = view(crashed(), alone(promotion=record), gone("db3", "dc2"))
    assert view_old(seen) == "db1"
    assert rules(decide(seen, FAILOVER)) == ["old_primary_unfenced"]
    known = view(crashed(), alone(promotion={"member": "db1", "epoch": 3}), gone("db3", "dc2"))
    assert rules(decide(known, FAILOVER)) == ["missing_candidate"]


@pytest.mark.parametrize("verb", ["failover", "switchover"])
def test_no_waiver_of_a_missing_candidate_passes_by_whoever_was_last_seen_as_primary(verb: str) -> None:
    """The run that promoted db3 was cut off before the endpoint moved, and this controller saw db3 serve."""
    frozen = crashed(fenced=True, engine={"stopped_cleanly": True})
    seen = LastSeen(NOW - 20, "db3", 1000, {"db2": "async"}, 1)
    request = ask(verb, target_site="dc2", waive=("missing_candidate",), reason="x")
    decision = decide(view(frozen, alone(), gone("db3", "dc3"), seen=seen), request)
    assert rules(decision) == [{"failover": "old_primary_unfenced", "switchover": "no_primary"}[verb]]
    known = view(frozen, alone(), gone("db3", "dc3"), seen=dataclasses.replace(seen, member="db1"))
    assert step_members(decide(known, request).steps, "promote") == ["db2"]


def test_where_nothing_names_a_primary_every_silent_member_may_be_it() -> None:
    strange = view(crashed(), alone(), gone("db3", "dc3"), values=("198.51.100.99",))
    decision = decide(strange, ask("failover", target_site="dc2", waive=("missing_candidate",), reason="x"))
    assert rules(decision) == ["old_primary_unfenced"]


STALE = {"member": "db2", "epoch": 3, "timeline": 2}
SEEN = LastSeen(NOW - 20, "db1", 1000, {"db2": "sync"}, 3)
LEAVING = ask("failover", source_site="dc1")


def test_one_that_is_named_and_follows_is_no_sign_that_the_silent_one_is_no_primary() -> None:
    """db3 was promoted once and holds the record still; since then somebody promoted db1 by hand."""
    record = {"member": "db3", "epoch": 1, "timeline": 2, "time": NOW - 90_000, "run_id": "old"}
    here = {"timeline": 3, "promotion": record, "epoch": 1}
    follows = replica("db3", "dc3", receiving=False, **here)
    for third, rule in ((follows, "old_primary_unfenced"), (crashed("db3", "dc3", **here), "missing_candidate")):
        seen = view(gone(), alone(**here), third, values=(ADDRESS["db3"],), epoch=1)
        waived = ask("failover", target_site="dc2", waive=("missing_candidate", "lag_unknown"), reason="r")
        assert rules(decide(seen, ask("failover", target_site="dc2"))) == [rule]
        assert rules(decide(seen, waived)) == (["old_primary_unfenced"] if third is follows else [])


def test_a_site_is_not_empty_while_its_primary_was_seen_there_or_nobody_can_say() -> None:
    """A record of an earlier move names db2; the name server that knew better is silent, or there is none."""
    silent = view(gone(), alone(promotion=STALE, timeline=3), seen=SEEN, reachable=False, values=())
    none = dataclasses.replace(silent, endpoints=())
    for known in (silent, none):
        for each in (known, dataclasses.replace(known, last_seen=None)):
            assert "old_primary_unfenced" in rules(decide(each, LEAVING)), each
    answering = view(gone(), alone(promotion=STALE, timeline=3), seen=SEEN, values=("198.51.100.99",))
    assert "old_primary_unfenced" in rules(decide(answering, LEAVING)), "the last sight alone is enough"
    moved = view(gone(), primary("db2", "dc2"), seen=SEEN, values=(ADDRESS["db2"],))
    assert decide(moved, LEAVING).goal_reached, "db2 is seen as primary: the last sight is of an earlier one"
    assert decide(silent, ask("failover", source_site="dc9")).goal_reached, "it has no member there"


def test_a_failover_brings_the_other_replicas_along() -> None:
    decision = decide(view(crashed(), alone(), alone(member="db3", site="dc2", position=900)), FAILOVER)
    assert step_members(decision.steps, "rejoin") == ["db3"]
    names = [step.name for step in decision.steps]
    assert names.index("promote") < names.index("rejoin")
    assert decision.redundancy == "not following: db1; next: run rejoin", "the fenced one is left for the rejoin verb"


OTHER = EndpointView("other.example.", reachable=False, problem="no answer")
WAIVED = ask("failover", target_site="dc2", waive=("arbiter_unreachable",), reason="its name server is down")


def test_of_two_endpoints_the_silent_one_is_waived_and_found_by_the_next_run() -> None:
    both = view(crashed(), alone())
    both = dataclasses.replace(both, endpoints=(*both.endpoints, OTHER))
    assert rules(decide(both, FAILOVER)) == ["arbiter_unreachable"]
    decision = decide(both, WAIVED)
    assert ("point", None) in steps(decision)
    after = reached(both, decision)
    again = decide(after, WAIVED)
    assert again.goal_reached and "not switched: other.example.; next: run failover again" in again.redundancy
    message = "other.example. could not be asked and was not switched; run the verb again when it answers"
    left = [{"name": "endpoint_not_switched", "message": message}]
    assert again.to_dict()["degraded"] == left, "or the second run would pass where the first was degraded"
    assert decide(after, LEAVING).to_dict()["degraded"] == left
    assert not decision.degraded and not decide(both, FAILOVER).degraded, "the walk says it, or a refusal does"
    assert not decide(after, ask("rejoin")).degraded
    back = dataclasses.replace(OTHER, reachable=True, problem="", values=(ADDRESS["db1"],))
    found = decide(dataclasses.replace(after, endpoints=(after.endpoints[0], back)), FAILOVER)
    assert steps(found) == [("claim", None), ("lease", "db1"), ("lease", "db2"), ("point", None), ("verify", "db2")]


def test_every_rule_of_a_decision_is_known_as_waivable_or_not() -> None:
    """Or who waives one that cannot be waived is told that there is none, and to waive another."""
    sources = [path.read_text(encoding="utf-8") for path in Path(fencing.__file__).parent.glob("*.py")]
    refused = {name for text in sources for name in re.findall(r'Refusal\(\s*"(\w+)"', text)}
    refused |= {fencing.UNFENCED, HALF_FENCED}
    assert refused - WAIVABLE_RULES == FIXED_RULES
    assert len(refused) > 30


def test_a_drill_exercises_a_service_that_moves() -> None:
    healthy = view(primary(), replica())
    assert not exercise(decide(healthy, ask("assess"))).refused
    for there in (ask("assess", target_site="dc1"), ask("assess", source_site="dc2")):
        assert rules(exercise(decide(healthy, there))) == ["nothing_to_exercise"]
    assert rules(exercise(Decision("shop", "assess", to_member="db2"))) == ["nothing_to_exercise"]
    refused = decide(view(primary(), gone("db2", "dc2")), ask("assess"))
    assert refused.refused and exercise(refused) == refused


def test_a_rejoin_is_refused_only_where_no_other_member_can_be_reached() -> None:
    """With one that follows there is redundancy: the lost one stands beside "nothing to do"."""
    three = (gone(), primary("db2", "dc2", followers={"db3": "async"}), replica("db3", "dc2"))
    decision = decide(view(*three, values=(ADDRESS["db2"],)), ask("rejoin"))
    assert decision.goal_reached and "not following: db1 (cannot be reached); next: run rejoin" in decision.redundancy
    none = (gone(), primary("db2", "dc2", followers={}), gone("db3", "dc2"))
    assert rules(decide(view(*none, values=(ADDRESS["db2"],)), ask("rejoin"))) == ["member_unreachable"] * 2
    alone_there = view(primary("db2", "dc2", followers={}), values=(ADDRESS["db2"],))
    assert decide(alone_there, ask("rejoin")).goal_reached, "a service of one member misses nobody"


def test_a_member_stopped_long_ago_is_not_the_frozen_primary() -> None:
    long_ago = crashed(position=100, timeline=1, fenced=True, engine={"stopped_cleanly": True})
    lost = crashed("db2", "dc2", timeline=2)
    seen = view(long_ago, lost, alone(member="db3", site="dc3", timeline=2), values=(ADDRESS["db2"],))
    decision = decide(seen, ask("switchover", target_site="dc3"))
    assert "no_primary" in rules(decision), decision
    assert not decision.steps


def test_leaving_a_site_that_holds_nothing_is_nothing_to_do() -> None:
    moved = view(replica("db1", "dc1"), primary("db2", "dc2", followers={"db1": "async"}), values=(ADDRESS["db2"],))
    assert decide(moved, ask("failover", source_site="dc1")).goal_reached


# Random states. Most begin as a service that some verb would move, with up to two things wrong: a state made of dice
# alone is nearly always refused, and a promise about promotions would never meet one. A test below counts that it does.
ROLES = st.sampled_from(["primary", "replica", "none", "unknown"])
VERBS = ("switchover", "failover", "rejoin", "failback", "assess")
FENCES = ("fence_systemd", "fence_network", "fence_agent")
SAID: dict[str, list[tuple[Any, ...]]] = {
    "fence_agent": [("off", 3, True, 3), ("on", None, True, 3), ("unknown", None, False, None)],
    "fence_network": [("isolated", 2, True, 2), ("open", None, True, 2), ("unknown", None, False, None)],
}


@st.composite
def any_member(draw: Any, member: str, site: str) -> Observation:
    """One member in any condition."""
    if not draw(st.booleans()):
        return gone(member, site)
    role = draw(ROLES)
    running = {"primary": True, "replica": True, "none": False, "unknown": None}[role]
    followers = {name: draw(st.sampled_from(["sync", "potential", "async"])) for name in ADDRESS if draw(st.booleans())}
    return Observation(
        member,
        site,
        reachable=True,
        running=running,
        role=role,
        writable=role == "primary",
        address=ADDRESS[member],
        position=draw(st.none() | st.integers(0, 5000)),
        lag_seconds=draw(st.none() | st.floats(0, 1000)),
        system_id=draw(st.sampled_from(["7", "7", "7", "8"])),
        timeline=draw(st.integers(1, 3)),
        epoch=draw(st.integers(0, 9)),
        fenced=role == "none" and draw(st.booleans()),
        receiving=draw(st.booleans()) if role == "replica" else None,
        followers=followers if role == "primary" else {},
        engine={"stopped_cleanly": role == "none" and draw(st.booleans())},
    )


def beginnings() -> dict[str, list[Observation]]:
    """Services that a verb would act on, by what is the matter with them."""
    frozen = crashed(position=900, engine={"stopped_cleanly": True}, fenced=True)
    third = replica("db3", "dc2", position=900)
    return {
        "healthy": [primary(followers={"db2": "sync", "db3": "async"}), replica()],
        "three members": [primary(followers={"db2": "sync", "db3": "async"}), replica(), third],
        "one is down for repair": [primary(followers={"db2": "sync"}), replica(), crashed("db3", "dc2")],
        "crashed": [crashed(), alone()],
        "crashed, three members": [crashed(), alone(), alone(member="db3", site="dc2", position=900)],
        "lost with its machine": [gone(), alone()],
        "lost with its machine, three members": [gone(), alone(), alone(member="db3", site="dc2", position=900)],
        "lost, a third is silent": [crashed(), alone(), gone("db3", "dc3")],
        "moved, its machine is off": [gone(), primary("db2", "dc2", followers={}, timeline=2)],
        "frozen by a run that ended": [frozen, alone()],
        "moved": [crashed(fenced=True), primary("db2", "dc2", followers={}, timeline=2)],
        "moved, siblings": [
            replica("db1", "dc1", timeline=2),
            primary("db2", "dc2", followers={"db1": "sync"}, timeline=2),
        ],
    }


@st.composite
def fenced_by(draw: Any, state: View) -> View:
    """The same with fences in the plan, and what each of them said of those that give no answer."""
    service = dataclasses.replace(
        state.service,
        fences=draw(st.sampled_from([FENCES, FENCES[::-1], FENCES[1:], FENCES[:1], FENCES[2:]])),
        min_level=draw(st.integers(0, 3)),
    )
    said = {
        member: tuple(
            Evidence(member, name, *draw(st.sampled_from(SAID[name])), "said", NOW)
            for name in service.fences
            if name in SAID
        )
        for member, observed in state.observed.items()
        if not observed.reachable or draw(st.booleans())
    }
    return dataclasses.replace(state, service=service, evidence=said)


@st.composite
def cases(draw: Any) -> tuple[View, Request]:
    known = beginnings()
    # Of those whose machine is off only the few with a device that says so have anything to do
    name = draw(st.sampled_from([*sorted(known), *["moved, its machine is off"] * 4]))
    usual = {"moved": "rejoin", "lost": "failover", "crashed": "failover"}.get(name.partition(",")[0].split()[0])
    moved = name.startswith("moved")
    members = {o.member: o for o in known[name]}
    for name in draw(st.sets(st.sampled_from(sorted(members)), max_size=draw(st.sampled_from([0, 0, 0, 1, 2])))):
        members[name] = draw(any_member(name, members[name].site))
    named = draw(st.sampled_from(["db1"] * 4 + ["db3"] + [None] * 5))
    seen = LastSeen(NOW - 5, named, 100, {"db2": "sync"}) if named else None
    if draw(st.sampled_from([False] * 5 + [True])):
        record = {"member": draw(st.sampled_from(sorted(ADDRESS))), "epoch": draw(st.integers(0, 9))}
        members = {m: dataclasses.replace(o, promotion=record) if o.reachable else o for m, o in members.items()}
    state = view(
        *members.values(),
        rpo=draw(st.sampled_from([300.0, 0.0])),
        seen=seen,
        values=draw(st.sampled_from([(ADDRESS["db1"],), (ADDRESS["db2"],), ()] + [(ADDRESS["db2"],)] * 3 * moved)),
        epoch=draw(st.integers(0, 9)),
    )
    second = draw(st.sampled_from([None] * (20 if moved else 4) + [OTHER, EndpointView("other.example.", True)]))
    if second:
        state = dataclasses.replace(state, endpoints=(*state.endpoints, second))
    if draw(st.sampled_from([True, True, True, False])):
        state = draw(fenced_by(state))
    request = ask(
        draw(st.sampled_from([*VERBS, *([usual] * 5 if usual else [])])),
        target_site=draw(st.sampled_from(["dc2", "dc1", None])),
        source_site=draw(st.sampled_from([None, None, "dc1", "dc2"])),
        waive=tuple(draw(st.sets(st.sampled_from(sorted(WAIVABLE_RULES)), max_size=2))),
        reason=draw(st.sampled_from(["because", ""])),
        confirm=draw(st.sampled_from([None, "run-1", "run-2", "run-2"])),
        confirm_refused_at=draw(st.sampled_from([None, NOW - 7200, NOW - 60, NOW - 60])),
        accept_data_loss_seconds=draw(st.sampled_from([None, 900.0])),
    )
    return state, request


def test_random_cases_do_move_services() -> None:
    """The promises below are worth what the cases are worth: enough of them must promote, fence, demote and rejoin."""
    met: Counter[tuple[str, str]] = Counter()
    lost: Counter[bool] = Counter()

    # hypothesis also draws constants of the modules that are loaded: the counts differ with the tests that ran before;
    # twice as many cases as the least that are wanted need
    @settings(max_examples=5000, deadline=None, database=None, derandomize=True)
    @given(cases())
    def count(case: tuple[View, Request]) -> None:
        decision = decide(*case)
        met.update({(decision.verb, step.name) for step in decision.steps})
        fenced = step_members(decision.steps, "fence")
        lost[any(not case[0].observed[name].reachable for name in fenced)] += 1

    count()
    moves = {"switchover": ["demote", "fence"], "failback": ["promote"], "failover": ["fence", "promote"]}
    assert lost[True] >= 5, "enough silent members are fenced by a device"
    assert met["rejoin", "release"] >= 5, met
    wanted = [
        ("rejoin", "rejoin"),
        ("rejoin", "release"),
        *[(verb, step) for verb, steps_ in moves.items() for step in steps_],
    ]
    assert all(met[each] >= 10 for each in wanted), met


def named_by(state: View) -> set[str]:
    """Silent members that may be primary: of those no waiver but that of the fence speaks."""
    values = {value for endpoint in state.endpoints for value in endpoint.values}
    named = {o.member for o in state.observed.values() if o.address in values}
    named |= {str(o.promotion["member"]) for o in state.observed.values() if o.promotion}
    # While a primary is there to be moved, what was seen or recorded before is of an earlier one
    return set() if state.primaries else named | ({state.last_seen.member} if state.last_seen else set())


@settings(max_examples=1500, deadline=None)
@given(cases())
def test_no_promotion_without_proof_of_fencing(case: tuple[View, Request]) -> None:
    state, request = case
    decision = decide(state, request)
    waived = {waiver.rule for waiver in decision.waivers}
    for promoted in step_members(decision.steps, "promote"):
        before = decision.steps[: [s.name for s in decision.steps].index("promote")]
        stopped = {*step_members(before, "fence"), *step_members(before, "demote")}
        for other in state.observed.values():
            if other.member == promoted or other.is_replica:
                continue
            if other.reachable:
                assert other.member in stopped, (other, decision)
            elif other.member in stopped:
                # By a device that said in this run that it works, and can prove as much as the plan asks for
                least = max(1, state.service.min_level)
                said = {e.source: e for e in state.evidence[other.member]}
                assert decision.fences[other.member], decision
                for name in decision.fences[other.member]:
                    assert said[name].answers and (said[name].gives or 0) >= least, (said, decision)
            elif "missing_candidate" not in waived or other.member in named_by(state):
                # By a word, in full: the run is named, and the plan or a waiver takes it
                assert "old_primary_unfenced" in waived or state.service.min_level == 0, (other, decision)
                assert request.confirm == "run-2" and request.reason, (request, decision)
                assert request.confirm_refused_at == NOW - 60, (request, decision)


@settings(max_examples=1500, deadline=None)
@given(cases())
def test_never_two_primaries(case: tuple[View, Request]) -> None:
    state, request = case
    decision = decide(state, request)
    after = {o.member for o in state.observed.values() if o.is_primary}
    assert len(step_members(decision.steps, "promote")) <= 1
    for step in decision.steps:
        if step.name in ("demote", "fence") and step.member:
            after.discard(step.member)
        if step.name == "promote" and step.member:
            after.add(step.member)
        assert len(after) <= 1 or step.name in ("claim", "lease"), decision


def reached(state: View, decision: Decision) -> View:
    """The state that a decision aims at, as it would be observed when all its steps are done."""
    observed = dict(state.observed)
    new = next(iter(step_members(decision.steps, "promote")), None) or next(
        m for m, o in observed.items() if o.is_primary
    )
    timeline = 4 if step_members(decision.steps, "promote") else observed[new].timeline
    for member in {*step_members(decision.steps, "fence"), *step_members(decision.steps, "demote")}:
        observed[member] = dataclasses.replace(
            observed[member], running=False, role="none", writable=False, fenced=True
        )
    for member in step_members(decision.steps, "release"):
        held = {"running": False, "role": "none", "writable": False, "fenced": True}
        held["system_id"] = observed[new].system_id
        observed[member] = dataclasses.replace(observed[member], reachable=True, **held)
    followers = dict(observed[new].followers)
    for member in step_members(decision.steps, "rejoin"):
        followers[member] = "sync"
        follows = {"role": "replica", "writable": False, "receiving": True, "fenced": False, "engine": {}}
        observed[member] = dataclasses.replace(observed[member], running=True, timeline=timeline, **follows)
    leads = {"role": "primary", "writable": True, "receiving": None, "followers": followers}
    observed[new] = dataclasses.replace(observed[new], running=True, timeline=timeline, **leads)
    moved = {"point"} & {step.name for step in decision.steps}
    endpoints = tuple(
        dataclasses.replace(e, values=(observed[new].address,)) if moved and e.reachable else e for e in state.endpoints
    )
    return dataclasses.replace(state, observed=observed, endpoints=endpoints, evidence={})


@settings(max_examples=1500, deadline=None)
@given(cases())
def test_deciding_again_on_the_reached_state_gives_no_steps(case: tuple[View, Request]) -> None:
    state, request = case
    decision = decide(state, request)
    if not decision.steps:
        return
    after = reached(state, decision)
    again = decide(after, request)
    if released := step_members(decision.steps, "release"):
        # Only a machine that is on can be looked at: what lost its power comes back in two runs
        assert set(released) <= set(step_members(again.steps, "rejoin")), (decision, again)
        again = decide(reached(after, again), request)
    assert again.goal_reached, (decision, again)


def test_the_target_must_have_followed_the_newest_of_several_promotions() -> None:
    first, second = ({"member": "db1", "epoch": n, "timeline": n} for n in (1, 2))
    seen = view(crashed(promotion=first), alone(promotion=second, timeline=1))
    assert "timeline_behind" in rules(decide(seen, ask("failover", target_site="dc2")))


def test_the_next_claim_is_above_every_epoch_that_anybody_knows() -> None:
    for endpoint, old, new in ((3, 7, 5), (7, 3, 5), (3, 5, 7)):
        seen = view(primary(epoch=old), replica(epoch=new), epoch=endpoint)
        assert decide(seen, ask("switchover", target_site="dc2")).epoch == 8


def test_a_primary_that_stopped_cleanly_on_another_timeline_proves_nothing() -> None:
    stopped = crashed(engine={"stopped_cleanly": True}, timeline=1)
    assert rules(decide(view(stopped, alone(timeline=2)), ask("switchover", target_site="dc2"))) == ["no_primary"]


def test_any_replica_that_still_receives_vetoes_and_not_only_the_target() -> None:
    third = replica("db3", "dc3", upstream="db1:5432")
    decision = decide(view(gone(), alone(), third), ask("failover", target_site="dc2"))
    assert [r.measured for r in decision.refusals if r.rule == "primary_seen"] == ["db3 receives from db1:5432"]


def test_a_rejoin_goes_on_with_those_it_reaches() -> None:
    three = (gone(), primary("db2", "dc2", followers={}), crashed("db3", "dc2", fenced=True))
    decision = decide(view(*three, values=(ADDRESS["db2"],)), ask("rejoin"))
    assert step_members(decision.steps, "rejoin") == ["db3"]
    lost = "not following: db1 (cannot be reached); next: run rejoin when it can be reached"
    assert decision.redundancy == lost
    after = decide(reached(view(*three, values=(ADDRESS["db2"],)), decision), ask("rejoin"))
    assert after.goal_reached and after.redundancy == lost, "the same state gives the same answer"


@settings(max_examples=500, deadline=None)
@given(cases())
def test_a_refusal_has_no_steps_and_says_what_to_do(case: tuple[View, Request]) -> None:
    decision = decide(*case)
    assert not (decision.refusals and decision.steps)
    assert all(r.message and r.measured and r.limit and r.hint for r in decision.refusals)


def test_an_unknown_verb_is_an_error() -> None:
    with pytest.raises(ValueError, match="switchover"):
        decide(view(primary(), replica()), ask("promote"))


FOREIGN = Problem("other_directory", "/data/payments", "/data/accounts", "two servers", (EVERY_VERB,), "correct it")


@pytest.mark.parametrize("verb", ["assess", "switchover", "failover", "failback", "rejoin"])
@pytest.mark.parametrize("member", ["db1", "db2", "db3"])
def test_a_plan_that_names_another_server_stops_every_verb_once(verb: str, member: str) -> None:
    """Also where the member is neither the primary nor the target: it would be brought back as a replica."""
    home = "dc1" if verb == "failback" else "dc2"
    three = [primary(), replica("db2", "dc2"), replica("db3", "dc2", position=999)]
    if verb == "failover":
        three = [crashed(), alone(), alone(member="db3", position=999)]
    if verb == "failback":
        three = [replica("db1", "dc1"), primary("db2", "dc2", followers={"db1": "sync"}), replica("db3", "dc2")]
    for waive in ((), ("other_directory",)):
        seen = view(*[dataclasses.replace(o, problems=(FOREIGN,)) if o.member == member else o for o in three])
        decision = decide(seen, ask(verb, target_site=home, waive=waive, reason="r"))
        assert rules(decision).count("other_directory") == 1 and decision.steps == ()
        (told,) = [refusal for refusal in decision.refusals if refusal.rule == "other_directory"]
        assert (told.measured, told.limit, told.hint) == ("/data/payments", "/data/accounts", "correct it")
        assert told.message.startswith(f"{member}: ")


def test_a_refusal_does_not_send_anybody_to_rejoin_the_primary() -> None:
    """Nothing was moved: what is missing is what does not follow the primary that there is."""
    refused = decide(view(primary(), replica()), ask("failover", target_site="dc2"))
    assert rules(refused)[0] == "primary_alive"
    assert refused.redundancy == ""
    lost = decide(view(primary(), replica(receiving=False, upstream=None)), ask("switchover", target_site="dc2"))
    assert "not following: db2; next: run rejoin" in lost.redundancy


@pytest.mark.parametrize("silent", [0, 1])
def test_a_site_is_left_for_good_only_when_every_endpoint_said_so(silent: int) -> None:
    """The one that gives no answer may name the site that is to be left."""
    moved = {"values": (ADDRESS["db2"],), "moved": None}
    one = view(gone("db1"), alone(), **moved)
    (answered,) = one.endpoints
    second = dataclasses.replace(answered, name="reports.example.")
    both = [answered, second]
    everything = dataclasses.replace(one, endpoints=tuple(both))
    both[silent] = dataclasses.replace(both[silent], reachable=False, values=())
    half = dataclasses.replace(one, endpoints=tuple(both))
    assert decide(everything, LEAVING).goal_reached
    assert not decide(half, LEAVING).goal_reached
