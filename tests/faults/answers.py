# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names: the three authoritative servers are asked twenty times a second for every service's address.

A server that answers must give an address, an old or a new one. NXDOMAIN, an empty answer and an error would send
clients nowhere, and resolvers keep them. A server without an answer is no violation: clients ask another; it is listed.
Where none of them answers clients have nobody to ask, and where one was never heard nothing is known: both are.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence

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
#: So many questions to every server, one after the other, without an answer of any: two seconds. Counted, not timed: a
#: machine that stands still for a moment asks nothing meanwhile.
ALL_IN_VAIN = 4


def wrong(reply: dns.message.Message) -> str:
    """What is wrong with a server's answer about an address; nothing where it gives one."""
    if reply.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(reply.rcode())
    given = any(answer.rdtype == dns.rdatatype.A and len(answer) for answer in reply.answer)
    return "" if given else "an empty answer"


class Answers:
    """What came of the questions so far: a judgement without a clock and without a network."""

    def __init__(self, servers: Iterable[str], records: Iterable[str]) -> None:
        self._pairs = [(server, record) for server in servers for record in records]
        self._one_at_a_time = threading.Lock()
        self._wrong: Counter[str] = Counter()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._answered: Counter[tuple[str, str]] = Counter()
        self._in_vain: Counter[tuple[str, str]] = Counter()  # since any server answered for that record
        self._nobody: dict[str, int] = {}

    def note(self, server: str, record: str, problem: str | None) -> None:
        """One question's end: what is wrong with the answer, nothing (""), or no answer at all (None)."""
        with self._one_at_a_time:
            self._asked[server, record] += 1
            if problem is None:
                self._in_vain[server, record] += 1
                least = min(self._in_vain[pair] for pair in self._pairs if pair[1] == record)
                if least >= ALL_IN_VAIN:
                    self._nobody[record] = max(least, self._nobody.get(record, 0))
                return
            self._answered[server, record] += 1
            for pair in self._pairs:
                if pair[1] == record:
                    self._in_vain[pair] = 0
            if problem:
                self._wrong[f"{server} answers {problem} for {record}"] += 1

    def complete(self) -> bool:
        """Whether every server has answered for every record."""
        return bool(self._pairs) and all(self._answered[pair] for pair in self._pairs)

    def violations(self) -> list[str]:
        """One line for every wrong answer with how often it came, and for everything that nobody answered."""
        found = [f"{what}, {times} times" for what, times in sorted(self._wrong.items())]
        never = [pair for pair in self._pairs if not self._answered[pair]]
        found += [f"{server} never answered for {record}" for server, record in never]
        found += [
            f"no server answered for {record}: each was asked {times} times in vain"
            for record, times in sorted(self._nobody.items())
        ]
        return found if self._pairs else ["no server was asked for anything"]

    def silent(self) -> list[str]:
        """The servers that gave no answer at some time."""
        return sorted({pair[0] for pair in self._pairs if self._asked[pair] > self._answered[pair]})

    def count(self) -> int:
        """How many answers came."""
        return sum(self._answered.values())


class Names:
    """Polls all servers for the records of the services that are named."""

    def __init__(self, services: Sequence[str]) -> None:
        self._records = [one.record for one in CLUSTERS if one.service in services]
        self._end = threading.Event()
        self._answers = Answers(SERVERS, self._records)
        self._died: list[str] = []
        self._threads = {
            name: threading.Thread(target=self._poll, args=(name, address), daemon=True)
            for name, address in SERVERS.items()
        }

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads.values():
            thread.start()

    def begun(self) -> bool:
        """Whether every server has answered for every record."""
        return self._answers.complete()

    def stop(self) -> None:
        """End the polls. One that ended before saw nothing since."""
        self._died += [name for name, thread in self._threads.items() if not thread.is_alive()]
        self._end.set()
        for thread in self._threads.values():
            thread.join(10)

    def violations(self) -> list[str]:
        """What was wrong with the answers, or with the poll itself."""
        return self._answers.violations() + [f"the poll of {name} ended by itself" for name in self._died]

    def silent(self) -> list[str]:
        """The servers that gave no answer at some time."""
        return self._answers.silent()

    def count(self) -> int:
        """How many answers came."""
        return self._answers.count()

    def _poll(self, server: str, address: str) -> None:
        due = time.monotonic()
        while not self._end.is_set():
            for record in self._records:
                self._answers.note(server, record, asked(address, record))
            due = max(due + EVERY_SECONDS, time.monotonic())
            self._end.wait(due - time.monotonic())


def asked(address: str, record: str) -> str | None:
    """One question: what is wrong with the answer, nothing, or None where there was none."""
    query = dns.message.make_query(record, "A")
    query.flags &= ~dns.flags.RD
    try:
        return wrong(dns.query.udp(query, address, timeout=ANSWER_SECONDS))
    except (dns.exception.Timeout, OSError):
        return None
    except dns.exception.DNSException as error:
        return f"what nobody can read ({type(error).__name__})"
