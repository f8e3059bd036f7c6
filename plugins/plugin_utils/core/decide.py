# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decide what to do for one service: ordered steps, or every reason why nothing is done.

Pure: the same view and the same request always give the same decision. Three promises hold for every input
and are tested with random ones: a promotion never stands without proof that every other member is out of the
way, a decision never leaves two primaries, and deciding again on the state it aims at gives no steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping

from ansible_collections.continuity.dr.plugins.plugin_utils.core import fencing, holding, lineage, loss, rules
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    Decision,
    Observation,
    Refusal,
    Request,
    Step,
    StepName,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View


def decide(view: View, request: Request) -> Decision:
    """Return the decision for one service.

    Example: ``decide(View(service, observed, endpoints), Request("failover", run_id, now, target_site="dc2"))``.
    Raises ValueError for a verb that decides nothing.
    """
    deciders: dict[str, Callable[[View, Request], Decision]] = {
        "switchover": _switchover,
        "failback": _switchover,
        "failover": _failover,
        "rejoin": _rejoin,
        "assess": _assess,
    }
    if request.verb not in deciders:
        raise ValueError(f"no decision for verb {request.verb!r}; known: {', '.join(sorted(deciders))}")
    if _leaves_nothing(view, request):
        return _decision(view, request, None, (), ())
    return deciders[request.verb](view, request)


def _leaves_nothing(view: View, request: Request) -> bool:
    """A whole site is left, and nothing of this service says that it is there.

    That nothing says so counts only where a primary is seen elsewhere, or every endpoint could be asked.
    """
    left = request.source_site
    if left is None or left in view.sites_of_primary():
        return False
    told = view.primaries or (view.endpoints and all(endpoint.reachable for endpoint in view.endpoints))
    return bool(told) or left not in view.service.sites.values()


def _switchover(view: View, request: Request) -> Decision:
    target = view.target(request)
    if target is None:
        return _decision(view, request, None, (), rules.no_target(view, request))
    refused = [*rules.endpoints(view, request), *rules.one_primary(view)]
    # A silent member that may have been promoted since makes the one that stopped cleanly an earlier primary
    stopped = None if fencing.may_be_primary(view, target) else view.cleanly_stopped(target)
    primary = view.primary or stopped
    if view.primary is target:
        return _finish(view, request, target, refused, rejoin=True)
    refused += rules.switchover(view, request, primary, target)
    # Beside the primary nobody may be able to take writes either, not even a member that is down for repair
    idle = [o for o in view.others(target) if o is not primary and o.reachable and not o.is_replica]
    moved = [Step("demote", primary.member), Step("promote", target.member)] if primary else []
    returning = [Step("rejoin", other.member) for other in view.others(target) if other.reachable]
    fences: list[Step] = [Step("fence", other.member) for other in idle]
    steps = [*_leases(view), *fences, *moved, *_point(view), *returning, Step("verify", target.member)]
    return _decision(view, request, target, steps, refused, old=primary)


def _failover(view: View, request: Request) -> Decision:
    target = view.target(request)
    if target is None:
        return _decision(view, request, None, (), rules.no_target(view, request))
    refused = [*rules.endpoints(view, request), *rules.one_primary(view)]
    if view.primary is target:
        return _finish(view, request, target, refused, rejoin=False)
    refused += rules.failover(view, request, target)
    lost = [other for other in fencing.may_be_primary(view, target) if fencing.usable(view, other)]
    here = [other for other in view.others(target) if other.reachable and not other.is_replica]
    fences: list[Step] = [Step("fence", other.member) for other in view.others(target) if other in [*here, *lost]]
    promoted = [*fences, Step("promote", target.member), *_point(view)]
    siblings = [Step("rejoin", other.member) for other in view.others(target) if other.is_replica]
    steps = [*_leases(view), *promoted, *siblings, Step("verify", target.member)]
    return _decision(view, request, target, steps, refused, old=view.old_primary(target))


