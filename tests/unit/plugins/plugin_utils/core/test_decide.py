# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The decision: each rule refuses by name with both values, and three promises hold for every input."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide, step_members
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    WAIVABLE_RULES,
    Decision,
    EndpointView,
    LastSeen,
    Observation,
    Problem,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

NOW = 1_000_000.0
ADDRESS = {"db1": "198.51.100.11", "db2": "203.0.113.11", "db3": "203.0.113.12"}


def primary(member: str = "db1", site: str = "dc1", **changes: Any) -> Observation:
    values: dict[str, Any] = {
        "reachable": True, "running": True, "role": "primary", "writable": True, "position": 1000, "system_id": "7",
        "timeline": 1, "epoch": 0, "address": ADDRESS[member], "fenced": False, "followers": {"db2": "sync"},
    }  # fmt: skip
    return Observation(member, site, **(values | changes))


def replica(member: str = "db2", site: str = "dc2", **changes: Any) -> Observation:
    values: dict[str, Any] = {
        "reachable": True, "running": True, "role": "replica", "writable": False, "position": 1000, "lag_bytes": 0,
        "lag_seconds": 0.0, "upstream": "db1:5432", "system_id": "7", "timeline": 1, "epoch": 0, "receiving": True,
        "address": ADDRESS[member], "fenced": False,
    }  # fmt: skip
    return Observation(member, site, **(values | changes))


def crashed(member: str = "db1", site: str = "dc1", **changes: Any) -> Observation:
    values: dict[str, Any] = {
        "reachable": True, "running": False, "role": "none", "writable": False, "system_id": "7", "timeline": 1,
        "epoch": 0, "address": ADDRESS[member], "fenced": False, "engine": {"control_state": "in production"},
    }  # fmt: skip
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
        ("claim", None), ("lease", "db1"), ("lease", "db2"), ("demote", "db1"), ("promote", "db2"), ("point", None),
        ("rejoin", "db1"), ("verify", "db2"),
    ]  # fmt: skip


def test_a_target_is_named_never_guessed() -> None:
    assert rules(decide(view(primary(), replica()), ask("switchover"))) == ["no_target"]
    assert decide(view(primary(), replica()), ask("switchover", source_site="dc1")).to_member == "db2"
    assert decide(view(primary(), replica()), ask("assess")).to_member == "db2"


def test_failover_fences_the_dead_primary_first() -> None:
    decision = decide(view(crashed(), alone()), ask("failover", target_site="dc2"))
    assert steps(decision)[-4:] == [("fence", "db1"), ("promote", "db2"), ("point", None), ("verify", "db2")]


def test_target_already_primary_is_nothing_to_do() -> None:
    there = view(replica("db1", "dc1", upstream="db2:5432"), primary("db2", "dc2", followers={"db1": "sync"}),
                 values=(ADDRESS["db2"],))  # fmt: skip
    for verb in ("switchover", "failover"):
        decision = decide(there, ask(verb, target_site="dc2"))
        assert decision.goal_reached, decision


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


def test_rejoin_restores_the_synchronous_promise() -> None:
    async_only = view(
        replica("db1", "dc1"), primary("db2", "dc2", followers={"db1": "async"}), rpo=0.0, values=(ADDRESS["db2"],)
    )
    assert step_members(decide(async_only, ask("rejoin")).steps, "rejoin") == ["db1"]


FAILOVER = ask("failover", target_site="dc2")
SWITCHOVER = ask("switchover", target_site="dc2")
BACKLOG = Problem("archiver_backlog", "40 segments wait", "16", "it would not stop", hint="mend it")

