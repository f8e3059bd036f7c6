# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take, renew, release and read the claim of an endpoint at its guard, by compare-and-swap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import (
    IMPOSSIBLE,
    Answer,
    Change,
    Primary,
    Question,
    RecordSet,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import (
    Claimant,
    ClaimDecision,
    decide_claim,
    held_by,
    is_own,
    is_usable,
    out_of_date,
    seconds_until_free,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import (
    PREREQUISITE_CODES,
    DnsError,
    DnsRefused,
    NoReply,
    Unreachable,
    rejected,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import (
    GUARD_TTL_SECONDS,
    MARGIN_SECONDS,
    Guard,
    GuardUnreadable,
    parse_guard,
    timestamp,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.values import stored_form

#: Each round lost means that another run's write won in between; so many in a row are a fight, not a race.
ROUNDS = 5

AGAIN = "It may stand: run again with the same run id to adopt it"

Written = Literal["done", "lost", "unanswered"]


@dataclass(frozen=True)
class GuardRead:
    """The guard as it stands: what it says, and exactly how it is stored."""

    guard: Guard | None
    stored: tuple[str, ...]
    #: seconds by which the server's clock is ahead of ours
    ahead: float = 0.0


def read_guard(answer: Answer, target: Target, server: str) -> GuardRead:
    """Read the guard from an answer. Raises DnsError where the server does not hold the zone or the TXT is no guard."""
    require_authority(answer, target, server)
    try:
        return GuardRead(parse_guard(answer.values), answer.stored, answer.ahead)
    except GuardUnreadable as error:
        text = f"{target.guard_name}: {error}. It is left alone: remove it, or give another guard_name"
        raise DnsError("guard_unreadable", text, found=list(answer.values)) from None


def require_authority(answer: Answer, target: Target, server: str) -> None:
    """Raise DnsError unless the answer is the zone's own data."""
    if answer.rcode not in ("NOERROR", "NXDOMAIN", "REFUSED"):
        raise rejected(answer.rcode, server, target.zone, target.key_name)
    if not answer.authoritative:
        text = f"{server} is not authoritative for {target.zone}: give the address of the zone's primary"
        raise DnsError("not_authoritative", text, server=server)


def describe(guard: Guard, now: float) -> dict[str, Any]:
    """A guard as plain data; ``seconds_left`` until another run may take the claim."""
    return {
        "epoch": guard.epoch,
        "run_id": guard.run,
        "owner": guard.owner,
        "state": guard.state,
        "until": timestamp(guard.until),
        "seconds_left": round(seconds_until_free(guard, now), 1),
        "cached_seconds": round(max(0.0, guard.cached - now), 1),
    }


class Claims:
    """The claim of one endpoint for one claimant.

    Time is the name server's, where it signs: two controllers judge a claim's end by one clock, theirs may be wrong.
    ``record_type``, when given, also proves with each claim that the key may change the endpoint's record.
    """

    def __init__(
        self, target: Target, claimant: Claimant, primary: Primary, clock: Clock, record_type: str | None = None
    ) -> None:
        self.target, self.claimant, self.primary, self.clock = target, claimant, primary, clock
        self._ahead = 0.0
        self.probe = (RecordSet(target.name, record_type, (IMPOSSIBLE[record_type],)),) if record_type else ()

    def observe(self) -> dict[str, Any]:
        """Who holds the claim now: ``own``, ``held`` by another run, or ``free``. One question, one answer."""
        found = self._read().guard
        status = "own" if is_own(found, self.claimant.run_id) else "held" if self._open(found) else "free"
        return self._result(status, False, found, found)

    def claim(self, check_mode: bool = False) -> dict[str, Any]:
        """Take the claim or renew one's own. Raises DnsRefused ``claim_held`` where another run holds it."""
        sent: ClaimDecision | None = None
        first: Guard | None = None
        for attempt in range(ROUNDS):
            read = self._read(unanswered=sent is not None)
            first = read.guard if attempt == 0 else first
            if sent and sent.guard == read.guard:  # no answer came, and it was applied
                return self._result(sent.outcome, True, first, read.guard, sent.taken_over)
            decision = self._decide(read)
            if decision.guard is None:
                raise AssertionError("_decide refuses what it does not want written")
            written = "done" if check_mode else self._write(read, decision.guard)
            if written == "done":
                return self._result(decision.outcome, True, read.guard, decision.guard, decision.taken_over)
            sent = decision if written == "unanswered" else None
        text = f"{self.target.guard_name} could not be claimed in {ROUNDS} attempts"
        if sent:
            raise DnsError("unknown", f"{text}: the server does not answer changes. {AGAIN}")
        raise DnsError("contended", f"{text}: other runs write it at the same time")

    def release(self, check_mode: bool = False) -> dict[str, Any]:
        """Close one's own claim, epoch kept. A claim that is not one's own is left alone: status ``not_own``."""
        for _attempt in range(ROUNDS):
            read = self._read()
            found = read.guard
            same = self.claimant.epoch is None or (found is not None and found.epoch == self.claimant.epoch)
            if found is None or not is_own(found, self.claimant.run_id) or not same:
                mine = found is not None and found.run == self.claimant.run_id and same
                return self._result("released" if mine else "not_own", False, found, found)
            after = found.ended("released", self._now())
            if check_mode or self._write(read, after) == "done":
                return self._result("released", True, found, after)
        text = f"{self.target.guard_name} could not be released in {ROUNDS} attempts; the claim ends by itself"
        raise DnsError("unknown", text)

    def _decide(self, read: GuardRead) -> ClaimDecision:
        now = self._now()
        decision = decide_claim(read.guard, self.claimant, now)
        if decision.outcome == "stale":
            raise DnsRefused(out_of_date(read.guard, self.claimant, self.target.name), status="stale")
        if decision.outcome == "held" and read.guard:
            raise DnsRefused(
                held_by(read.guard, self.target.name, now), status="held", held_by=describe(read.guard, now)
            )
        return decision

    def _read(self, unanswered: bool = False) -> GuardRead:
        try:
            answer = self.primary.ask(Question(self.target.guard_name, "TXT"))[0]
        except Unreachable as error:
            if unanswered:
                raise DnsError("unknown", f"{error}. A claim was sent and not answered. {AGAIN}") from None
            raise self._no_arbiter(error) from None
        read = read_guard(answer, self.target, self.target.server_names)
        self._ahead = read.ahead
        return read

    def _now(self) -> float:
        return self.clock.now() + self._ahead

    def _write(self, read: GuardRead, after: Guard) -> Written:
        """Swap the guard; ``lost``: somebody was there first."""
        before = RecordSet(self.target.guard_name, "TXT", read.stored)
        put = RecordSet(self.target.guard_name, "TXT", (stored_form("TXT", after.text()),), GUARD_TTL_SECONDS)
        try:
            rcode, _answers = self.primary.change(Change(self.target.zone, (before,), (put,), self.probe))
        except NoReply:
            return "unanswered"
        except Unreachable as error:
            raise self._no_arbiter(error) from None
        if rcode in PREREQUISITE_CODES:
            return "lost"
        if rcode != "NOERROR":
            raise rejected(rcode, self.target.server_names, self.target.zone, self.target.key_name)
        return "done"

    def _no_arbiter(self, error: Unreachable) -> DnsRefused:
        return DnsRefused(
            Refusal(
                "arbiter_unreachable",
                measured=str(error),
                limit="one answer of the zone's primary",
                message=f"the claim of {self.target.name} cannot be taken: its name server does not answer",
                hint="bring the name server back; waive arbiter_unreachable only when no other operator can be at work",
            )
        )

    def _open(self, found: Guard | None) -> bool:
        return seconds_until_free(found, self._now()) > 0

    def _result(
        self, status: str, changed: bool, before: Guard | None, after: Guard | None, taken_over: Guard | None = None
    ) -> dict[str, Any]:
        now = self._now()
        own = after if is_own(after, self.claimant.run_id) else None
        nobody: dict[str, Any] = {"epoch": 0, "run_id": None, "owner": None, "state": None, "until": None}
        nobody |= {"seconds_left": 0.0, "cached_seconds": 0.0}
        return {
            "changed": changed,
            "status": status,
            "name": self.target.name,
            **(describe(after, now) if after else nobody),
            "usable": is_usable(after, self.claimant.run_id, now),
            "usable_seconds": round(max(0.0, own.until - MARGIN_SECONDS - now), 1) if own else 0.0,
            # By this controller's own clock, for steps that come later: they may come much later
            "usable_until": round(own.until - MARGIN_SECONDS - self._ahead, 1) if own else 0.0,
            "guard": after.text() if after else None,
            "guard_before": before.text() if before else None,
            "guard_after": after.text() if after else None,
            "taken_over": taken_over.text() if taken_over else None,
        }
