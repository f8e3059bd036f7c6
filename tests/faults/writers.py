# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One writer: each member is asked ten times a second, by a loop inside it, whether it takes a write of a service.

What is asked is a delete of no row: a standby, and a server that is set to read only, refuses it, a primary accepts it
and writes nothing. An answer proves that the server took writes at some moment between its question and its arrival.

Only a yes, a refusal and a server that is down are answers; any other line tells nothing. While a member is not heard
it could be a second writer. What Docker itself says was off or frozen then was none; any other such time is not judged:
`Writers.not_judged`.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from topology import CLUSTERS, Cluster, members

from tests.faults.power import Power

#: Between two answers that are further apart nobody knows what the member did: a frozen machine takes no writes.
BLIND_SECONDS = 0.5
RETRY_SECONDS = 0.2
#: What a server says that takes no write: it refuses this one, or there is no server to ask.
REFUSED = re.compile(
    r"read-only transaction|during recovery|No such file or directory|Connection refused"
    r"|the database system is (starting up|shutting down|in recovery mode|not (yet )?accepting connections)"
)
Kind = Literal["yes", "no", "unknown"]
Time = tuple[float, float]
#: The loop lives as long as its standard input: an end of the watcher, however rude, ends it. Times are the kernel's.
#: It waits by a read of what never comes: a `sleep` is a process, and two cores feel forty of them a second.
LOOP = r"""
export LC_ALL=C PGCONNECT_TIMEOUT=2
exec 9<> <(:)
pause() { read -r -t 0.1 -u 9; }
ask() {
    echo 'set log_min_messages = panic; set log_min_error_statement = panic;'
    while :; do
        echo "with gone as (delete from continuity_canary where false) select 'writes $EPOCHREALTIME';"
        pause
    done
}
poll() {
    while :; do
        ask 2>/dev/null | /usr/lib/postgresql/15/bin/psql -XAtq -p "$2" -d "$3" 2>&1 |
            while read -r answer; do echo "$1 $EPOCHREALTIME $answer"; done
        pause
    done
}
cd /
@POLLS@
cat >/dev/null
kill 0
"""


@dataclass(frozen=True)
class Answer:
    """One line: when it was asked for and when it came, in seconds since 1970. `asked` is null for anything but a yes.

    `known` is False where the line says neither yes nor no: it ends a spell, and is no answer.
    """

    member: str
    seen: float
    asked: float | None = None
    known: bool = True


@dataclass(frozen=True)
class Spell:
    """A time in which a member certainly took writes: from the first yes that came to the last that was asked for.

    A spell of one answer begins after it ends: it took a write somewhere between the two.
    """

    member: str
    first: float
    last: float

    def overlaps(self, other: Spell) -> bool:
        """Whether there is a moment at which both took writes."""
        return self.first <= other.last and other.first <= self.last


def spells(answers: Sequence[Answer]) -> list[Spell]:
    """The spells of one member, from its answers in the order in which they came.

    >>> spells([Answer("a", 1.1, 1.0), Answer("a", 1.2, 1.15), Answer("a", 1.3), Answer("a", 1.5, 1.4)])
    [Spell(member='a', first=1.1, last=1.15), Spell(member='a', first=1.5, last=1.4)]
    """
    found: list[Spell] = []
    begun: Answer | None = None
    last: Answer | None = None
    for answer in answers:
        if last and begun and (answer.asked is None or answer.seen - last.seen > BLIND_SECONDS):
            found.append(Spell(begun.member, begun.seen, last.asked or last.seen))
            begun = last = None
        if answer.asked is not None:
            begun, last = begun or answer, answer
    if begun and last:
        found.append(Spell(begun.member, begun.seen, last.asked or last.seen))
    return found


def two_at_once(of_members: Iterable[Sequence[Spell]]) -> list[tuple[Spell, Spell]]:
    """Every two spells of different members in which both took writes at one moment."""
    pairs = combinations(of_members, 2)
    return [(one, other) for ones, others in pairs for one in ones for other in others if one.overlaps(other)]


def silences(answers: Sequence[Answer], end: float) -> list[Time]:
    """The times in which a member was not heard for longer than `BLIND_SECONDS`, the last one up to `end`.

    >>> silences([Answer("a", 1.0, 0.9), Answer("a", 1.2), Answer("a", 1.3, known=False), Answer("a", 4.0)], 4.1)
    [(1.2, 4.0)]
    """
    times = [*(answer.seen for answer in answers if answer.known), end]
    return [(earlier, later) for earlier, later in pairwise(times) if later - earlier > BLIND_SECONDS]


def without(times: Iterable[Time], others: Sequence[Time]) -> list[Time]:
    """What is left of times when others are taken out of them, where it is longer than `BLIND_SECONDS`.

    >>> without([(1.0, 9.0)], [(2.0, 3.0), (8.8, 12.0)])
    [(1.0, 2.0), (3.0, 8.8)]
    """
    left = list(times)
    for begin, end in others:
        left = [
            part
            for first, last in left
            for part in ((first, min(last, begin)), (max(first, end), last))
            if part[1] > part[0]
        ]
    return [(first, last) for first, last in left if last - first > BLIND_SECONDS]


