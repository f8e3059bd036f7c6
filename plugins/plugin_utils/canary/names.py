# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the endpoint's name to addresses, asked anew every time: a canary that remembers an address measures nothing.

Name servers are asked in their order, as a system's resolver does; one that gives no answer is asked last from then on,
so that a dead one costs its time only once.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.continuity.dr.plugins.plugin_utils.address import ip_version
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError, missing_library

try:
    import dns.exception
    import dns.message
    import dns.query
    import dns.rcode
    import dns.rdatatype
except ImportError as error:  # only needed where name servers are given
    _MISSING: ImportError | None = error
else:
    _MISSING = None

ANSWER_SECONDS = 0.5
SYSTEM_ANSWER_SECONDS = 1.0


class NoAddress(Exception):
    """The name gave no address just now; the text says who was asked and what came back."""


@dataclass(frozen=True)
class Found:
    """The addresses of the name, in the order of the answer, and who gave them."""

    addresses: tuple[str, ...]
    resolver: str


class Names:
    """Looks one name up. `resolvers`: `198.51.100.53`, `198.51.100.53#5353`, `2001:db8::53`; none: the system's."""

    def __init__(self, name: str, resolvers: Sequence[str] = (), timeout: float = ANSWER_SECONDS) -> None:
        if resolvers and _MISSING is not None:
            raise missing_library("dnspython", "dnspython>=2.6,<3", _MISSING)
        self._name = name
        self._timeout = timeout
        self._resolvers = [_address_and_port(resolver) for resolver in resolvers]

    def look_up(self) -> Found:
        """The addresses of the name now. Raises NoAddress."""
        if ip_version(self._name) is not None:
            return Found((self._name,), "none")
        return self._ask_servers() if self._resolvers else self._ask_system()

    def _ask_servers(self) -> Found:
        problems = []
        for server in list(self._resolvers):
            address, port = server
            try:
                return Found(self._ask(address, port), address)
            except (dns.exception.DNSException, OSError) as error:
                problems.append(f"{address} gave no answer ({_short(error)})")
                self._resolvers.remove(server)
                self._resolvers.append(server)
        raise NoAddress("; ".join(problems))

    def _ask(self, address: str, port: int) -> tuple[str, ...]:
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            query = dns.message.make_query(self._name, kind)
            answer = dns.query.udp(query, address, timeout=self._timeout, port=port)
            if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                raise OSError(f"it answered {dns.rcode.to_text(answer.rcode())}")
            # An alias and its target stand in one answer; only the target carries addresses.
            found = tuple(item.to_text() for rrset in answer.answer if rrset.rdtype == kind for item in rrset)
            if found:
                return found
        raise NoAddress(f"{self._name} has no address at {address} ({dns.rcode.to_text(answer.rcode())})")

    def _ask_system(self) -> Found:
        """`getaddrinfo` has no bound of its own (its default is 5 s for each server), so it runs beside us."""
        result: queue.Queue[tuple[str, ...] | OSError] = queue.Queue()
        threading.Thread(target=self._getaddrinfo, args=(result,), daemon=True).start()
        try:
            found = result.get(timeout=SYSTEM_ANSWER_SECONDS)
        except queue.Empty:
            raise NoAddress(
                f"the system's resolver gave no answer for {self._name} in {SYSTEM_ANSWER_SECONDS:g} s"
            ) from None
        if isinstance(found, OSError):
            raise NoAddress(f"the system's resolver knows no {self._name} ({_short(found)})")
        return Found(found, "system")

    def _getaddrinfo(self, result: queue.Queue[tuple[str, ...] | OSError]) -> None:
        try:
            found = socket.getaddrinfo(self._name, None, type=socket.SOCK_STREAM)
            result.put(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except OSError as error:
            result.put(error)


def _address_and_port(resolver: str) -> tuple[str, int]:
    """`198.51.100.53#5353` as `("198.51.100.53", 5353)`; the port is 53 where none is given. Raises CanaryError."""
    address, _separator, port = resolver.partition("#")
    if ip_version(address) is None or not (port or "53").isdecimal():
        raise CanaryError(
            f"resolver {resolver!r}: allowed is an address, or address#port (a name would need a resolver itself)",
            reason="bad_setting",
        )
    return address, int(port or 53)


def _short(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:120]
