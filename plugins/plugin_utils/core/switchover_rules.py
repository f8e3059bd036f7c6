# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of a planned move: the primary runs, is stopped, and its replica must lack nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.continuity.dr.plugins.plugin_utils.core import promotion_rules, rules
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import SYNCHRONOUS, View, attached_as

#: A standby further behind than this would stretch a planned outage: it first has to catch up.
SWITCHOVER_LAG_BYTES = 16 * 1024 * 1024


def unmet(view: View, request: Request, primary: Observation | None, target: Observation) -> Iterator[Refusal]:
    """Everything that must hold before a healthy primary is stopped."""
    yield from promotion_rules.unfit(target, "switchover")
    if primary is None:
        yield no_primary()
        return
    for other in view.others(target):
        if other is not primary and other.reachable and not other.stays_replica and not view.service.has_fence:
            yield promotion_rules.no_fence(other)
        if other is not primary and not other.reachable:
            yield Refusal(
                "missing_candidate",
                f"{other.member} cannot be reached",
                "every member seen",
                "what it does, and what it holds, is not known",
                "restore the connection to it",
            )
    yield from promotion_rules.no_arbiter(view, target)
    yield from rules.problems(primary, "switchover")
    if primary.is_primary and target.is_replica:
        yield from _replication(view, primary, target)


def no_primary() -> Refusal:
    """Nobody serves who could be stopped in order."""
    return Refusal(
        "no_primary",
        "none runs",
        "one running primary",
        "there is nothing to switch over from",
        "if it is lost, run failover",
    )


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
            "mend what is measured: no rejoin does"
            if attached_as(mode or "") in SYNCHRONOUS
            else "run rejoin, which restores synchronous_standby_names",
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
        yield promotion_rules.lag_unknown(target)
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