def hidden(of_members: Mapping[str, tuple[Sequence[Time], Sequence[Spell]]]) -> dict[str, float]:
    """For each member the longest time in which it was not heard while another took writes, or was not heard either.

    Nobody else can have been a second writer at a time: where only one member is in doubt and the others are known to
    take no writes, there is at most one.
    """
    found: dict[str, float] = {}
    for one, other in combinations(of_members, 2):
        for member, against in ((one, other), (other, one)):
            unheard, _own = of_members[member]
            silent, spans = of_members[against]
            doubtful = [*silent, *((spell.first - BLIND_SECONDS, spell.last + BLIND_SECONDS) for spell in spans)]
            shared = [min(a[1], b[1]) - max(a[0], b[0]) for a in unheard for b in doubtful]
            longest = max(shared, default=0.0)
            if longest > BLIND_SECONDS:
                found[member] = max(longest, found.get(member, 0.0))
    return found


def kind(said: Sequence[str]) -> Kind:
    """What a line of the loop says, without its first two words.

    >>> kind(["writes", "1.5"]), kind("ERROR: cannot execute DELETE in a read-only transaction".split())
    ('yes', 'no')
    >>> kind("FATAL: password authentication failed".split())
    'unknown'
    """
    if len(said) == 2 and said[0] == "writes":
        return "yes"
    return "no" if REFUSED.search(" ".join(said)) else "unknown"


class Writers:
    """Watches all members, for the services that are named."""

    def __init__(self, services: Sequence[str]) -> None:
        self._clusters = [one for one in CLUSTERS if one.service in services]
        self._answers: dict[tuple[str, str], list[Answer]] = {
            (one.service, machine.name): [] for one in self._clusters for machine in members()
        }
        self._power = Power([machine.container for machine in members()])
        self._not_understood: Counter[str] = Counter()
        self._ended = 0.0
        self._end = threading.Event()
        self._loops: dict[str, subprocess.Popen[str]] = {}
        self._threads = [threading.Thread(target=self._watch, args=(m.name, m.container)) for m in members()]

    def start(self) -> None:
        """Begin to ask."""
        self._power.start()
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def begun(self) -> bool:
        """Whether every member has answered for every service: taken a write, or refused it."""
        return bool(self._answers) and all(
            any(answer.known for answer in answers) for answers in list(self._answers.values())
        )

    def stop(self) -> None:
        """End the loops inside the machines."""
        self._ended = time.time()
        self._end.set()
        for loop in list(self._loops.values()):
            loop.kill()
        for thread in self._threads:
            thread.join(10)
        self._power.stop()

    def violations(self) -> list[str]:
        """One line for every two members that took writes of one service at once, and for each that was never heard."""
        found = [
            f"{service}: {member} was never heard, so nobody knows whether it took writes"
            for (service, member), answers in self._answers.items()
            if not any(answer.known for answer in answers)
        ]
        for one in self._clusters:
            spans = [spells(self._answers[one.service, machine.name]) for machine in members()]
            for first, second in two_at_once(spans):
                shared = min(first.last, second.last) - max(first.first, second.first)
                found.append(
                    f"{one.service}: {first.member} and {second.member} took writes at once"
                    f" for {max(shared, 0.0):.1f} s from {max(first.first, second.first):.3f}"
                )
        return found

    def not_judged(self) -> dict[str, float]:
        """For a service and a member the longest time in which a second writer could not have been seen."""
        found: dict[str, float] = {}
        for one in self._clusters:
            of_members: dict[str, tuple[list[Time], list[Spell]]] = {}
            for machine in members():
                answers = list(self._answers[one.service, machine.name])
                silent = without(silences(answers, self._ended or time.time()), self._power.off(machine.container))
                of_members[machine.name] = (silent, spells(answers))
            found |= {f"{one.service} on {name}": round(long, 1) for name, long in hidden(of_members).items()}
        return found

    def not_understood(self) -> dict[str, int]:
        """The lines that told nothing, and how often each came."""
        return dict(self._not_understood.most_common(5))

    def count(self) -> int:
        """How many answers came."""
        return sum(answer.known for answers in self._answers.values() for answer in answers)

    def _watch(self, member: str, container: str) -> None:
        """Read what the loop in one member says; start it again whenever its machine has ended it."""
        polls = "\n".join(f"poll {_words(one, member)} &" for one in self._clusters)
        words = ["docker", "exec", "-i", "-u", "postgres", container, "bash", "-c", LOOP.replace("@POLLS@", polls)]
        while not self._end.is_set():
            with subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as loop:
                self._loops[member] = loop
                if self._end.is_set():  # between the question above and here: nobody else would end it
                    loop.kill()
                for line in loop.stdout or ():
                    self._note(member, line)
            self._end.wait(RETRY_SECONDS)

    def _note(self, member: str, line: str) -> None:
        service, seen, *said = line.split()
        what = kind(said)
        if what == "unknown":
            self._not_understood[" ".join(said)[:100]] += 1
        asked = float(said[1]) if what == "yes" else None
        self._answers[service, member].append(Answer(member, float(seen), asked, what != "unknown"))


def _words(one: Cluster, member: str) -> str:
    return f"{one.service} {one.ports[member]} {one.database}"
