# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a record may be moved: the pure rule, from what was read and what is wanted to one decision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import held_by
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import Guard, standing

ServerState = Literal["fresh", "stale", "lame", "servfail", "unreachable"]
#: ``move``: another value. ``lower`` and ``restore``: another time to live, the value stays.
Purpose = Literal["move", "lower", "restore"]

#: TTL of a record that did not exist and for which none was given.
NEW_RECORD_TTL = 60


@dataclass(frozen=True)
class Expected:
    """What the record must hold before the switch: an exact set, nothing (``absent``), or anything (``any``)."""

    kind: Literal["set", "absent", "any"]
    values: tuple[str, ...] = ()

    def allows(self, values: Sequence[str]) -> bool:
        """Whether a record with these values (none: it does not exist) may be replaced."""
        return self.kind == "any" or tuple(values) == self.values

    def __str__(self) -> str:
        return ", ".join(self.values) if self.kind == "set" else self.kind


@dataclass(frozen=True)
class Wanted:
    """The switch asked for. ``run_id`` and ``epoch`` are given together, or neither."""

    values: tuple[str, ...]
    expected: Expected
    ttl: int | None = None
    run_id: str | None = None
    epoch: int | None = None
    purpose: Purpose = "move"


@dataclass(frozen=True)
class Seen:
    """What the primary holds: the record, an alias in its place, the guard, and the zone's serial.

    ``ahead``: seconds by which its clock is ahead of ours.
    """

    values: tuple[str, ...] = ()
    ttl: int | None = None
    stored: tuple[str, ...] = ()
    alias: str | None = None
    guard: Guard | None = None
    guard_stored: tuple[str, ...] = ()
    serial: int | None = None
    negative_ttl: int | None = None
    ahead: float = 0.0

    def held_seconds(self, now: float) -> int | None:
        """How long clients may go on with this answer after ``now``; None where it is not known.

        A time to live that was lowered a moment ago does not shorten what resolvers were told before.
        """
        own = self.ttl if self.values else self.negative_ttl
        noted = math.ceil(self.guard.cached - self.ahead - now) if self.guard and self.values else 0
        return None if own is None else max(own, noted)


@dataclass(frozen=True)
class SwitchDecision:
    """``already``: nothing to do. ``swap``: send the change. ``refused``: the rule that forbids it."""

    action: Literal["already", "swap", "refused"]
    refusal: Refusal | None = None


def decide_switch(wanted: Wanted, seen: Seen, name: str, now: float) -> SwitchDecision:
    """Decide what to do about a record. A later epoch refuses first: who lost the claim knows nothing any more."""
    refusal = _stale(wanted, seen, name)
    if refusal:
        return SwitchDecision("refused", refusal)
    if _reached(wanted, seen):
        return SwitchDecision("already")
    refusal = _no_claim(wanted, seen, name, now) or _conflict(wanted, seen, name)
    return SwitchDecision("refused", refusal) if refusal else SwitchDecision("swap")


def owns(guard: Guard | None, wanted: Wanted) -> bool:
    """The guard carries exactly this run's claim and epoch, open or already used by this run's switch."""
    return guard is not None and (guard.run, guard.epoch) == (wanted.run_id, wanted.epoch)


def serial_reached(serial: int, wanted: int) -> bool:
    """``serial`` is ``wanted`` or later in the circular arithmetic of RFC 1982 (SERIAL_BITS 32).

    >>> serial_reached(3, 4294967290), serial_reached(4294967290, 3)
    (True, False)
    """
    return (serial - wanted) % 2**32 < 2**31


def server_state(
    rcode: str,
    authoritative: bool,
    values: Sequence[str],
    serial: int | None,
    wanted: Sequence[str],
    minimum_serial: int | None,
) -> ServerState:
    """What one server's answers are worth. A serial that is not known is not a reached one."""
    if rcode == "TIMEOUT":
        return "unreachable"
    if rcode in ("REFUSED", "NOTAUTH") or (rcode in ("NOERROR", "NXDOMAIN") and not authoritative):
        return "lame"
    if rcode not in ("NOERROR", "NXDOMAIN"):
        return "servfail"
    reached = minimum_serial is None or (serial is not None and serial_reached(serial, minimum_serial))
    return "fresh" if reached and tuple(values) == tuple(wanted) else "stale"


def new_ttl(wanted: Wanted, seen: Seen) -> int:
    """The TTL to write: the one asked for, else the record's own."""
    return wanted.ttl or seen.ttl or NEW_RECORD_TTL


def new_guard(wanted: Wanted, seen: Seen, now: float) -> Guard | None:
    """The guard to write with the record; None where it stays as it is. Its times are the name server's."""
    if wanted.run_id is None or seen.guard is None:
        return None
    if wanted.purpose == "move":
        return seen.guard.ended("switched", now)
    if wanted.purpose == "restore":
        return replace(seen.guard, cached=0)
    return replace(seen.guard, cached=max(seen.guard.cached, math.ceil(now + seen.ahead) + (seen.ttl or 0)))


def _reached(wanted: Wanted, seen: Seen) -> bool:
    if wanted.purpose == "lower":  # one that is shorter still does no harm
        return seen.values == wanted.values and seen.ttl is not None and seen.ttl <= (wanted.ttl or 0)
    if seen.values != wanted.values or wanted.ttl not in (None, seen.ttl):
        return False
    if wanted.purpose == "restore":
        return True
    # An open claim of this run still has to be closed by moving the guard with the record.
    return not (owns(seen.guard, wanted) and seen.guard is not None and seen.guard.state == "claimed")


def _stale(wanted: Wanted, seen: Seen, name: str) -> Refusal | None:
    if wanted.epoch is None or seen.guard is None or seen.guard.epoch <= wanted.epoch:
        return None
    return Refusal(
        "stale_epoch",
        measured=f"epoch {seen.guard.epoch} of run {seen.guard.run}",
        limit=f"epoch {wanted.epoch}",
        message=f"{name} was claimed again since this run's epoch {wanted.epoch}: this run is out of date",
        hint="start a new run; it observes first and decides anew",
    )


def _no_claim(wanted: Wanted, seen: Seen, name: str, now: float) -> Refusal | None:
    if wanted.epoch is None:
        open_claim = seen.guard is not None and seen.guard.state == "claimed"
        if open_claim and seen.guard is not None and standing(seen.guard.until, now) != "expired":
            return held_by(seen.guard, name, now)
        return None
    if owns(seen.guard, wanted) and seen.guard is not None and seen.guard.state != "released":
        return None
    measured = f"epoch {seen.guard.epoch} of run {seen.guard.run}, {seen.guard.state}" if seen.guard else "no guard"
    return Refusal(
        "claim_missing",
        measured=measured,
        limit=f"epoch {wanted.epoch} of run {wanted.run_id}, claimed",
        message=f"{name} is not claimed by this run",
        hint="claim it first (continuity.dr.dns_claim, state claimed) and pass the epoch it returns",
    )


def _conflict(wanted: Wanted, seen: Seen, name: str) -> Refusal | None:
    if seen.alias is None and (seen.values == wanted.values or wanted.expected.allows(seen.values)):
        return None
    found = f"alias of {seen.alias}" if seen.alias else ", ".join(seen.values) or "absent"
    return Refusal(
        "conflict",
        measured=f"now {found}",
        limit=f"expected {wanted.expected}, or already {', '.join(wanted.values)}",
        message=f"{name} was changed by someone else; their value is kept",
        hint="find out who changed it; then give the present value as 'expected', or put the record right first",
    )
