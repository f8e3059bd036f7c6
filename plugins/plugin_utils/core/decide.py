# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decide what to do for one service: ordered steps, or every reason why nothing is done.

Pure: the same view and the same request always give the same decision. Three promises hold for every input
and are tested with random ones: a promotion never stands without proof that every other member is out of the
way, a decision never leaves two primaries, and deciding again on the state it aims at gives no steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from ansible_collections.continuity.dr.plugins.plugin_utils.core import (
    explain,
    failover_rules,
    fencing,
    holding,
    lineage,
    promotion_rules,
    rejoin_rules,
    rules,
    switchover_rules,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    Decision,
    Observation,
    Refusal,
    Request,
    Step,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.steps import (
    bring_back,
    claim_and_leases,
    coming_back,
    lower_ttl,
    point,
    reachable,
    released_by_hand,
    restore_ttl,
    step_members,
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
    # What was cut off may have moved it away, and still holds it, or holds the new primary down
    if holding.own(view, request) or any(observed.half_fenced for observed in view.observed.values()):
        return False
    told = view.primaries or (view.endpoints and all(endpoint.reachable for endpoint in view.endpoints))
    return bool(told) or left not in view.service.sites.values()


def _switchover(view: View, request: Request) -> Decision:
    if request.prepare:
        return _prepare(view, request)
    target = view.target(request)
    if target is None:
        return _decision(view, request, None, (), promotion_rules.no_target(view, request))
    refused = [*rules.endpoints(view, request), *rules.one_primary(view, request)]
    # A silent member that may have been promoted since makes the one that stopped cleanly an earlier primary
    stopped = None if fencing.may_be_primary(view, target) else view.cleanly_stopped(target)
    primary = view.primary or stopped
    if view.primary is target:
        return _finish(view, request, target, refused, rejoin=True)
    refused += switchover_rules.unmet(view, request, primary, target)
    # Beside the primary nobody may be able to take writes either, not even a member that is down for repair
    idle = [o for o in view.others(target) if o is not primary and o.reachable and not o.stays_replica]
    moved = [Step("demote", primary.member), Step("promote", target.member)] if primary else []
    returning = [Step("rejoin", other.member) for other in view.others(target) if other.reachable]
    fences: list[Step] = [Step("fence", other.member) for other in idle]
    before = [*claim_and_leases(view), *(lower_ttl(view) if primary else []), *fences]
    steps = [*before, *moved, *point(view), *returning, Step("verify", target.member)]
    return _decision(view, request, target, steps, refused, old=primary)


def _prepare(view: View, request: Request) -> Decision:
    """Only the time to live, so that a later move finds no old answer in any cache."""
    refused = [*rules.endpoints(view, request), *rules.one_primary(view, request)]
    primary = view.primary
    if primary is None:
        refused += [] if view.primaries else [switchover_rules.no_primary()]
        return _decision(view, request, None, (), refused)
    left = lower_ttl(view) or holding.own(view, request)
    steps = [*claim_and_leases(view), Step("lower_ttl"), Step("verify", primary.member)] if left else []
    return _decision(view, request, primary, steps, refused)


def _failover(view: View, request: Request) -> Decision:
    target = view.target(request)
    if target is None:
        return _decision(view, request, None, (), promotion_rules.no_target(view, request))
    refused = [*rules.endpoints(view, request), *rules.one_primary(view, request)]
    if view.primary is target:
        return _finish(view, request, target, refused, rejoin=False)
    refused += failover_rules.unmet(view, request, target)
    lost = [other for other in fencing.may_be_primary(view, target) if fencing.usable(view, other)]
    here = [other for other in view.others(target) if other.reachable and not other.stays_replica]
    fences: list[Step] = [Step("fence", other.member) for other in view.others(target) if other in [*here, *lost]]
    promoted = [*fences, Step("promote", target.member), *point(view)]
    siblings = [Step("rejoin", other.member) for other in view.others(target) if other.stays_replica]
    steps = [*claim_and_leases(view), *promoted, *siblings, Step("verify", target.member)]
    return _decision(view, request, target, steps, refused, old=view.old_primary(target))


def _rejoin(view: View, request: Request) -> Decision:
    refused = [*rules.endpoints(view, request), *rules.one_primary(view, request), *rejoin_rules.unmet(view)]
    primary = view.primary
    if primary is None:
        return _decision(view, request, None, (), refused)
    missing = view.not_following(primary)
    returning = bring_back(view, primary)
    # One without power comes back with its database held down, and rejoins in the next run, which can see it
    returning += [Step("release", other.member) for other in missing if fencing.switched_off(view, other)]
    left = returning or primary.half_fenced or holding.own(view, request)
    steps = [*claim_and_leases(view), *returning, Step("verify", primary.member)] if left else []
    return _decision(view, request, primary, steps, refused)


def _assess(view: View, request: Request) -> Decision:
    """Would a planned move work right now, to where, and what stands in the way? Never any steps."""
    refused = [*rules.endpoints(view, request), *rules.one_primary(view, request), *fencing.mismatch(view)]
    refused += holding.leases(view, request)
    target = view.target(request)
    if target is None:
        refused += promotion_rules.no_target(view, request)
    elif view.primary is not target:
        refused += switchover_rules.unmet(view, request, view.primary, target)
    return _decision(view, request, target, (), refused, old=view.primary)


def _finish(view: View, request: Request, target: Observation, refused: list[Refusal], *, rejoin: bool) -> Decision:
    """The target is primary already: only what a cut-off run may have left undone.

    What this run still holds from before it was cut off is given back, or it would keep others out until it ends.
    """
    held = holding.own(view, request)
    clients_move = not view.reachable_endpoints_hold(target.address)
    left = point(view) if clients_move or held else []
    if clients_move and not lineage.is_newest(view, target):
        # Clients follow the record: as for a promotion, nobody else may take writes, and who gives no answer may
        refused += [*fencing.sightings(view, target), *fencing.unfenced(view, request, target)]
        silent = [o for o in fencing.may_be_primary(view, target) if fencing.usable(view, o)]
        left = [*[Step("fence", other.member) for other in silent], *left]
    if rejoin:
        left += [*([] if left else restore_ttl(view)), *bring_back(view, target)]
    elif view.service.has_fence:
        left = [*[Step("fence", other.member) for other in released_by_hand(view, target)], *left]
    unfinished = left or held or target.half_fenced
    steps = [*claim_and_leases(view), *left, Step("verify", target.member)] if unfinished else []
    return _decision(view, request, target, steps, refused)


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
    if refusals or request.verb == "assess":
        refusals += [refusal for refusal in rules.told(view) if refusal not in refusals]
    steps = () if refusals else steps
    return Decision(
        service=view.service.name,
        verb=request.verb,
        steps=steps,
        refusals=tuple(refusals),
        waivers=tuple(waivers),
        evidence=tuple(explain.evidence(view, request, target)),
        from_member=old.member if old else None,
        to_member=target.member if target else None,
        from_site=old.site if old else None,
        to_site=target.site if target else None,
        redundancy=explain.redundancy(
            view, request, view.primary if request.verb == "assess" or refusals else target, steps
        ),
        caches=() if refusals else tuple(explain.caches(view, request, steps)),
        notices=tuple(explain.notices(view, request)),
        degraded=() if steps or refusals else tuple(explain.degraded(view, request)),
        epoch=view.epoch + 1,
        fences={name: fencing.usable(view, view.observed[name]) for name in step_members(steps, "fence")},
        releases={name: fencing.releasable(view, view.observed[name]) for name in coming_back(steps)},
        gives_back=tuple(reachable(view)) if holding.gives_back(view, request) else (),
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
