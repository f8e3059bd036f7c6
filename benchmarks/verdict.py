# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the guard makes of its samples. Pure: no lab, no clock.

Other programs only ever add time, to a case of many processes more than to its base. So a bound is passed for certain
when the best repetition passes it as well as the median; the median alone may be a busy machine, and is measured again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Sample = Mapping[str, Any]
Samples = Mapping[str, Sequence[Sample]]
#: Rows that an asynchronous standby may lack after a kill, in each repetition: a second of writes. Planned: none.
KILLED_MAY_LOSE = 100


@dataclass(frozen=True)
class Bound:
    """How many times its base a case may take; C(measure) is ``outage``, or phases of the report joined by ``+``."""

    case: str
    measure: str
    base: str
    bound: float
    notices_ms: int | None = None  # a delay of so much, planted, has to pass this bound

    def __str__(self) -> str:
        return f"{self.case}, {self.measure} over {self.base}"


@dataclass(frozen=True)
class Judged:
    """A bound with what was measured: the median over the pairs of one round, and the ratio of the two bests."""

    bound: Bound
    median: float
    best: float

    @property
    def passed(self) -> bool:
        """The collection has become slower, or the machine was busy."""
        return self.median > self.bound.bound

    @property
    def certain(self) -> bool:
        """Also when nothing disturbed it."""
        return self.passed and self.best > self.bound.bound

    def __str__(self) -> str:
        state = "passed" if self.passed else "kept"
        return f"{self.bound}: {self.median:.2f} (best {self.best:.2f}), bound {self.bound.bound:g}: {state}"


def missing(samples: Samples, bounds: Sequence[Bound], rounds: int, planned: Sequence[str]) -> list[str]:
    """Why these samples say nothing, or nothing good, whatever the ratios are; empty when all is well."""
    found = []
    for name in cases(bounds):
        taken = samples.get(name, ())
        found += [f"{name}: a repetition failed: {one['failed']}" for one in taken if "failed" in one]
        whole = [one for one in taken if "failed" not in one]
        if len(whole) < rounds:
            found.append(f"{name}: measured {len(whole)} times; allowed: {rounds} or more")
        if any("outage_seconds" in one and not one.get("acknowledged") for one in whole):
            found.append(f"{name}: no row was acknowledged, so there was nothing to lose or to wait for")
        allowed = 0 if name in planned else KILLED_MAY_LOSE
        lost = max((one.get("lost", 0) for one in whole), default=0)
        if lost > allowed:
            found.append(f"{name}: {lost} acknowledged rows lost in one repetition; allowed: {allowed}")
    for bound in bounds:
        pairs = _pairs(samples, bound)
        if not pairs or any(value is None or base is None or base <= 0 or value <= 0 for value, base in pairs):
            found.append(f"{bound}: not measured, so the bound of {bound.bound:g} could not be checked")
    return found


def judged(samples: Samples, bounds: Sequence[Bound]) -> list[Judged]:
    """Each bound with its ratios; only of samples of which nothing is missing."""
    return [_judged(bound, _pairs(samples, bound)) for bound in bounds]


def cases(bounds: Sequence[Bound]) -> list[str]:
    """What is measured: every base and every case, once."""
    return list(dict.fromkeys(name for bound in bounds for name in (bound.base, bound.case)))


def unnoticed(found: Sequence[Judged], planted_ms: int) -> list[str]:
    """The bounds that a planted delay had to pass and did not; one line if there is none that had to."""
    able = [one for one in found if one.bound.notices_ms is not None and one.bound.notices_ms <= planted_ms]
    if not able:
        return [f"no bound says that it notices {planted_ms} ms"]
    return [f"{one.bound}: {planted_ms} ms were not noticed" for one in able if not one.passed]


def _judged(bound: Bound, pairs: Sequence[tuple[Any, Any]]) -> Judged:
    best = min(value for value, _base in pairs) / min(base for _value, base in pairs)
    return Judged(bound, median(value / base for value, base in pairs), best)


def _pairs(samples: Samples, bound: Bound) -> list[tuple[float | None, float | None]]:
    """The case and its base, round by round."""
    taken = zip(samples.get(bound.case, ()), samples.get(bound.base, ()), strict=False)
    return [(_value(one, bound.measure), _whole(base)) for one, base in taken]


def _value(sample: Sample, measure: str) -> float | None:
    """In seconds; None where a part of it is not there."""
    if measure == "outage":
        return sample.get("outage_seconds")
    parts = sample.get("parts") or {}
    names = measure.split("+")
    return sum(parts[name] for name in names) / 1000 if all(name in parts for name in names) else None


def _whole(sample: Sample) -> float | None:
    """Of a base: its outage where a client wrote, else its wall time."""
    found: float | None = sample.get("outage_seconds", sample.get("wall_seconds"))
    return found