def _rejoin(view: View, request: Request) -> Decision:
    refused = [*rules.endpoints(view, request), *rules.one_primary(view), *rules.rejoin(view)]
    primary = view.primary
    if primary is None:
        return _decision(view, request, None, (), refused)
    missing = view.not_following(primary)
    returning = [Step("rejoin", other.member) for other in missing if other.reachable]
    # One without power comes back with its database held down, and rejoins in the next run, which can see it
    returning += [Step("release", other.member) for other in missing if fencing.switched_off(view, other)]
    left = returning or holding.own(view, request)
    steps = [*_leases(view), *returning, Step("verify", primary.member)] if left else []
    return _decision(view, request, primary, steps, refused)


def _assess(view: View, request: Request) -> Decision:
    """Would a planned move work right now, to where, and what stands in the way? Never any steps."""
    refused = [*rules.endpoints(view, request), *rules.one_primary(view), *fencing.mismatch(view)]
    refused += holding.leases(view, request)
    target = view.target(request)
    if target is None:
        refused += rules.no_target(view, request)
    elif view.primary is not target:
        refused += rules.switchover(view, request, view.primary, target)
    return _decision(view, request, target, (), refused, old=view.primary)


def _finish(view: View, request: Request, target: Observation, refused: list[Refusal], *, rejoin: bool) -> Decision:
    """The target is primary already: only what a cut-off run may have left undone.

    What this run still holds from before it was cut off is given back, or it would keep others out until it ends.
    """
    held = holding.own(view, request)
    clients_move = not view.reachable_endpoints_hold(target.address)
    left = _point(view) if clients_move or held else []
    if clients_move and not lineage.is_newest(view, target):
        # Clients follow the record: as for a promotion, nobody else may take writes, and who gives no answer may
        refused += [*fencing.sightings(view, target), *fencing.unfenced(view, request, target)]
        silent = [o for o in fencing.may_be_primary(view, target) if fencing.usable(view, o)]
        left = [*[Step("fence", other.member) for other in silent], *left]
    if rejoin:
        left += [Step("rejoin", other.member) for other in view.not_following(target) if other.reachable]
    steps = [*_leases(view), *left, Step("verify", target.member)] if left or held else []
    return _decision(view, request, target, steps, refused)


def _leases(view: View) -> list[Step]:
    """The claim first, then a lease on every member that answers, always in the same order."""
    reachable = sorted(observed.member for observed in view.observed.values() if observed.reachable)
    return [Step("claim"), *[Step("lease", member) for member in reachable]]


def _point(view: View) -> list[Step]:
    """An endpoint that cannot be reached (waived) is not switched; the next run finds it and does."""
    return [Step("point")] if any(endpoint.reachable for endpoint in view.endpoints) else []


def _decision(
    view: View,
    request: Request,
    target: Observation | None,
    steps: Iterable[Step],
    refused: Iterable[Refusal],
    old: Observation | None = None,
) -> Decision:
    """Sort what is refused from what was waived by name; any refusal left means no steps at all."""
    steps = tuple(steps)
    if steps:
        refused = [*refused, *holding.leases(view, request), *holding.taking(view, request, target, steps)]
    refusals, waivers = _waive(refused, request)
    refusals += [*_reason(waivers, request)]
    risky = (fencing.UNFENCED, lineage.STALE)
    refusals += fencing.confirmation(request, [waiver.rule for waiver in waivers if waiver.rule in risky])
    steps = () if refusals else steps
    return Decision(
        service=view.service.name,
        verb=request.verb,
        steps=steps,
        refusals=tuple(refusals),
        waivers=tuple(waivers),
        evidence=tuple(_evidence(view, request, target)),
        from_member=old.member if old else None,
        to_member=target.member if target else None,
        from_site=old.site if old else None,
        to_site=target.site if target else None,
        redundancy=_redundancy(view, request, view.primary if request.verb == "assess" else target, steps),
        degraded=() if steps or refusals else tuple(_degraded(view, request)),
        epoch=view.epoch + 1,
        fences={name: fencing.usable(view, view.observed[name]) for name in step_members(steps, "fence")},
        releases={name: fencing.releasable(view, view.observed[name]) for name in _coming_back(steps)},
        min_level=view.service.min_level,
    )


