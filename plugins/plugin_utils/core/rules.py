# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules a decision must meet. Each unmet one is a Refusal: what was measured, the limit, what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.continuity.dr.plugins.plugin_utils.core import fencing, hold_off, holding, lineage, loss
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import SYNCHRONOUS, View

#: A standby further behind than this would stretch a planned outage: it first has to catch up.
SWITCHOVER_LAG_BYTES = 16 * 1024 * 1024


def describe(observed: Observation) -> str:
    """One member in one line.

    >>> describe(Observation("db1", "dc1"))
    'db1 (dc1): unreachable'
    """
    if not observed.reachable:
        state = "unreachable"
    elif observed.is_primary:
        state = f"primary, timeline {observed.timeline}"
    elif observed.is_replica:
        state = f"replica of {observed.upstream or 'nobody'}, timeline {observed.timeline}"
    elif observed.fenced:
        state = "stopped and fenced"
    else:
        state = "stopped" if observed.running is False else "does not answer"
    return f"{observed.member} ({observed.site}): {state}"


def no_target(view: View, request: Request) -> list[Refusal]:
    """No member is there to become primary, or it was not said which."""
    sites = sorted(set(view.service.sites.values()))
    measured = view.target_site(request) or "not named"
    hint = f"name one with -e target_site=<site>: {', '.join(sites)}"
    return [Refusal("no_target", measured, f"a site with a member: {', '.join(sites)}", "there is no target", hint)]


def endpoints(view: View, request: Request) -> Iterator[Refusal]:
    """The arbiter must answer and nobody else may hold the claim."""
    for endpoint in view.endpoints:
        if not endpoint.reachable:
            yield Refusal(
                "arbiter_unreachable",
                endpoint.problem or "no answer",
                "an answer",
                f"the name server of {endpoint.name} cannot be asked, so a second operator cannot be kept out",
                "restore the name server, or waive it by name",
            )
        elif endpoint.problem:
            yield Refusal(
                "endpoint_problem",
                endpoint.problem,
                "an endpoint that can be changed",
                f"{endpoint.name} could not be switched",
                "mend it, then run the verb again",
            )
        elif endpoint.claim_run and endpoint.claim_run != request.run_id and endpoint.claim_seconds_left > 0:
            yield Refusal(
                "claim_held",
                f"{endpoint.claim_run} by {endpoint.claim_owner}",
                "no open claim of another run",
                f"another run is under way, its claim ends in {endpoint.claim_seconds_left:.0f} s",
                holding.next_for(endpoint.claim_run),
            )


def one_primary(view: View) -> Iterator[Refusal]:
    """Two running primaries are a split that no verb makes better. The one must be the newest, of one cluster."""
    if len(view.primaries) > 1:
        names = ", ".join(sorted(o.member for o in view.primaries))
        yield Refusal(
            "two_primaries",
            names,
            "at most one primary",
            "two members take writes",
            "stop the one that clients should not reach, then run rejoin",
        )
    yield from lineage.stale_primary(view)
    identities = {o.member: o.system_id for o in view.observed.values() if o.system_id}
    if len(set(identities.values())) > 1:
        measured = ", ".join(f"{member}={identity}" for member, identity in sorted(identities.items()))
        yield Refusal(
            "other_cluster",
            measured,
            "one system identifier",
            "the members are not copies of one database",
            "check the plan's members, ports and data directories",
        )


def switchover(view: View, request: Request, primary: Observation | None, target: Observation) -> Iterator[Refusal]:
    """Everything that must hold before a healthy primary is stopped."""
    yield from _target(target, "switchover")
    if primary is None:
        yield Refusal(
            "no_primary",
            "none runs",
            "one running primary",
            "there is nothing to switch over from",
            "if it is lost, run failover",
        )
        return
    for other in view.others(target):
        if other is not primary and other.reachable and not other.is_replica and not view.service.has_fence:
            yield _no_fence(other)
        if other is not primary and not other.reachable:
            yield Refusal(
                "missing_candidate",
                f"{other.member} cannot be reached",
                "every member seen",
                "what it does, and what it holds, is not known",
                "restore the connection to it",
            )
    for problem in primary.problems:
        if "switchover" in problem.blocks:
            yield Refusal(
                problem.rule, problem.measured, problem.limit, f"{primary.member}: {problem.message}", problem.hint
            )
    if primary.is_primary and target.is_replica:
        yield from _replication(view, primary, target)


