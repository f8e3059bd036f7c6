# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A zone in memory with the prerequisites of RFC 2136, for tests without a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Answer, Change, Question, RecordSet
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import NoReply, Unreachable


@dataclass
class MemoryZone:
    """Stands in for a primary name server. ``writes`` are the changes it applied, ``updates`` all it was sent."""

    zone: str = "shop.example."
    sets: dict[tuple[str, str], RecordSet] = field(default_factory=dict)
    serial: int = 1000
    updates: int = 0
    writes: list[Change] = field(default_factory=list)
    #: run once after the next read, before its answer is acted on: what somebody else does meanwhile
    after_read: Callable[[], None] | None = None
    #: how the next changes go wrong: "lost reply" applies them, "lost" does not, any other word is an answer code
    faults: list[str] = field(default_factory=list)
    reachable: bool = True

    def put(self, name: str, rtype: str, *stored: str, ttl: int = 5) -> None:
        """Write a set as an editor would."""
        self.sets[name, rtype] = RecordSet(name, rtype, stored, ttl)
        self.serial += 1

    def remove(self, name: str, rtype: str) -> None:
        self.sets.pop((name, rtype), None)
        self.serial += 1

    def stored(self, name: str, rtype: str) -> tuple[str, ...]:
        found = self.sets.get((name, rtype))
        return tuple(sorted(found.stored)) if found else ()

    def ask(self, *questions: Question) -> list[Answer]:
        if not self.reachable:
            raise Unreachable("no name server can be reached: 127.0.0.1: connection refused")
        answers = [self._answer(question) for question in questions]
        hook, self.after_read = self.after_read, None
        if hook:
            hook()
        return answers

    def change(self, change: Change, *questions: Question) -> tuple[str, list[Answer]]:
        if not self.reachable:
            raise Unreachable("no name server can be reached: 127.0.0.1: connection refused")
        answers = [self._answer(question) for question in questions]
        self.updates += 1
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "lost":
            raise NoReply("no answer to the change")
        if fault and fault != "lost reply":
            return fault, answers
        rcode = self._apply(change)
        if fault:
            raise NoReply("no answer to the change")
        return rcode, answers

    def _apply(self, change: Change) -> str:
        for required in change.require:
            found = self.stored(required.name, required.type)
            if found != tuple(sorted(required.stored)):
                return "NXRRSET" if required.stored else "YXRRSET"
        for put in change.put:
            if (put.name, "CNAME") in self.sets and put.type != "CNAME":
                continue  # as BIND does: ignored, and the answer is NOERROR
            if put.type == "CNAME" and any(name == put.name and rtype != "CNAME" for name, rtype in self.sets):
                continue
            self.sets[put.name, put.type] = put
        self.serial += 1
        self.writes.append(change)
        return "NOERROR"

    def _answer(self, question: Question) -> Answer:
        if not (question.name == self.zone or question.name.endswith("." + self.zone)):
            return Answer("REFUSED")
        if question.type == "SOA":
            if question.name != self.zone:
                return Answer("NOERROR", True)
            soa = f"ns0.{self.zone} hostmaster.{self.zone} {self.serial} 3600 600 86400 3"
            return Answer("NOERROR", True, (soa,), 5, (soa,))
        found = self.sets.get((question.name, question.type))
        alias = self.stored(question.name, "CNAME")
        if not found:
            return Answer("NOERROR", True, alias=alias[0] if alias and question.type != "CNAME" else None)
        plain = tuple(sorted(value.strip('"') for value in found.stored))
        return Answer("NOERROR", True, plain, found.ttl, tuple(sorted(found.stored)))


class MemoryClock:
    """A clock that moves only when it is told to, or when somebody waits."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds
