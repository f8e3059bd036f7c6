# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Move a record and its guard in one UPDATE message, and read back what the primary holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import (
    Answer,
    Change,
    Primary,
    Question,
    RecordSet,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import read_guard, require_authority
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
    own_text,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.outcome import Outcome, view
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import (
    Seen,
    SwitchDecision,
    Wanted,
    decide_switch,
    new_guard,
    new_ttl,
    owns,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.values import stored_form

Written = Literal["done", "lost", "unanswered", "unsent"]

#: A prerequisite that fails although the record reads as expected means that others write it all the time.
LOST_ROUNDS = 5
AGAIN = "A change was sent and not answered: it may be applied. Run again to know"

#: Seconds between two attempts to reach a primary that does not answer.
RETRY_SECONDS = 0.2


class Switch:
    """One record's switch. ``deadline`` bounds all of it, in seconds, on the monotonic clock."""

    def __init__(
        self, target: Target, rtype: str, wanted: Wanted, primary: Primary, clock: Clock, deadline: float
    ) -> None:
        self.target, self.rtype, self.wanted, self.primary, self.clock = target, rtype, wanted, primary, clock
        self.expires = clock.monotonic() + deadline
        self._questions = (
            Question(target.zone, "SOA"),
            Question(target.name, rtype),
            Question(target.guard_name, "TXT"),
        )

    def plan(self, guard_text: str | None = None) -> Outcome:
        """What ``run`` would do, by the same rules, without sending a change (check mode).

        The claim before it was not written either: ``guard_text`` stands for it where it is the later one.
        """
        seen = self._read(unanswered=False)
        claim = own_text(guard_text)
        if claim and owns(claim, self.wanted) and (seen.guard is None or seen.guard.epoch < claim.epoch):
            seen = replace(seen, guard=claim)
        decision = decide_switch(self.wanted, seen, self.target.name, self.clock.now())
        self._stop_on(decision, seen)
        if decision.action == "already":
            return Outcome("already", False, seen, seen, None)
        return Outcome("switched", True, seen, self._goal(seen), None)

    def run(self, guard_text: str | None = None) -> Outcome:
        """Switch, or find that it is done. Raises DnsRefused or DnsError otherwise.

        With ``guard_text`` (what the claim returned) and an exact expected value the change is sent at once:
        its prerequisites hold only if the zone is exactly so. It is read first only when they do not hold.
        """
        assumed = self._assumed(guard_text)
        first: Seen | None = None
        unanswered, lost = False, 0
        while True:
            seen = assumed or self._read(unanswered)
            decision = decide_switch(self.wanted, seen, self.target.name, self.clock.now())
            if not assumed:
                first = first or seen
                self._stop_on(decision, seen)
                if decision.action == "already":
                    return self._already(first, seen, unanswered)
            if decision.action == "swap":
                written, before = self._swap(seen, read_along=assumed is not None)
                if written == "done":
                    return self._confirm(before)
                unanswered = unanswered or written == "unanswered"
                lost += written == "lost"
            assumed = None
            self._stop_when_hopeless(lost, unanswered)

    def _stop_on(self, decision: SwitchDecision, seen: Seen) -> None:
        if decision.refusal:
            raise DnsRefused(
                decision.refusal, before=view(seen), expected=str(self.wanted.expected), value=list(self.wanted.values)
            )

    def _stop_when_hopeless(self, lost: int, unanswered: bool) -> None:
        if lost >= LOST_ROUNDS:
            text = f"{self.target.name} is written by others all the time: {lost} changes in a row came too late"
            raise DnsError("conflict", text)
        if self.clock.monotonic() >= self.expires:
            text = f"the deadline passed before {self.target.server_names} confirmed the change of {self.target.name}"
            raise DnsError("unknown", f"{text}. {AGAIN}") if unanswered else DnsError("timeout", text)

    def _already(self, first: Seen, seen: Seen, unanswered: bool) -> Outcome:
        if unanswered:  # the change was applied and only its answer was lost
            same = (first.values, first.ttl) == (seen.values, seen.ttl)
            before = replace(seen, values=self.wanted.expected.values, ttl=None) if same else first
            return Outcome("switched", True, before, seen, self.clock.now())
        return Outcome("already", False, seen, seen, None)

    def _assumed(self, guard_text: str | None) -> Seen | None:
        """What the zone must hold if the claim's answer and the expected value are still true."""
        guard, values = own_text(guard_text), self.wanted.expected.values
        known = self.wanted.expected.kind != "any" and self.wanted.ttl is not None
        if guard is None or not known or values == self.wanted.values:
            return None
        stored = tuple(stored_form(self.rtype, value) for value in values)
        return Seen(values, None, stored, guard=guard, guard_stored=(stored_form("TXT", guard.text()),))

    def _read(self, unanswered: bool) -> Seen:
        """Read, again until the deadline: after a promotion clients wait for nothing but this."""
        while True:
            try:
                return self._seen(self.primary.ask(*self._questions))
            except Unreachable as error:
                if self.clock.monotonic() + RETRY_SECONDS >= self.expires:
                    raise DnsError("unknown", f"{error}. {AGAIN}") if unanswered else error from None
            self.clock.pause(RETRY_SECONDS)

    def _seen(self, answers: Sequence[Answer]) -> Seen:
        soa, record, guard_answer = answers
        for answer in answers:
            require_authority(answer, self.target, self.target.server_names)
        if soa.serial is None:
            where = self.target.server_names
            text = f"{self.target.zone} is not a zone of its own at {where}: give the zone the record is in"
            raise DnsError("not_zone", text)
        guard = read_guard(guard_answer, self.target, self.target.server_names)
        known = (record.values, record.ttl, record.stored, record.alias, guard.guard, guard.stored)
        return Seen(*known, serial=soa.serial, negative_ttl=soa.negative_ttl, ahead=guard.ahead)

    def _swap(self, seen: Seen, read_along: bool) -> tuple[Written, Seen]:
        """Send the one message; return how it went and what stood before."""
        questions = self._questions[:2] if read_along else ()
        try:
            rcode, answers = self.primary.change(self._change(seen), *questions)
        except NoReply:
            return "unanswered", seen
        except Unreachable:
            return "unsent", seen
        if rcode in PREREQUISITE_CODES:
            return "lost", seen
        if rcode != "NOERROR":
            raise rejected(rcode, self.target.server_names, self.target.zone, self.target.key_name)
        if read_along and answers[1].values == seen.values:  # answered before the change was applied
            seen = replace(seen, ttl=answers[1].ttl, serial=answers[0].serial, negative_ttl=answers[0].negative_ttl)
        return "done", seen

    def _change(self, seen: Seen) -> Change:
        require = [
            RecordSet(self.target.name, self.rtype, seen.stored),
            RecordSet(self.target.guard_name, "TXT", seen.guard_stored),
        ]
        if self.rtype != "CNAME":
            require.append(RecordSet(self.target.name, "CNAME"))
        stored = tuple(stored_form(self.rtype, value) for value in self.wanted.values)
        put = [RecordSet(self.target.name, self.rtype, stored, new_ttl(self.wanted, seen))]
        guard = new_guard(self.wanted, seen, self.clock.now())
        if guard is not None:
            put.append(RecordSet(self.target.guard_name, "TXT", (stored_form("TXT", guard.text()),), GUARD_TTL_SECONDS))
        return Change(self.target.zone, tuple(require), tuple(put))

    def _goal(self, seen: Seen) -> Seen:
        guard = new_guard(self.wanted, seen, self.clock.now()) or seen.guard
        return replace(seen, values=self.wanted.values, ttl=new_ttl(self.wanted, seen), guard=guard, serial=None)

    def _confirm(self, before: Seen) -> Outcome:
        """An answer NOERROR is not yet a moved record: servers ignore what cannot stand beside other data."""
        applied_at = self.clock.now()
        try:
            after = self._read(unanswered=True)
        except DnsError as error:
            raise DnsError(
                "unknown", f"the change was accepted and could not be read back: {error}", changed=True
            ) from None
        if after.values != self.wanted.values:
            stale = decide_switch(self.wanted, after, self.target.name, applied_at).refusal
            if stale and stale.rule == "stale_epoch":
                raise DnsRefused(stale, before=view(before), after=view(after))
            found = ", ".join(after.values) or (f"an alias of {after.alias}" if after.alias else "nothing")
            text = (
                f"the server accepted the change of {self.target.name} and still holds {found}. "
                "Look for other records at the name (an alias stands alone) and for filters at the server"
            )
            raise DnsError("not_applied", text, before=view(before), after=view(after))
        if self.wanted.purpose != "move" and after.ttl == before.ttl:
            text = f"the server accepted the change of {self.target.name} and keeps its time to live of {after.ttl} s"
            raise DnsError("not_applied", text, before=view(before), after=view(after))
        if before.serial == after.serial:
            before = replace(before, serial=None)
        return Outcome("switched", True, before, after, applied_at)