def _replication(view: View, primary: Observation, target: Observation) -> Iterator[Refusal]:
    mode = primary.followers.get(target.member)
    if mode is None or not target.receiving:
        yield Refusal(
            "not_streaming",
            mode or "not attached",
            f"streaming from {primary.member}",
            f"{target.member} does not follow the primary",
            "run rejoin, then again",
        )
    if target.timeline != primary.timeline:
        yield Refusal(
            "timeline_differs",
            str(target.timeline),
            str(primary.timeline),
            f"{target.member} is on another timeline than the primary",
            "run rejoin, then again",
        )
    if view.service.rpo_seconds == 0 and mode not in SYNCHRONOUS:
        yield Refusal(
            "synchronous_unproven",
            mode or "not attached",
            "sync",
            f"the plan promises rpo 0s, and {target.member} is not a synchronous standby",
            "run rejoin, which restores synchronous_standby_names",
        )
    for name, needed in sorted(primary.capacities.items()):
        if target.capacities.get(name, needed) < needed:
            yield Refusal(
                "setting_too_small",
                f"{name} = {target.capacities[name]}",
                f"at least {needed}, as on {primary.member}",
                f"{target.member} lacks what {primary.member} has, and would stop replaying after a change there",
                f"raise {name} on {target.member} and restart it",
            )
    yield from _lag(view, primary, target)


def _lag(view: View, primary: Observation, target: Observation) -> Iterator[Refusal]:
    if primary.position is None or target.position is None:
        yield _lag_unknown(target)
        return
    behind = max(0, primary.position - target.position)
    if behind > SWITCHOVER_LAG_BYTES:
        yield Refusal(
            "lag_too_large",
            f"{behind} bytes",
            f"{SWITCHOVER_LAG_BYTES} bytes",
            f"{target.member} would have to catch up during the outage",
            "wait until it has caught up",
        )
    limit = view.service.rpo_seconds
    if limit > 0 and behind and target.lag_seconds is not None and target.lag_seconds > limit:
        yield Refusal(
            "lag_over_rpo",
            f"{target.lag_seconds:.1f} s",
            f"{limit:g} s",
            f"{target.member} is further behind than the plan's rpo",
            "wait until it has caught up",
        )


def failover(view: View, request: Request, target: Observation) -> Iterator[Refusal]:
    """Everything that must hold before a replica is promoted without its primary's consent."""
    yield from _target(target, "failover")
    if view.primary is not None and view.primary is not target:
        yield Refusal(
            "primary_alive",
            f"{view.primary.member} runs as primary",
            "no running primary",
            "the primary is alive: a failover would make two",
            "use switchover",
        )
    yield from fencing.sightings(view, target)
    yield from fencing.unfenced(view, request, target)
    yield from hold_off.failover(view, request)
    yield from _unseen(view, target)
    yield from _newest(view, target)
    if target.is_replica:
        yield from _loss(view, request, target)


def _target(target: Observation, verb: str) -> Iterator[Refusal]:
    if not target.reachable:
        yield Refusal(
            "target_unreachable",
            "no answer",
            "an answer",
            f"{target.member} cannot be reached",
            "check the connection to it, or choose another site",
        )
    elif not target.is_replica:
        yield Refusal(
            "no_replica",
            describe(target),
            "a running replica",
            f"{target.member} cannot be promoted",
            "run rejoin while a primary serves, or restore from a backup",
        )
    for problem in target.problems:
        if verb in problem.blocks:
            yield Refusal(
                problem.rule, problem.measured, problem.limit, f"{target.member}: {problem.message}", problem.hint
            )


