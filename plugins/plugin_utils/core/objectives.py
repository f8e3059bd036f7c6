# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Objectives beside what was measured: the outage against the RTO, the loss against the RPO. `verdict.py` judges.

What was not measured is None and is never taken for zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

#: who measured: the canary's ledger, a heartbeat row, log positions, the operator's own time of the outage, nobody
Source = Literal["canary", "heartbeat", "positions", "operator", "none"]
SOURCES: tuple[Source, ...] = ("canary", "heartbeat", "positions", "operator", "none")


def _check(value: object, *names: str) -> None:
    for name in names:
        number = getattr(value, name)
        if number is not None and not (math.isfinite(number) and number >= 0):
            raise ValueError(f"{type(value).__name__}.{name} is {number}: allowed is a number of zero or more")


@dataclass(frozen=True)
class Objectives:
    """What the business asks for, in seconds; None: it asks for nothing, so nothing is compared."""

    rto_seconds: float | None
    rpo_seconds: float | None

    def __post_init__(self) -> None:
        """Refuse a negative or not finite objective."""
        _check(self, "rto_seconds", "rpo_seconds")


@dataclass(frozen=True)
class Allowances:
    """Time the plan grants to people. It counts against the RTO wherever the drill itself pulled the trigger."""

    detection_seconds: float = 0.0
    decision_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a negative or not finite allowance."""
        _check(self, "detection_seconds", "decision_seconds")

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.detection_seconds + self.decision_seconds


@dataclass(frozen=True)
class Outage:
    """How long clients had no primary.

    `seconds`: from the fault to the first acknowledged write that a stable service followed; None: not known, or not
    over yet. `at_least_seconds`: what is certain where `seconds` is not known.
    """

    seconds: float | None = None
    at_least_seconds: float = 0.0
    source: Source = "none"

    def __post_init__(self) -> None:
        """Refuse a negative or not finite time."""
        _check(self, "seconds", "at_least_seconds")


@dataclass(frozen=True)
class Loss:
    """Acknowledged writes that are gone: how far back (`seconds`) and how many (`writes`); None: not known.

    `at_least_seconds`: what is certain where `seconds` is not known.
    """

    seconds: float | None = None
    writes: int | None = None
    at_least_seconds: float = 0.0
    source: Source = "none"

    def __post_init__(self) -> None:
        """Refuse a negative or not finite loss."""
        _check(self, "seconds", "writes", "at_least_seconds")

    @property
    def known_seconds(self) -> float | None:
        """Seconds lost; no lost write is no lost second."""
        return 0.0 if self.seconds is None and self.writes == 0 else self.seconds


@dataclass(frozen=True)
class Comparison:
    """One objective beside what was measured.

    `total_seconds` (measured and allowance) is what is compared. `met` None: it cannot be said, because nothing was
    measured or nothing was asked for.
    """

    objective_seconds: float | None
    measured_seconds: float | None
    allowance_seconds: float
    total_seconds: float | None
    met: bool | None


def compare_rto(objective_seconds: float | None, outage: Outage, allowance_seconds: float = 0.0) -> Comparison:
    """The outage against the RTO. An outage whose end is not known misses it once it is certainly longer.

    Example: 2.41 s measured, 360 s allowed to people, RTO 3600 s: total 362.41 s, met.
    """
    measured, total = outage.seconds, None
    met: bool | None = None
    if measured is not None:
        total = measured + allowance_seconds
        met = None if objective_seconds is None else total <= objective_seconds
    elif objective_seconds is not None and 0 < outage.at_least_seconds > objective_seconds - allowance_seconds:
        met = False
    return Comparison(objective_seconds, measured, allowance_seconds, total, met)


def compare_rpo(objective_seconds: float | None, loss: Loss) -> Comparison:
    """The loss against the RPO. With an RPO of zero a single lost write misses it, however young it was."""
    measured = loss.known_seconds
    met: bool | None = None
    if objective_seconds is None:
        met = None
    elif (objective_seconds == 0 and loss.writes) or (measured or loss.at_least_seconds) > objective_seconds:
        met = False
    elif measured is not None:
        met = True
    return Comparison(objective_seconds, measured, 0.0, measured, met)