REFUSED: list[tuple[str, View, Request, str, str, str]] = [
    ("unreachable old primary", view(gone(), alone()), FAILOVER,
     "old_primary_unfenced", "db1 cannot be reached", "proof"),
    ("lag over rpo", view(crashed(), alone(lag_seconds=301.0)), FAILOVER,
     "lag_over_rpo", "301.0 s", "300 s"),
    ("lag unknown", view(crashed(), alone(lag_seconds=None)), FAILOVER,
     "lag_unknown", "unknown", "known lag"),
    ("rpo 0 never seen synchronous", view(crashed(), alone(), rpo=0.0), FAILOVER,
     "synchronous_unproven", "never seen", "sync"),
    ("rpo 0 seen asynchronous",
     view(crashed(), alone(), rpo=0.0, seen=LastSeen(NOW - 9, "db1", 1000, {"db2": "async"})), FAILOVER,
     "synchronous_unproven", "async, 9 s ago", "sync"),
    ("rpo 0 asynchronous switchover", view(primary(followers={"db2": "async"}), replica(), rpo=0.0),
     SWITCHOVER, "synchronous_unproven", "async", "sync"),
    ("rpo 0 asynchronous assess", view(primary(followers={"db2": "async"}), replica(), rpo=0.0), ask("assess"),
     "synchronous_unproven", "async", "sync"),
    ("no replica", view(crashed(), crashed("db2", "dc2")), FAILOVER, "no_replica", "stopped", "replica"),
    ("target unreachable", view(crashed(), gone("db2", "dc2")), FAILOVER,
     "target_unreachable", "no answer", "answer"),
    ("other cluster", view(primary(), replica(system_id="8")), SWITCHOVER, "other_cluster", "db2=8", "one"),
    ("other cluster, dead primary", view(crashed(), alone(system_id="8")), FAILOVER,
     "other_cluster", "db1=7", "one"),
    ("two primaries", view(primary(), primary("db2", "dc2")), FAILOVER, "two_primaries", "db1, db2", "one"),
    ("primary alive", view(primary(), replica()), FAILOVER, "primary_alive", "db1", "no running primary"),
    ("primary seen by the replica", view(gone(), replica()), FAILOVER, "primary_seen", "db2", "no live"),
    ("not streaming", view(primary(followers={}), replica(receiving=False)), SWITCHOVER,
     "not_streaming", "not attached", "db1"),
    ("another timeline", view(primary(timeline=2), replica()), SWITCHOVER, "timeline_differs", "1", "2"),
    ("far behind", view(primary(position=50_000_000), replica()), SWITCHOVER,
     "lag_too_large", "49999000 bytes", "16777216 bytes"),
    ("lag over rpo, planned", view(primary(position=2000), replica(lag_seconds=400.0)), SWITCHOVER,
     "lag_over_rpo", "400.0 s", "300 s"),
    ("no primary", view(crashed(), replica()), SWITCHOVER, "no_primary", "none", "one"),
    ("arbiter unreachable", view(crashed(), alone(), reachable=False, values=()), FAILOVER,
     "arbiter_unreachable", "no answer", "answer"),
    ("claim held", view(primary(), replica(), claim_run="run-2", claim_owner="ann@desk", claim_seconds_left=50.0),
     SWITCHOVER, "claim_held", "run-2 by ann@desk", "another run"),
    ("endpoint not pointed", view(crashed(), primary("db2", "dc2"), values=(ADDRESS["db1"],)), ask("rejoin"),
     "endpoint_elsewhere", ADDRESS["db1"], ADDRESS["db2"]),
    ("rejoin of the unreachable", view(gone(), primary("db2", "dc2", followers={}), values=(ADDRESS["db2"],)),
     ask("rejoin"), "member_unreachable", "no answer", "answer"),
    ("an older timeline", view(crashed(promotion={"member": "db1", "epoch": 3, "timeline": 5}), alone()),
     FAILOVER, "timeline_behind", "1", "5"),
    ("newer data elsewhere", view(crashed(), alone(), alone(member="db3", site="dc3", position=2000)),
     FAILOVER, "newer_replica", "1000", "2000"),
    ("a smaller setting",
     view(primary(capacities={"max_connections": 100}), replica(capacities={"max_connections": 50})), SWITCHOVER,
     "setting_too_small", "max_connections = 50", "at least 100"),
    ("a member nobody can see, planned", view(primary(), replica(), gone("db3", "dc2")),
     ask("switchover", target_site="dc2"), "missing_candidate", "db3 cannot be reached", "every member"),
    ("a problem of the primary itself",
     view(primary(problems=(BACKLOG,)), replica()),
     ask("switchover", target_site="dc2"), "archiver_backlog", "40 segments", "16"),
    ("no such site", view(primary(), replica()), ask("switchover", target_site="dc9"), "no_target", "dc9", "dc1, dc2"),
]  # fmt: skip


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
    silent = decide(seen, ask("failover", target_site="dc2", waive=("old_primary_unfenced",)))
    assert rules(silent) == ["reason_missing"]
    spoken = decide(
        seen, ask("failover", target_site="dc2", waive=("old_primary_unfenced",), reason="powered off by hand")
    )
    assert step_members(spoken.steps, "promote") == ["db2"]
    assert [waiver.rule for waiver in spoken.waivers] == ["old_primary_unfenced"]
    other = decide(seen, ask("failover", target_site="dc2", waive=("lag_unknown",), reason="wrong one"))
    assert rules(other) == ["old_primary_unfenced"]


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
        unfenced = dataclasses.replace(seen, service=dataclasses.replace(seen.service, has_fence=False))
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


