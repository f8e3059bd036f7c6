# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must hold whatever goes wrong, seen from outside Ansible.

    with watching("accounts-db", place=folder) as watch:
        harness.lab("fault", "primary_crashed", "--member", "db1", "--service", "accounts-db")
        watch.verb("failover", "scope=accounts-db", "target_site=dc2")
        watch.rerun()
    assert watch.violations == []

Five oracles: `writer` (never two members that take writes), `names` (never a wrong answer), `ledger` (what was
acknowledged is there, or inside the loss that a report declares), `secret` (none in any output or file), `rerun` (the
same verb again ends the same and changes nothing). The lab must be healthy at the begin; who needs another start
changes it before.

Who saw nothing has proven nothing: `unjudged` tells what an oracle could not see.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import harness
from harness import Result
from say import wait

from tests.faults.answers import Names
from tests.faults.leaks import files, leaks, secrets_of
from tests.faults.ledger import Ledger
from tests.faults.writers import Writers

ORACLES = ("writer", "names", "ledger", "secret", "rerun")
BEGIN_SECONDS = 20.0
LOUD = ("-vvv", "--diff")
#: A member that was not heard for longer than this, while another could take writes, is not judged.
UNHEARD_SECONDS = 2.0
#: What every oracle must have at the end of a watch.
NUMBERS = {
    "asked_for_writes": "no member was asked whether it takes writes",
    "asked_for_names": "no name server answered",
    "acknowledged": "the client was acknowledged nothing",
    "searched": "no output and no file was searched for secrets",
    "secrets": "no secret is known that could have been found",
}


@dataclass(frozen=True)
class Violation:
    """Something that must not happen and did."""

    oracle: str
    text: str


@dataclass
class Watch:
    """What is watched, what was said meanwhile, and what was wrong. `violations` is whole after the `with` ends."""

    services: tuple[str, ...]
    place: Path  # everything that the verbs of this watch leave: runs, ledgers
    writers: Writers
    names: Names
    ledgers: list[Ledger]
    violations: list[Violation] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)  # numbers for the page: polls, rows, silent servers
    reports: list[Mapping[str, Any]] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    _again: Callable[[], Result] | None = None
    _last: Result | None = None

    @property
    def runs(self) -> Path:
        """Where the runs of this watch are kept, and what they have seen: nothing of others is known."""
        return self.place / "runs"

    def verb(self, verb: str, *arguments: str, plan: Path | None = None, timeout: float = 240.0) -> Result:
        """Run a verb as loud as it gets and keep what it said, for the other oracles and for `rerun`."""

        def once() -> Result:
            result = harness.run_verb(verb, *arguments, *LOUD, plan=plan, timeout=timeout, runs=self.runs)
            return self.keep(verb, result)

        last = once()
        self.repeat(last, once)
        return last

    def repeat(self, last: Result, again: Callable[[], Result]) -> None:
        """What `rerun` compares, and what it runs for that."""
        self._last, self._again = last, again

    def keep(self, name: str, result: Result) -> Result:
        """Have what a run said and reported judged too, where it was not begun by `verb`."""
        self.hear(name, result.output)
        if result.report:
            self.reports.append(result.report)
        return result

    def hear(self, name: str, text: str) -> None:
        """Have any other output searched for secrets."""
        self.said[f"what {name} said ({len(self.said) + 1})"] = text

    def rerun(self, expected: int | None = None) -> Result:
        """The last verb once more: it may change nothing, by its own account and by how the lab looks.

        It must end with the exit code of the first run, or with `expected`.
        """
        assert self._again is not None and self._last is not None, "no verb was run in this watch"
        before = harness.state()
        again = self._again()
        wrong = differs(self._last, again, self._last.rc if expected is None else expected)
        self.violations += [Violation("rerun", text) for text in wrong]
        if different := harness.differences(before):
            self.violations.append(Violation("rerun", f"after a second run the lab looks different: {different}"))
        return again

    def wait_rows(self, count: int, seconds: float = 20.0) -> None:
        """Wait until the client of every service was acknowledged so many rows more."""
        for ledger in self.ledgers:
            wanted = len(ledger.acknowledged()) + count
            wait(f"{count} rows of {ledger.service}", partial(_has_rows, ledger, wanted), seconds)

    def judge(self) -> None:
        """Ask every oracle."""
        texts, secrets = {**self.said, **files(self.runs)}, secrets_of()
        for number, text in enumerate(self.said.values(), 1):  # for whoever looks why something failed
            (self.place / f"said-{number}.log").write_text(text, encoding="utf-8")
        found = {
            "writer": self.writers.violations(),
            "names": self.names.violations(),
            "ledger": [text for ledger in self.ledgers for text in ledger.violations(self.reports)],
            "secret": leaks(texts, secrets),
        }
        self.violations += [Violation(oracle, text) for oracle, texts in found.items() for text in texts]
        self.seen |= {
            "asked_for_writes": self.writers.count(),
            "asked_for_names": self.names.count(),
            "silent_servers": self.names.silent(),
            "acknowledged": sum(len(ledger.acknowledged()) for ledger in self.ledgers),
            "searched": sum(map(bool, texts.values())),
            "secrets": len(secrets),
            "not_judged": self.writers.not_judged(),
            "not_understood": self.writers.not_understood(),
        }


