# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which servers answer for a zone, and what each of them says: read once, or watched until they agree."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Answer, Primary, Question
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import ServerState, server_state

AskServer = Callable[[Address, Question, float], Answer]

Result = TypeVar("Result")

#: One question at a time and server: so many servers are asked side by side.
PARALLEL = 32


@dataclass(frozen=True)
class ServerAnswer:
    """What one server said. ``address`` is the name of a server whose address could not be found."""

    address: str
    soa: Answer
    record: Answer
    guard: Answer
    elapsed_ms: float

    def state(self, wanted: Sequence[str], minimum_serial: int | None) -> ServerState:
        """What the answer is worth against the values and the serial wanted."""
        worst = next(
            (answer for answer in (self.soa, self.record) if answer.rcode not in ("NOERROR", "NXDOMAIN")), self.record
        )
        authoritative = self.soa.authoritative and self.record.authoritative
        return server_state(worst.rcode, authoritative, self.record.values, self.soa.serial, wanted, minimum_serial)

    def describe(self, state: ServerState) -> dict[str, Any]:
        """One line of the result's ``servers``."""
        heard = state in ("fresh", "stale")
        return {
            "address": self.address,
            "state": state,
            "serial": self.soa.serial if heard else None,
            "value": list(self.record.values) if heard else None,
            "ttl": self.record.ttl if heard else None,
            "elapsed_ms": round(self.elapsed_ms, 2),
        }


@dataclass(frozen=True)
class ServerSet:
    """The servers of a zone besides the primary; ``unresolved`` have a name and no address that could be found."""

    addresses: tuple[Address, ...]
    unresolved: tuple[str, ...] = field(default=())


def discover(primary: Primary, target: Target, resolve: Callable[[str, float], Iterable[str]]) -> ServerSet:
    """The zone's servers: those declared, else the apex NS set with every address of each.

    Addresses come from the primary's own data; only names it does not know go to the controller's resolver.
    """
    known = declared(target)
    if known is not None:
        return known
    names = primary.ask(Question(target.zone, "NS"))[0].values
    questions = [Question(name, rtype) for name in names for rtype in ("A", "AAAA")]
    answers = primary.ask(*questions) if questions else []
    found: dict[str, list[str]] = {name: [] for name in names}
    for question, answer in zip(questions, answers, strict=True):
        found[question.name].extend(answer.values)
    for name in names:
        found[name].extend([] if found[name] else resolve(name, target.query_timeout))
    port = target.servers[0].port
    addresses = tuple(Address(text, port) for name in names for text in found[name])
    return _without_primary(addresses, tuple(name for name in names if not found[name]), target)


def declared(target: Target) -> ServerSet | None:
    """The servers that are known without asking anybody; None where the zone has to be asked."""
    return None if target.authoritative is None else _without_primary(target.authoritative, (), target)


def system_resolver(name: str, timeout: float) -> list[str]:
    """Addresses from the controller's resolver, at most ``timeout`` seconds; none where it does not know in time."""
    answer: queue.Queue[list[str]] = queue.Queue()

    def ask() -> None:
        try:
            answer.put(
                sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name.rstrip("."), 53, type=socket.SOCK_DGRAM)})
            )
        except OSError:
            answer.put([])

    # A resolver that hangs cannot be stopped; as a daemon it does not keep the process alive.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.get(timeout=timeout)
    except queue.Empty:
        return []


def ask_once(address: Address, target: Target, rtype: str, ask: AskServer, clock: Clock) -> ServerAnswer:
    """Serial first, then the record: a record read before the serial could be older than the serial says."""
    started = clock.monotonic()
    soa = ask(address, Question(target.zone, "SOA"), target.query_timeout)
    record = guard = soa
    if soa.rcode != "TIMEOUT":
        record = ask(address, Question(target.name, rtype), target.query_timeout)
        guard = ask(address, Question(target.guard_name, "TXT"), target.query_timeout)
    return ServerAnswer(str(address), soa, record, guard, (clock.monotonic() - started) * 1000)


def ask_primary(primary: Primary, server: str, target: Target, rtype: str, clock: Clock) -> ServerAnswer:
    """The same from the primary, over the signed connection, in one flight."""
    started = clock.monotonic()
    soa, record, guard = primary.ask(
        Question(target.zone, "SOA"), Question(target.name, rtype), Question(target.guard_name, "TXT")
    )
    return ServerAnswer(server, soa, record, guard, (clock.monotonic() - started) * 1000)


def in_parallel(work: Callable[[Address], Result], addresses: Sequence[Address]) -> list[Result]:
    """Do the work for every address side by side; the answers in the addresses' order. The work must be bounded."""
    if not addresses:
        return []
    with ThreadPoolExecutor(max_workers=min(PARALLEL, len(addresses))) as pool:
        return list(pool.map(work, addresses))


def unresolved_answers(servers: ServerSet) -> list[ServerAnswer]:
    """Servers without an address are never left out of the picture: they count as unreachable."""
    silent = Answer("TIMEOUT")
    return [ServerAnswer(name, silent, silent, silent, 0.0) for name in servers.unresolved]


def _without_primary(addresses: Iterable[Address], unresolved: tuple[str, ...], target: Target) -> ServerSet:
    return ServerSet(tuple(dict.fromkeys(a for a in addresses if a not in target.servers)), unresolved)