def test_rpo_zero_is_proven_by_the_last_sight_named_with_its_age() -> None:
    seen = LastSeen(NOW - 42, "db1", 1000, {"db2": "sync"})
    decision = decide(view(crashed(), alone(), rpo=0.0, seen=seen), ask("failover", target_site="dc2"))
    assert step_members(decision.steps, "promote") == ["db2"]
    assert any("42 s ago" in line and "synchronous" in line for line in decision.evidence)


@pytest.mark.parametrize("seen", [
    LastSeen(NOW - 9, "db3", 1000, {"db2": "sync"}, 1),  # another primary, long ago
    LastSeen(NOW - 9, "db1", 1000, {"db2": "sync"}, 0),  # this one, before it was promoted the last time
])  # fmt: skip
def test_a_sight_of_an_earlier_primary_proves_nothing(seen: LastSeen) -> None:
    decision = decide(view(crashed(), alone(), rpo=0.0, seen=seen), ask("failover", target_site="dc2"))
    assert rules(decision) == ["synchronous_unproven"]


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


@st.composite
def any_member(draw: Any, member: str, site: str) -> Observation:
    """One member in any condition."""
    if not draw(st.booleans()):
        return gone(member, site)
    role = draw(ROLES)
    running = {"primary": True, "replica": True, "none": False, "unknown": None}[role]
    followers = {name: draw(st.sampled_from(["sync", "async"])) for name in ADDRESS if draw(st.booleans())}
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
        "frozen by a run that ended": [frozen, alone()],
        "moved": [crashed(fenced=True), primary("db2", "dc2", followers={}, timeline=2)],
        "moved, siblings": [
            replica("db1", "dc1", timeline=2),
            primary("db2", "dc2", followers={"db1": "sync"}, timeline=2),
        ],
    }


