# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One writer: each member is asked ten times a second, by a loop inside it, whether it takes a write of a service.

What is asked is a delete of no row: a standby, and a server that is set to read only, refuses it, a primary accepts it
and writes nothing. An answer proves that the server took writes at some moment between its question and its arrival.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from topology import CLUSTERS, Cluster, members

#: Between two answers that are further apart nobody knows what the member did: a frozen machine takes no writes.
BLIND_SECONDS = 0.5
RETRY_SECONDS = 0.2
#: The loop lives as long as its standard input: an end of the watcher, however rude, ends it. Times are the kernel's.
LOOP = r"""
export LC_ALL=C PGCONNECT_TIMEOUT=2
ask() {
    echo 'set log_min_messages = panic; set log_min_error_statement = panic;'
    while :; do
        echo "with gone as (delete from continuity_canary where false) select 'writes $EPOCHREALTIME';"
        sleep 0.1
    done
}
poll() {
    while :; do
        ask 2>/dev/null | /usr/lib/postgresql/15/bin/psql -XAtq -p "$2" -d "$3" 2>&1 |
            while read -r answer; do echo "$1 $EPOCHREALTIME $answer"; done
        sleep 0.1
    done
}
cd /
@POLLS@
cat >/dev/null
kill 0
"""


@dataclass(frozen=True)
class Answer:
    """One answer: when it was asked for and when it came, in seconds since 1970. `asked` is null for a refusal."""

    member: str
    seen: float
    asked: float | None = None


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


class Writers:
    """Watches all members, for the services that are named."""

    def __init__(self, services: Sequence[str]) -> None:
        self._clusters = [one for one in CLUSTERS if one.service in services]
        self._answers: dict[tuple[str, str], list[Answer]] = {
            (one.service, machine.name): [] for one in self._clusters for machine in members()
        }
        self._end = threading.Event()
        self._loops: dict[str, subprocess.Popen[str]] = {}
        self._threads = [threading.Thread(target=self._watch, args=(m.name, m.container)) for m in members()]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def begun(self) -> bool:
        """Whether every member has answered for every service."""
        return all(self._answers.values())

    def stop(self) -> None:
        """End the loops inside the machines."""
        self._end.set()
        for loop in list(self._loops.values()):
            loop.kill()
        for thread in self._threads:
            thread.join(10)

    def violations(self) -> list[str]:
        """One line for every two members that took writes of one service at once."""
        found = []
        for one in self._clusters:
            spans = [spells(self._answers[one.service, machine.name]) for machine in members()]
            for first, second in two_at_once(spans):
                shared = min(first.last, second.last) - max(first.first, second.first)
                found.append(
                    f"{one.service}: {first.member} and {second.member} took writes at once"
                    f" for {max(shared, 0.0):.1f} s from {max(first.first, second.first):.3f}"
                )
        return found

    def count(self) -> int:
        """How many answers came."""
        return sum(map(len, self._answers.values()))

    def longest_gap(self) -> float:
        """The longest time without an answer of a member between two of its answers; a dead or frozen one has one."""
        times = ([answer.seen for answer in answers] for answers in self._answers.values())
        return max((later - earlier for each in times for earlier, later in pairwise(each)), default=0.0)

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
        service, seen, *answer = line.split()
        yes = float(answer[1]) if len(answer) == 2 and answer[0] == "writes" else None
        self._answers[service, member].append(Answer(member, float(seen), yes))


def _words(one: Cluster, member: str) -> str:
    return f"{one.service} {one.ports[member]} {one.database}"