def unjudged(seen: Mapping[str, Any]) -> list[str]:
    """What the oracles of a watch could not see, from its numbers; nothing where all of it was judged.

    >>> unjudged({name: 1 for name in NUMBERS} | {"not_judged": {"accounts-db on db2": 2.5}})
    ['not judged: accounts-db on db2 was not heard for 2.5 s']
    """
    found = [why for number, why in NUMBERS.items() if not seen.get(number)]
    return found + [
        f"not judged: {where} was not heard for {seconds:g} s"
        for where, seconds in seen.get("not_judged", {}).items()
        if seconds > UNHEARD_SECONDS
    ]


def by_chance(wrong: Sequence[str]) -> bool:
    """Whether all that is wrong is that something was not judged: then it is worth another try."""
    return bool(wrong) and all(text.startswith("not judged: ") for text in wrong)


def differs(first: Result, again: Result, expected: int) -> list[str]:
    """What a second run did that it must not have done."""
    wrong = []
    if again.rc != expected:
        wrong.append(f"a second run ended with {again.rc}, expected was {expected} (the first ended with {first.rc})")
    counted = recap(again)
    if not counted and recap(first):
        wrong.append("a second run told nothing of any host, so nobody knows what it changed")
    return wrong + [
        f"{changed} tasks changed something on {host} in a second run" for host, changed in counted.items() if changed
    ]


def recap(result: Result) -> dict[str, int]:
    """How many tasks changed something on each host, from the recap at the end."""
    return {host: int(changed) for host, _ok, changed, *_rest in harness.RECAP.findall(result.output)}


class _Part(Protocol):
    """What runs beside the verbs."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def _has_rows(ledger: Ledger, count: int) -> bool:
    return len(ledger.acknowledged()) >= count


@contextmanager
def watching(*services: str, place: Path) -> Iterator[Watch]:
    """Watch services of the healthy lab. `place` is a folder of this watch alone.

    Violations are found at the end, also where the block ends by an exception: `watch.violations` tells them, nothing
    is raised for them. AssertionError or LabError where it could not be watched at all.
    """
    place.mkdir(parents=True, exist_ok=True)
    run_id = f"ledger-{time.time_ns()}"
    ledgers = [Ledger(service, run_id, place) for service in services]
    watch = Watch(services, place, Writers(services), Names(services), ledgers)
    parts: list[_Part] = [watch.writers, watch.names, *ledgers]
    for part in parts:
        part.start()
    try:
        wait("every member is watched", watch.writers.begun, BEGIN_SECONDS)
        wait("every name server is watched", watch.names.begun, BEGIN_SECONDS)
        watch.wait_rows(3, BEGIN_SECONDS)
        yield watch
    finally:
        for part in reversed(parts):
            part.stop()
        watch.judge()