def _unseen(view: View, target: Observation) -> Iterator[Refusal]:
    """Members that are no replica and cannot be fenced at all, and replicas that nobody can see."""
    suspects = fencing.may_be_primary(view, target)
    for other in view.others(target):
        if other.reachable:
            if not other.is_replica and not other.is_primary and not view.service.has_fence:
                yield _no_fence(other)
        elif other not in suspects:
            yield Refusal(
                "missing_candidate",
                f"{other.member} cannot be reached",
                "every replica seen",
                "a replica with newer data may be missed",
                "restore the connection to it",
            )


def _no_fence(other: Observation) -> Refusal:
    return Refusal(
        "no_fence",
        "none",
        "a fence",
        f"the plan has no fence for {other.member}, which is no replica",
        "add one to the plan",
    )


def _newest(view: View, target: Observation) -> Iterator[Refusal]:
    for other in view.others(target):
        if other.is_replica and (other.position or 0) > (target.position or 0):
            yield Refusal(
                "newer_replica",
                f"{target.member} at {target.position}",
                f"{other.member} at {other.position}",
                f"{other.member} holds newer data",
                f"fail over to {other.site}",
            )
    known = [
        int(o.promotion["timeline"]) for o in view.observed.values() if o.promotion and o.promotion.get("timeline")
    ]
    if target.timeline is not None and known and target.timeline < max(known):
        yield Refusal(
            "timeline_behind",
            str(target.timeline),
            str(max(known)),
            f"{target.member} missed an earlier promotion",
            "promote the member that followed it",
        )


def _loss(view: View, request: Request, target: Observation) -> Iterator[Refusal]:
    found = loss.bound(view, request, target)
    accepted = request.accept_data_loss_seconds
    limit = view.service.rpo_seconds
    if found.seconds is not None and accepted is not None and found.seconds <= accepted:
        return
    if limit == 0 and not loss.was_synchronous(view, target):
        yield Refusal(
            "synchronous_unproven",
            loss.last_sight(view, request, target),
            "the primary that is gone, last seen with it as sync",
            f"the plan promises rpo 0s, and nothing proves that {target.member} has every commit",
            "accept a bound with -e accept_data_loss=<duration>, or waive this rule by name",
        )
    elif found.seconds is None:
        yield _lag_unknown(target)
    elif found.seconds > limit:
        yield Refusal(
            "lag_over_rpo",
            f"{found.seconds:.1f} s",
            f"{limit:g} s" if accepted is None else f"{accepted:g} s accepted",
            f"promoting {target.member} may lose more than the plan allows",
            "accept a larger bound with -e accept_data_loss=<duration>, or restore",
        )


def _lag_unknown(target: Observation) -> Refusal:
    return Refusal(
        "lag_unknown",
        "unknown",
        "a known lag",
        f"how far {target.member} is behind is not known",
        "no bound can be accepted on an unknown: waive this rule by name, with a reason",
    )


def rejoin(view: View) -> Iterator[Refusal]:
    """A member rejoins the one primary that clients are sent to."""
    primary = view.primary
    if primary is None:
        if not view.primaries:
            yield Refusal(
                "no_primary",
                "none runs",
                "one running primary",
                "there is no primary to follow",
                "run failover, or start the primary",
            )
        return
    if not view.endpoints_hold(primary.address):
        values = ", ".join(value for endpoint in view.endpoints for value in endpoint.values) or "nothing"
        yield Refusal(
            "endpoint_elsewhere",
            values,
            primary.address,
            f"clients are not sent to {primary.member}",
            "finish the failover first: run it again",
        )
    missing = view.not_following(primary)
    # While another one follows or can be brought back there is redundancy, and the lost ones are named beside it
    if all(not other.reachable and not fencing.switched_off(view, other) for other in view.others(primary)):
        for other in missing:
            yield Refusal(
                "member_unreachable",
                "no answer",
                "an answer",
                f"{other.member} cannot be reached",
                "bring the machine back; its database stays fenced until it rejoins",
            )
