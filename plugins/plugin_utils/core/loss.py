# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How much could be lost if a replica were promoted now: an upper bound in seconds, or unknown."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import LastSeen, Observation, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import SYNCHRONOUS, View


@dataclass(frozen=True)
class Bound:
    """At most this many seconds of acknowledged writes; None: not known. ``source`` says from what."""

    seconds: float | None
    source: str


def bound(view: View, request: Request, target: Observation) -> Bound:
    """The smallest bound that anything proves.

    The last sight of the old primary counts from its time when the target has everything that was there then;
    the age of the target's newest commit overstates on an idle service but never understates.
    """
    if was_synchronous(view, target):
        return Bound(0.0, "the last sight of the primary: synchronous")
    moment = request.outage_started if request.outage_started is not None else request.now
    bounds: list[Bound] = []
    seen = _sight(view, target)
    if seen and seen.position is not None and target.position is not None and target.position >= seen.position:
        bounds.append(Bound(max(0.0, moment - seen.time), "the last sight of the primary"))
    if target.lag_seconds is not None:
        since = max(0.0, request.now - moment)
        bounds.append(Bound(max(0.0, target.lag_seconds - since), "the age of the newest replayed commit"))
    known = [b for b in bounds if b.seconds is not None]
    return (
        min(known, key=lambda b: b.seconds or 0.0) if known else Bound(None, "neither a record nor a replayed commit")
    )


def was_synchronous(view: View, target: Observation) -> bool:
    """The primary was last seen with this target confirming every commit."""
    seen = _sight(view, target)
    return bool(seen and seen.followers.get(target.member) in SYNCHRONOUS)


def _sight(view: View, target: Observation) -> LastSeen | None:
    """The last sight of the primary that is gone; one of an earlier primary, on another timeline, proves nothing."""
    seen, old = view.last_seen, view.old_primary(target)
    if seen is None or seen.member == target.member or (old is not None and seen.member != old.member):
        return None
    return seen if seen.timeline is None or seen.timeline == target.timeline else None


def describe(view: View, request: Request, target: Observation) -> str:
    """One line for the report: the bound, where it comes from, and how old that is."""
    found = bound(view, request, target)
    age = "" if view.last_seen is None else f"; last sight of the primary {request.now - view.last_seen.time:.0f} s ago"
    seconds = "unknown" if found.seconds is None else f"at most {found.seconds:.1f} s"
    return f"possible loss: {seconds} (from {found.source}{age})"


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
