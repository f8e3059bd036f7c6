# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Watch every authoritative server until it serves a value, or until the deadline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Primary
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import timestamp
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.servers import (
    AskServer,
    ServerAnswer,
    ServerSet,
    ask_once,
    ask_primary,
    discover,
    in_parallel,
    system_resolver,
    unresolved_answers,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import ServerState

#: Seconds between two looks at a server: short at first (a secondary is told at once), then backing off.
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
BACKOFF = 1.5
#: A server silent this many times in a row is given up: waiting longer for it holds back everything else.
SILENT_ROUNDS = 3


@dataclass(frozen=True)
class Goal:
    """What every server must serve. ``require`` is how many must, None for all; ``deadline`` in seconds.

    ``minimum_serial`` is the zone's serial after the switch, None for the primary's present one.
    ``previous_ttl`` is the TTL of the value before, None where it is not known.
    """

    values: tuple[str, ...]
    require: int | None = None
    deadline: float = 30.0
    minimum_serial: int | None = None
    previous_ttl: int | None = None


@dataclass(frozen=True)
class Watched:
    """The last answer of one server, its state, when it was seen, and the longest TTL seen on a stale answer."""

    answer: ServerAnswer
    state: ServerState
    seen_at: float
    stale_ttl: int = 0


class Verification:
    """One record checked at every server of its zone."""

    def __init__(self, target: Target, rtype: str, goal: Goal, primary: Primary, clock: Clock, ask: AskServer) -> None:
        self.target, self.rtype, self.goal = target, rtype, goal
        self.primary, self.clock, self.ask = primary, clock, ask
        self.expires = clock.monotonic() + goal.deadline

    def run(self) -> dict[str, Any]:
        """Return the result when enough servers serve the value. Raises DnsError ``partial`` with every state."""
        first, servers = self._first_look()
        serial = self.goal.minimum_serial if self.goal.minimum_serial is not None else first.soa.serial
        watched = [self._judge(first, serial)]
        watched += in_parallel(lambda address: self.watch(address, serial), servers.addresses)
        watched += [Watched(answer, "unreachable", self.clock.now()) for answer in unresolved_answers(servers)]
        result = self._result(watched)
        if result["fresh"] < result["required"]:
            behind = "; ".join(f"{one.answer.address} is {one.state}" for one in watched if one.state != "fresh")
            text = (
                f"{self.target.name}: {result['fresh']} of {len(watched)} servers serve {', '.join(self.goal.values)}, "
                f"{result['required']} must: {behind}. Clients that ask these may still get the old answer"
            )
            raise DnsError("partial", text, **{**result, "status": "partial"})
        return result

    def _first_look(self) -> tuple[ServerAnswer, ServerSet]:
        """The primary's answer and the servers to watch. A silent primary is one of the servers, not the end."""
        name = str(self.target.servers[0])
        try:
            first = ask_primary(self.primary, name, self.target, self.rtype, self.clock)
            return first, discover(self.primary, self.target, system_resolver)
        except Unreachable as error:
            if self.target.authoritative is None:
                raise DnsError("timeout", f"{error}. Give 'authoritative' to check the others without it") from None
            silent = unresolved_answers(ServerSet((), (name,)))[0]
            return silent, discover(self.primary, self.target, system_resolver)

    def watch(self, address: Address, minimum_serial: int | None) -> Watched:
        """Look at one server until it is fresh, silent for good, or the deadline is there."""
        pause, silent, stale_ttl = FIRST_PAUSE_SECONDS, 0, 0
        while True:
            seen = self._judge(ask_once(address, self.target, self.rtype, self.ask, self.clock), minimum_serial)
            silent = silent + 1 if seen.state == "unreachable" else 0
            if seen.state == "stale":
                stale_ttl = max(stale_ttl, seen.answer.record.ttl or 0)
            late = self.clock.monotonic() + pause >= self.expires
            if seen.state == "fresh" or silent >= SILENT_ROUNDS or late:
                return Watched(seen.answer, seen.state, seen.seen_at, stale_ttl)
            self.clock.pause(pause)
            pause = min(pause * BACKOFF, LONGEST_PAUSE_SECONDS)

    def _judge(self, answer: ServerAnswer, minimum_serial: int | None) -> Watched:
        return Watched(answer, answer.state(self.goal.values, minimum_serial), self.clock.now())

    def _result(self, watched: list[Watched]) -> dict[str, Any]:
        fresh = [one for one in watched if one.state == "fresh"]
        required = len(watched) if self.goal.require is None else self.goal.require
        return {
            "changed": False,
            "status": "verified",
            "zone": self.target.zone,
            "name": self.target.name,
            "type": self.rtype,
            "fresh": len(fresh),
            "required": required,
            "servers": [one.answer.describe(one.state) for one in watched],
            "clients_safe_at": self._safe_at(watched) if len(fresh) == len(watched) else None,
        }

    def _safe_at(self, watched: list[Watched]) -> str | None:
        """The last server's first fresh answer plus the longest life of an old one; None where that is not known."""
        old = max([one.stale_ttl for one in watched] + [self.goal.previous_ttl or 0])
        return timestamp(math.ceil(max(one.seen_at for one in watched)) + old) if old else None
