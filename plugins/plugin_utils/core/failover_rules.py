# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of an unplanned move: the primary is lost, so nothing it did last can be asked of it."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.continuity.dr.plugins.plugin_utils.core import fencing, hold_off, loss, promotion_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View


def unmet(view: View, request: Request, target: Observation) -> Iterator[Refusal]:
    """Everything that must hold before a replica is promoted without its primary's consent."""
    yield from promotion_rules.unfit(target, "failover")
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
    yield from promotion_rules.no_arbiter(view, target)
    yield from _newest(view, target)
    if target.is_replica:
        yield from _loss(view, request, target)


def _unseen(view: View, target: Observation) -> Iterator[Refusal]:
    """Members that are no replica and cannot be fenced at all, and replicas that nobody can see."""
    suspects = fencing.may_be_primary(view, target)
    for other in view.others(target):
        if other.reachable:
            if not other.stays_replica and not other.is_primary and not view.service.has_fence:
                yield promotion_rules.no_fence(other)
        elif other not in suspects:
            yield Refusal(
                "missing_candidate",
                f"{other.member} cannot be reached",
                "every replica seen",
                "a replica with newer data may be missed",
                "restore the connection to it",
            )


def _newest(view: View, target: Observation) -> Iterator[Refusal]:
    for other in view.others(target):
        # A later timeline goes before any position: that one followed a promotion that the target missed
        ahead = (other.timeline or 0) - (target.timeline or 0) if other.timeline and target.timeline else 0
        if other.is_replica and (ahead, other.position or 0) > (0, target.position or 0):
            yield Refusal(
                "newer_replica",
                f"{target.member} at {target.position}, timeline {target.timeline}",
                f"{other.member} at {other.position}, timeline {other.timeline}",
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
    if limit == 0 and not loss.was_synchronous(view, request, target):
        yield Refusal(
            "synchronous_unproven",
            loss.last_sight(view, request, target),
            "the primary that is gone, last seen with it as sync",
            f"the plan promises rpo 0s, and nothing proves that {target.member} has every commit",
            "accept a bound with -e accept_data_loss=<duration>, or waive this rule by name",
        )
    elif found.seconds is None:
        yield promotion_rules.lag_unknown(target, loss.why_not(view, request, target))
    elif found.seconds > limit:
        yield Refusal(
            "lag_over_rpo",
            f"{found.seconds:.1f} s",
            f"{limit:g} s" if accepted is None else f"{accepted:g} s accepted",
            f"promoting {target.member} may lose more than the plan allows",
            "accept a larger bound with -e accept_data_loss=<duration>, or restore",
        )