def _waive(refused: Iterable[Refusal], request: Request) -> tuple[list[Refusal], list[Refusal]]:
    refusals: list[Refusal] = []
    waivers: list[Refusal] = []
    for refusal in refused:
        waived = (refusal.waivable and refusal.rule in request.waive) or holding.broken(refusal, request)
        (waivers if waived else refusals).append(refusal)
    return refusals, waivers


def _reason(waivers: list[Refusal], request: Request) -> Iterator[Refusal]:
    given_away = bool(waivers) or request.accept_data_loss_seconds is not None
    if given_away and not request.reason.strip():
        yield Refusal(
            "reason_missing", "none", "a reason", "a rule is waived without saying why", "add -e reason='...'"
        )


def _evidence(view: View, request: Request, target: Observation | None) -> Iterator[str]:
    for observed in sorted(view.observed.values(), key=lambda o: o.member):
        yield rules.describe(observed)
    # That nothing keeps a member from serving which is to serve is no news
    told = (evidence for said in view.evidence.values() for evidence in said if evidence.state != "open")
    yield from map(str, told)
    if target is not None and request.verb == "failover" and view.primary is not target:
        yield from fencing.words(view, request, target)
    if target is not None and view.primary is not target:
        if request.verb == "failover":
            yield loss.describe(view, request, target)
        elif view.primary is not None:
            yield loss.describe_now(view.primary, target)


def _redundancy(view: View, request: Request, target: Observation | None, steps: Iterable[Step]) -> str:
    """What is missing once the steps are done, and what brings it back."""
    if target is None:
        return ""
    back = step_members(steps, "rejoin")
    off = step_members(steps, "release")
    missing = [other for other in view.not_following(target) if other.member not in back]
    silent = [other.member for other in missing if not other.reachable and other.member not in off]
    now = {name: " (cannot be reached)" for name in silent} | {name: " (switched on, held down)" for name in off}
    names = [other.member + now.get(other.member, "") for other in missing]
    said = [f"not following: {', '.join(names)}; next: run rejoin"] if names else []
    if silent:
        said = [f"{said[0]} when it can be reached"]
    unasked = _unasked(view, request)
    if unasked:
        said += [f"not switched: {', '.join(unasked)}; next: run {request.verb} again when its name server answers"]
    return "; ".join(said)


def _unasked(view: View, request: Request) -> list[str]:
    """Endpoints of a move that cannot be reached: nobody knows where they send clients."""
    moves = request.verb in ("switchover", "failover", "failback")
    return [endpoint.name for endpoint in view.endpoints if moves and not endpoint.reachable]


def _degraded(view: View, request: Request) -> Iterator[Mapping[str, str]]:
    """Without a step no task can find it: a run that repeats a degraded one would pass."""
    if unasked := ", ".join(_unasked(view, request)):
        message = f"{unasked} could not be asked and was not switched; run the verb again when it answers"
        yield {"name": "endpoint_not_switched", "message": message}


def _coming_back(steps: Iterable[Step]) -> list[str]:
    """Members whose fences are lifted: they are replicas again, or held down by something else."""
    return [*step_members(steps, "rejoin"), *step_members(steps, "release")]


def exercise(baseline: Decision) -> Decision:
    """What a drill may begin with: the baseline, refused where there is no primary to move away or it is there already.

    It would exercise nothing, and its way back would move a service that was never moved away.
    """
    if baseline.refused or (baseline.from_member and baseline.from_member != baseline.to_member):
        return baseline
    refusal = Refusal(
        "nothing_to_exercise",
        f"primary: {baseline.from_member or 'elsewhere'}",
        "a primary to move to another site",
        f"{baseline.service} would not move in this drill",
        "name the services with -e scope=..., and a target_site where they are not",
    )
    return dataclasses.replace(baseline, refusals=(refusal,))


def step_members(steps: Iterable[Step], name: StepName) -> list[str]:
    """The members a step is to be done at, in order."""
    return [step.member for step in steps if step.name == name and step.member is not None]
