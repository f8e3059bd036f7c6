# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names: the three authoritative servers are asked twenty times a second for every service's address.

A server that answers must give an address, an old or a new one. NXDOMAIN, an empty answer and an error would send
clients nowhere, and resolvers keep them. A server without an answer is no violation: clients ask another; it is listed.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
from names import SERVERS
from topology import CLUSTERS

EVERY_SECONDS = 0.05
ANSWER_SECONDS = 0.5


def wrong(reply: dns.message.Message) -> str:
    """What is wrong with a server's answer about an address; nothing where it gives one."""
    if reply.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(reply.rcode())
    given = any(answer.rdtype == dns.rdatatype.A and len(answer) for answer in reply.answer)
    return "" if given else "an empty answer"


class Names:
    """Polls all servers for the records of the services that are named."""

    def __init__(self, services: Sequence[str]) -> None:
        self._records = [one.record for one in CLUSTERS if one.service in services]
        self._end = threading.Event()
        self._wrong: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._poll, args=server, daemon=True) for server in SERVERS.items()]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def begun(self) -> bool:
        """Whether every server was asked."""
        return len(self._asked) == len(SERVERS)

    def stop(self) -> None:
        """End the polls."""
        self._end.set()
        for thread in self._threads:
            thread.join(10)

    def violations(self) -> list[str]:
        """One line for every wrong answer, with how often it came."""
        return [f"{what}, {times} times" for what, times in sorted(self._wrong.items())]

    def silent(self) -> list[str]:
        """The servers that gave no answer at some time."""
        return sorted(self._silent)

    def count(self) -> int:
        """How many questions were asked."""
        return sum(self._asked.values())

    def _poll(self, server: str, address: str) -> None:
        due = time.monotonic()
        while not self._end.is_set():
            for record in self._records:
                self._ask(server, address, record)
            due = max(due + EVERY_SECONDS, time.monotonic())
            self._end.wait(due - time.monotonic())

    def _ask(self, server: str, address: str, record: str) -> None:
        query = dns.message.make_query(record, "A")
        query.flags &= ~dns.flags.RD
        try:
            reply = dns.query.udp(query, address, timeout=ANSWER_SECONDS)
        except (dns.exception.DNSException, OSError):
            self._silent[server] += 1
        else:
            if problem := wrong(reply):
                self._wrong[f"{server} answers {problem} for {record}"] += 1
        self._asked[server] += 1
