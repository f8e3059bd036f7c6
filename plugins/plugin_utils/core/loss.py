# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How much could be lost if a replica were promoted now: an upper bound in seconds, or unknown."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import LastSeen, Observation, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import QUORUM, SYNCHRONOUS, View, attached_as

#: A clock that is kept right may be set back by less than this. What lies further ahead is of no known time.
CLOCK_STEP_SECONDS = 1.0


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
    the age of the target's newest commit overstates on an idle service, and understates only where the clock of the
    primary that made it was ahead of the target's and of this controller's, and no sight of it tells by how much.
    """
    seen = _sight(view, request, target)
    if was_synchronous(view, request, target):
        return Bound(0.0, "the last sight of the primary: synchronous", seen)
    if _branched(view, target):
        return Bound(None, f"{target.member} left the primary for a timeline of which no record tells")
    ages = _ages(request, seen, target)
    moment, why_now = _moment(request, seen, ages)
    bounds: list[Bound] = []
    dated = seen if seen and seen.time <= request.now else None  # of one from the future nobody knows how old it is
    if dated and dated.position is not None and target.position is not None and target.position >= dated.position:
        bounds.append(Bound(max(0.0, moment - dated.time), f"the last sight of the primary{why_now}", dated))
    if ages is not None:
        since = max(0.0, request.now - moment)
        source = f"the age of the newest replayed commit{_clocks(request, seen, target, ages)}{why_now}"
        bounds.append(Bound(max(0.0, max(ages) - since), source))
    known = [b for b in bounds if b.seconds is not None]
    if known:
        return min(known, key=lambda b: b.seconds or 0.0)
    if target.committed is not None:
        return Bound(None, "the newest replayed commit lies in the future, so two clocks differ")
    return Bound(None, "neither a record nor a replayed commit")


def _branched(view: View, target: Observation) -> bool:
    """It is on a later timeline than the primary was last seen on, and nobody's record tells of a promotion to it.

    It may have been a primary of its own for a moment: then its newest commit is its own, and however new that is, it
    lacks what the primary acknowledged since.
    """
    seen = view.last_seen
    if seen is None or seen.timeline is None or target.timeline is None or target.timeline <= seen.timeline:
        return False
    records = [o.promotion["timeline"] for o in view.observed.values() if o.promotion and o.promotion.get("timeline")]
    return all(int(timeline) < target.timeline for timeline in records)


def _ages(request: Request, seen: LastSeen | None, target: Observation) -> tuple[float, ...] | None:
    """How old the newest thing is that the target holds, by each clock that could tell; None: not known.

    A commit has the time of a primary that nobody can ask any more. To a member whose clock is behind that one's it
    looks younger than it is, and nothing in its answer shows it. This controller's clock is the second witness, and a
    sight of that primary the third: by how much its clock was ahead then. Which of them is right now nobody knows (the
    sight may be another controller's), so the oldest age bounds the loss, and a commit that lies in the future by
    either of the clocks has none. All are of the moment of the decision: since the member was asked they have grown.
    """
    if target.lag_seconds is None:
        return None
    there = target.lag_seconds + (0.0 if target.asked is None else max(0.0, request.now - target.asked))
    if target.committed is None:
        return (there,)
    here = request.now - target.committed
    return None if here < -CLOCK_STEP_SECONDS else (there, max(0.0, here), max(0.0, here + _ahead(seen)))


def _ahead(primary: LastSeen | Observation | None) -> float:
    """So many seconds a commit may be older than its time says; one that is behind makes none younger."""
    return 0.0 if primary is None else max(0.0, primary.clock_ahead or 0.0)


def _clocks(request: Request, seen: LastSeen | None, target: Observation, ages: tuple[float, ...]) -> str:
    """Which clocks differ: the primary's where the bound grew by it, the target's where its answer leaves no doubt."""
    if target.committed is None:
        return ""
    *witnesses, corrected = ages
    added = ""
    if seen and corrected - max(witnesses) > CLOCK_STEP_SECONDS:  # less may be the way of the question, and is no news
        was = f"at most {_ahead(seen):.1f} s ahead of this controller's when last seen"
        added = f"; {seen.member}'s clock was {was}, which is added"
    if target.asked is None:
        return added
    own = target.committed + (target.lag_seconds or 0.0)
    behind, ahead = target.asked - own, own - request.now
    if max(behind, ahead) <= CLOCK_STEP_SECONDS:
        return added
    differs = f"{behind:.0f} s behind" if behind > 0 else f"{ahead:.0f} s ahead of"
    return f"; {target.member}'s clock is {differs} this controller's{added or ', and the later one counts'}"


def _moment(request: Request, seen: LastSeen | None, ages: tuple[float, ...] | None) -> tuple[float, str]:
    """When the outage began, at the latest; with the reason where what was told cannot be so."""
    told, now = request.outage_started, request.now
    if told is None:
        return now, ""
    committed = None if ages is None else now - min(ages)  # that it served later is told by either clock
    later = [time for time in (seen.time if seen else None, committed) if time is not None and time > told + 1.0]
    if not later:
        return told, ""
    return now, f"; outage_started does not count, it served {max(later) - told:.0f} s after that"


def was_synchronous(view: View, request: Request, target: Observation) -> bool:
    """The primary was last seen with this target confirming every commit.

    In a quorum any other of it may have confirmed one in its place: only where all of them can be asked for what they
    hold (which must not be more: `newer_replica`) do they prove it together.
    """
    seen = _sight(view, request, target)
    if seen is None or seen.followers.get(target.member) not in SYNCHRONOUS:
        return False
    quorum = {name: mode for name, mode in seen.followers.items() if attached_as(mode) == QUORUM}
    asked = {o.member for o in view.observed.values() if o.is_replica and o.position is not None}
    together = set(quorum) <= {*asked, target.member} and set(quorum.values()) == {QUORUM}
    return target.member not in quorum or together


def _sight(view: View, request: Request, target: Observation) -> LastSeen | None:
    """The last sight of the primary that is gone, where it counts."""
    return None if why_not(view, request, target) else view.last_seen


def why_not(view: View, request: Request, target: Observation) -> str:
    """Why the last sight of a primary proves nothing about this target: it is of another one, or of no known time.

    Empty where it counts, and where there is none.
    """
    seen, old = view.last_seen, view.old_primary(target)
    if seen is None:
        return ""
    if seen.time > request.now + CLOCK_STEP_SECONDS:
        return "it lies in the future, so the controller's clock was wrong then, or is now"
    if seen.system_id and target.system_id and seen.system_id != target.system_id:
        return f"it is of the cluster {seen.system_id}, and {target.member} is of {target.system_id}"
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
    said = f"{seen.followers.get(target.member, 'not attached')}, {_ago(seen, request)}"
    why = why_not(view, request, target)
    return f"{said}, which does not count: {why}" if why else said


def _ago(seen: LastSeen, request: Request) -> str:
    age = request.now - seen.time
    return f"{max(0.0, age):.0f} s ago" if age >= -CLOCK_STEP_SECONDS else f"{-age:.0f} s ahead of the clock"


def describe(view: View, request: Request, target: Observation) -> str:
    """One line for the report: the bound, where it comes from, and how old that is."""
    found = bound(view, request, target)
    why = why_not(view, request, target)
    note = f"; the last sight of a primary does not count: {why}" if why else ""
    if found.seen:
        note = f", {_ago(found.seen, request)}"
    seconds = "unknown" if found.seconds is None else f"at most {found.seconds:.1f} s"
    return f"possible loss: {seconds} (from {found.source}{note})"


def describe_now(primary: Observation, target: Observation) -> str:
    """One line: what a failover would lose if the primary died at this moment."""
    mode = primary.followers.get(target.member, "not attached")
    if mode in SYNCHRONOUS:
        return f"a failover now would lose nothing: {target.member} is {mode}"
    behind = None if primary.position is None or target.position is None else max(0, primary.position - target.position)
    age = target.lag_seconds
    if age is not None and target.committed is not None and target.asked is not None:
        # The target's own clock may be behind, and the primary's ahead of this controller's
        age = max(age, target.asked - target.committed + _ahead(primary))
    lag = "unknown" if age is None else f"{age:.1f} s"
    return (
        f"a failover now could lose: {'unknown' if behind is None else behind} bytes, {lag} ({target.member} is {mode})"
    )
