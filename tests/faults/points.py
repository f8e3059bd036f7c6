# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a controller is killed: after which line of which verb's journal, and which of all of them are tried."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

SERVICES = ("payments-db", "accounts-db")
Entry = Mapping[str, Any]
#: How a service stands. healthy: db1 is primary and db2 its replica; failed_over: db2 is primary and db1 is fenced;
#: moved: db2 is primary and db1 its replica.
Standing = Literal["healthy", "failed_over", "moved"]
Between = tuple[str, str]


@dataclass(frozen=True)
class Procedure:
    """One verb: from where to where it leads, and between which of its steps a special point makes sense."""

    verb: str
    start: Standing
    end: Standing
    to: str = ""
    primary_dies: bool = False
    armed: Between = ("", "")
    half_done: Between = ("", "")


PROCEDURES = {
    each.verb: each
    for each in (
        Procedure("failover", "healthy", "failed_over", "target_site=dc2", True, half_done=("promote", "release")),
        # Before rejoin: what a failover leaves, a failback brings home, and no procedure is run only to get there
        Procedure("failback", "failed_over", "healthy", armed=("arm", "point")),
        Procedure("rejoin", "failed_over", "moved"),
        Procedure(
            "switchover",
            "healthy",
            "moved",
            "target_site=dc2",
            armed=("arm", "point"),
            half_done=("demote", "release"),
        ),
    )
}
SPECIAL = ("", "armed", "site")


@dataclass(frozen=True)
class Point:
    """Where the controller of a verb is killed: after which line of the service's journal, and what is special.

    `armed`: what the controller has armed survives it. `site`: run again, the verb is told the site that is left.
    """

    service: str
    verb: str
    line: int
    special: str = ""

    def __str__(self) -> str:
        return ":".join(filter(None, (self.service, self.verb, str(self.line), self.special)))

    @classmethod
    def read(cls, text: str) -> Point:
        """A point by its name. SystemExit that says what is allowed."""
        service, verb, line, special = (*text.split(":"), "", "", "", "")[:4]
        known = service in SERVICES and verb in PROCEDURES and special in SPECIAL and text.count(":") < 4
        if not known or not line.isdigit() or int(line) < 1:
            allowed = f"SERVICE one of {', '.join(SERVICES)}, VERB one of {', '.join(PROCEDURES)}"
            raise SystemExit(f"{text}: a point is SERVICE:VERB:LINE, and :armed or :site behind it; {allowed}")
        return cls(service, verb, int(line), special)


def between(entries: Sequence[Entry], steps: Between) -> list[int]:
    """The lines from the first of one step up to the last before the other is done; without the first: none.

    >>> between([{"step": "arm", "state": "done"}, {"step": "x", "state": "done"}, {"step": "point", "state": "done"}],
    ...         ("arm", "point"))
    [1, 2]
    """
    first = next((n for n, entry in enumerate(entries, 1) if entry["step"] == steps[0]), None)
    ended = (n for n, e in enumerate(entries, 1) if (e["step"], e["state"]) == (steps[1], "done"))
    return [] if first is None else list(range(first, next(ended, first)))


def points_of(service: str, procedure: Procedure, entries: Sequence[Entry]) -> list[Point]:
    """Every point of a procedure, from the journal of an undisturbed run."""
    verb = procedure.verb
    found = [Point(service, verb, line) for line in range(1, len(entries) + 1)]
    found += [Point(service, verb, line, "armed") for line in between(entries, procedure.armed)]
    return found + [Point(service, verb, line, "site") for line in between(entries, procedure.half_done)]


@dataclass(frozen=True)
class Wish:
    """A point of a verb that is known only when its journal is: `share` of the way through all of them."""

    service: str
    verb: str
    share: float

    def point(self, entries: Sequence[Entry]) -> Point:
        """The point, from the journal of an undisturbed run."""
        every = points_of(self.service, PROCEDURES[self.verb], entries)
        return every[int(self.share * len(every))]


def sampled(count: int, seed: int) -> list[Wish]:
    """Some points, the same for the same seed: every verb in its turn, and every service."""
    by_chance = random.Random(seed)
    verbs = by_chance.sample(list(PROCEDURES), len(PROCEDURES))
    services = by_chance.sample(SERVICES, len(SERVICES))
    turns = [(n + n // len(verbs), n) for n in range(count)]  # in the next round a verb meets the other service
    return [Wish(services[one % len(services)], verbs[n % len(verbs)], by_chance.random()) for one, n in turns]


def following(points: Iterable[Point], stands: str) -> Point:
    """The point to try next: the first that begins as the service stands, or else the first of all."""
    waiting = list(points)
    return next((point for point in waiting if PROCEDURES[point.verb].start == stands), waiting[0])