@st.composite
def cases(draw: Any) -> tuple[View, Request]:
    members = {o.member: o for o in draw(st.sampled_from(sorted(beginnings().items())))[1]}
    for name in draw(st.sets(st.sampled_from(sorted(members)), max_size=draw(st.sampled_from([0, 0, 1, 2])))):
        members[name] = draw(any_member(name, members[name].site))
    seen = draw(st.sampled_from([LastSeen(NOW - 5, "db1", 100, {"db2": "sync"}), None]))
    state = view(
        *members.values(),
        rpo=draw(st.sampled_from([300.0, 0.0])),
        seen=seen,
        values=draw(st.sampled_from([(ADDRESS["db1"],), (ADDRESS["db2"],), ()])),
        epoch=draw(st.integers(0, 9)),
    )
    request = ask(
        draw(st.sampled_from(["switchover", "failover", "rejoin", "failback", "assess"])),
        target_site=draw(st.sampled_from(["dc2", "dc1", None])),
        source_site=draw(st.sampled_from([None, None, "dc1", "dc2"])),
        waive=tuple(draw(st.sets(st.sampled_from(sorted(WAIVABLE_RULES)), max_size=2))),
        reason=draw(st.sampled_from(["because", ""])),
        accept_data_loss_seconds=draw(st.sampled_from([None, 900.0])),
    )
    return state, request


def test_random_cases_do_move_services() -> None:
    """The promises below are worth what the cases are worth: enough of them must promote, fence, demote and rejoin."""
    met: Counter[tuple[str, str]] = Counter()

    @settings(max_examples=1500, deadline=None, database=None, derandomize=True)
    @given(cases())
    def count(case: tuple[View, Request]) -> None:
        decision = decide(*case)
        met.update({(decision.verb, step.name) for step in decision.steps})

    count()
    moves = {"switchover": ["demote", "fence"], "failback": ["promote"], "failover": ["fence", "promote"]}
    wanted = [("rejoin", "rejoin"), *[(verb, step) for verb, steps_ in moves.items() for step in steps_]]
    assert all(met[each] >= 10 for each in wanted), met


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
            excused = not other.reachable and waived & {"old_primary_unfenced", "missing_candidate"}
            assert other.member in stopped or excused, (other, decision)


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
    followers = dict(observed[new].followers)
    for member in step_members(decision.steps, "rejoin"):
        followers[member] = "sync"
        follows = {"role": "replica", "writable": False, "receiving": True, "fenced": False, "engine": {}}
        observed[member] = dataclasses.replace(observed[member], running=True, timeline=timeline, **follows)
    leads = {"role": "primary", "writable": True, "receiving": None, "followers": followers}
    observed[new] = dataclasses.replace(observed[new], running=True, timeline=timeline, **leads)
    moved = {"point"} & {step.name for step in decision.steps}
    endpoints = tuple(dataclasses.replace(e, values=(observed[new].address,)) if moved else e for e in state.endpoints)
    return dataclasses.replace(state, observed=observed, endpoints=endpoints)


@settings(max_examples=1500, deadline=None)
@given(cases())
def test_deciding_again_on_the_reached_state_gives_no_steps(case: tuple[View, Request]) -> None:
    state, request = case
    decision = decide(state, request)
    if not decision.steps:
        return
    again = decide(reached(state, decision), request)
    # A rejoin goes on with those it reaches; the others stay named, so that nobody takes the redundancy for whole
    lost = request.verb == "rejoin" and any(not observed.reachable for observed in state.observed.values())
    assert again.steps == () and set(rules(again)) <= ({"member_unreachable"} if lost else set()), (decision, again)


def test_a_rejoin_goes_on_with_those_it_reaches() -> None:
    three = (gone(), primary("db2", "dc2", followers={}), crashed("db3", "dc2", fenced=True))
    decision = decide(view(*three, values=(ADDRESS["db2"],)), ask("rejoin"))
    assert step_members(decision.steps, "rejoin") == ["db3"]
    assert decision.redundancy == "not following: db1, db3"


@settings(max_examples=500, deadline=None)
@given(cases())
def test_a_refusal_has_no_steps_and_says_what_to_do(case: tuple[View, Request]) -> None:
    decision = decide(*case)
    assert not (decision.refusals and decision.steps)
    assert all(r.message and r.measured and r.limit and r.hint for r in decision.refusals)


def test_an_unknown_verb_is_an_error() -> None:
    with pytest.raises(ValueError, match="switchover"):
        decide(view(primary(), replica()), ask("promote"))
