# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How much could be lost if a replica were promoted now: an upper bound in seconds, or unknown."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import LastSeen, Observation, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import SYNCHRONOUS, View


@dataclass(frozen=True)
class Bound:
    """At most this many seconds of acknowledged writes; None: not known. ``source`` says from what.

    ``seen`` is the last sight of the primary where the bound rests on it.
    """

    seconds: float | None
    source: str
    seen: LastSeen | None = None


def bound(view: View, request: Request, target: Observation) -> Bound:
    """The smallest bound that anything proves.

    The last sight of the old primary counts from its time when the target has everything that was there then;
    the age of the target's newest commit overstates on an idle service but never understates.
    """
    seen = _sight(view, target)
    if was_synchronous(view, target):
        return Bound(0.0, "the last sight of the primary: synchronous", seen)
    moment, why_now = _moment(request, seen, target)
    bounds: list[Bound] = []
    if seen and seen.position is not None and target.position is not None and target.position >= seen.position:
        bounds.append(Bound(max(0.0, moment - seen.time), f"the last sight of the primary{why_now}", seen))
    if target.lag_seconds is not None:
        since = max(0.0, request.now - moment)
        bounds.append(Bound(max(0.0, target.lag_seconds - since), f"the age of the newest replayed commit{why_now}"))
    known = [b for b in bounds if b.seconds is not None]
    return (
        min(known, key=lambda b: b.seconds or 0.0) if known else Bound(None, "neither a record nor a replayed commit")
    )


def _moment(request: Request, seen: LastSeen | None, target: Observation) -> tuple[float, str]:
    """When the outage began, at the latest; with the reason where what was told cannot be so."""
    told, now = request.outage_started, request.now
    if told is None:
        return now, ""
    committed = None if target.lag_seconds is None else now - target.lag_seconds
    later = [time for time in (seen.time if seen else None, committed) if time is not None and time > told + 1.0]
    if not later:
        return told, ""
    return now, f"; outage_started does not count, it served {max(later) - told:.0f} s after that"


def was_synchronous(view: View, target: Observation) -> bool:
    """The primary was last seen with this target confirming every commit."""
    seen = _sight(view, target)
    return bool(seen and seen.followers.get(target.member) in SYNCHRONOUS)


def _sight(view: View, target: Observation) -> LastSeen | None:
    """The last sight of the primary that is gone, where it counts."""
    return None if why_not(view, target) else view.last_seen


def why_not(view: View, target: Observation) -> str:
    """Why the last sight of a primary proves nothing about this target: it is of an earlier one, or another timeline.

    Empty where it counts, and where there is none.
    """
    seen, old = view.last_seen, view.old_primary(target)
    if seen is None:
        return ""
    if seen.member == target.member:
        return f"it is of {seen.member} itself"
    if old is not None and seen.member != old.member:
        return f"it is of {seen.member}, and the primary that is gone was {old.member}"
    if seen.timeline is not None and seen.timeline != target.timeline:
        return f"it is of timeline {seen.timeline}, and {target.member} is on {target.timeline}"
    return ""


def last_sight(view: View, request: Request, target: Observation) -> str:
    """What the last sight of a primary said of the target, how old it is, and why it does not count, if it does not."""
    seen = view.last_seen
    if seen is None:
        return "never seen"
    said = f"{seen.followers.get(target.member, 'not attached')}, {request.now - seen.time:.0f} s ago"
    why = why_not(view, target)
    return f"{said}, which does not count: {why}" if why else said


def describe(view: View, request: Request, target: Observation) -> str:
    """One line for the report: the bound, where it comes from, and how old that is."""
    found = bound(view, request, target)
    why = why_not(view, target)
    note = f"; the last sight of a primary does not count: {why}" if why else ""
    if found.seen:
        note = f", {request.now - found.seen.time:.0f} s ago"
    seconds = "unknown" if found.seconds is None else f"at most {found.seconds:.1f} s"
    return f"possible loss: {seconds} (from {found.source}{note})"


def describe_now(primary: Observation, target: Observation) -> str:
    """One line: what a failover would lose if the primary died at this moment."""
    mode = primary.followers.get(target.member, "not attached")
    if mode in SYNCHRONOUS:
        return f"a failover now would lose nothing: {target.member} is {mode}"
    behind = None if primary.position is None or target.position is None else max(0, primary.position - target.position)
    lag = "unknown" if target.lag_seconds is None else f"{target.lag_seconds:.1f} s"
    return (
        f"a failover now could lose: {'unknown' if behind is None else behind} bytes, {lag} ({target.member} is {mode})"
    )
