# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One verdict for what was done to a service and what was measured. Worst first:

| verdict | when | the run fails |
|---|---|---|
| failed | a step failed, the run ended without an outcome, or a second primary acknowledged writes | yes |
| refused | a rule forbade it; nothing was changed | yes |
| objective_missed | done, but the outage is over the RTO or the loss is over the RPO | yes |
| degraded | serving where it should, but a step that could have been done was not | unless allowed by name |
| not_measured | done, but outage or loss is not known | only where the verb promises a measurement (a drill) |
| passed | done and measured, every objective met | no |
| nothing_to_do | the goal was reached before the run | no |

Where several hold, the one that stands higher is the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import format_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.objectives import (
    Allowances,
    Comparison,
    Loss,
    Objectives,
    Outage,
    compare_rpo,
    compare_rto,
)

Verdict = Literal["failed", "refused", "objective_missed", "degraded", "not_measured", "passed", "nothing_to_do"]
Outcome = Literal["failed", "refused", "degraded", "done", "nothing_to_do"]
#: injected: the drill itself pulled the trigger; planned: nothing was broken; real: an outage found us
Trigger = Literal["injected", "planned", "real"]
#: promised: the verb owes a measurement; expected: it passes only with one; nothing: the primary does not move
Measures = Literal["promised", "expected", "nothing"]

VERDICTS: tuple[Verdict, ...] = (
    "failed",
    "refused",
    "objective_missed",
    "degraded",
    "not_measured",
    "passed",
    "nothing_to_do",
)
OUTCOMES: tuple[Outcome, ...] = ("failed", "refused", "degraded", "done", "nothing_to_do")


@dataclass(frozen=True)
class Case:
    """Everything the verdict of one service (or of one stage of a drill) rests on.

    `outcome` None: the run ended without saying what became of the service.
    `acknowledged_elsewhere`: writes that a fenced or replaced member acknowledged; `fenced_writers`: how many of
    them each fenced member did, by its name.
    `degradations`: the names of what could have been done and was not. `allow_degraded`: what the operator accepts,
    by the name of a degradation or of the service.
    """

    service: str
    outcome: Outcome | None
    objectives: Objectives
    outage: Outage = Outage()
    loss: Loss = Loss()
    trigger: Trigger = "planned"
    allowances: Allowances = Allowances()
    measures: Measures = "expected"
    acknowledged_elsewhere: int = 0
    fenced_writers: Mapping[str, int] = field(default_factory=dict)
    degradations: tuple[str, ...] = ()
    allow_degraded: frozenset[str] = frozenset()

    @property
    def moved(self) -> bool:
        """The primary was (or should have been) moved by this run, so outage and loss are this run's."""
        return self.measures != "nothing" and self.outcome in ("done", "degraded", "failed")

    @property
    def is_degraded(self) -> bool:
        """Something could have been done and was not."""
        return self.outcome == "degraded" or (self.outcome in ("done", "nothing_to_do") and bool(self.degradations))


@dataclass(frozen=True)
class Judgement:
    """The verdict of one service, why, and whether the run must end with a non-zero exit because of it."""

    verdict: Verdict
    fails: bool
    reasons: tuple[str, ...]
    rto: Comparison
    rpo: Comparison


def judge(case: Case) -> Judgement:
    """The verdict of one service.

    Example: ``judge(Case("payments-db", "done", Objectives(3600, 0))).verdict == "not_measured"``
    """
    allowance = case.allowances.seconds if case.trigger == "injected" else 0.0
    rto = compare_rto(case.objectives.rto_seconds, case.outage, allowance)
    rpo = compare_rpo(case.objectives.rpo_seconds, case.loss)
    found = sorted(_findings(case, rto, rpo), key=lambda finding: VERDICTS.index(finding[0]))
    return Judgement(
        verdict=worst(verdict for verdict, _reason in found),
        fails=any(_fails(verdict, case) for verdict, _reason in found),
        reasons=tuple(reason for _verdict, reason in found if reason),
        rto=rto,
        rpo=rpo,
    )


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several together; of none at all it is `failed`: a run that tells of no service proves nothing."""
    return min(verdicts, key=VERDICTS.index, default="failed")


def _findings(case: Case, rto: Comparison, rpo: Comparison) -> list[tuple[Verdict, str]]:
    """Every verdict that holds, each with its reason ("" where the outcome's own message says it)."""
    found: list[tuple[Verdict, str]] = []
    if case.acknowledged_elsewhere:
        found.append(("failed", two_primaries(case.acknowledged_elsewhere, case.fenced_writers)))
    if case.outcome is None:
        found.append(("failed", "the run ended without an outcome for this service"))
    elif case.outcome in ("failed", "refused", "nothing_to_do"):
        found.append((case.outcome, ""))
    if case.moved:
        found.extend(_missed(case, rto, rpo))
    if case.is_degraded:
        names = ", ".join(case.degradations)
        found.append(("degraded", f"could have been done and was not: {names}" if names else ""))
    if case.outcome in ("done", "degraded"):
        unknown = [name for name, part in (("outage", rto), ("loss", rpo)) if part.measured_seconds is None]
        if case.measures != "nothing" and unknown:
            found.append(("not_measured", f"not measured: {' and '.join(unknown)}"))
        elif case.outcome == "done":
            found.append(("passed", ""))
    return found


def two_primaries(writes: int, fenced_writers: Mapping[str, int]) -> str:
    """The reason of a verdict, with who did it where that is known.

    >>> two_primaries(41, {"db1": 41})
    'two primaries: 41 writes were acknowledged by a member that was fenced or replaced (db1: 41)'
    """
    count = _count(writes, "write was", "writes were")
    named = ", ".join(f"{name}: {number}" for name, number in fenced_writers.items())
    told = f"two primaries: {count} acknowledged by a member that was fenced or replaced"
    return f"{told} ({named})" if named else told


def _missed(case: Case, rto: Comparison, rpo: Comparison) -> list[tuple[Verdict, str]]:
    missed: list[tuple[Verdict, str]] = []
    if rto.met is False and rto.objective_seconds is not None:
        text = f"outage {_seconds(rto.measured_seconds, case.outage.at_least_seconds)}"
        if rto.allowance_seconds:
            text += f" plus {format_duration(rto.allowance_seconds)} allowed for detection and decision"
        missed.append(("objective_missed", f"{text} is over the RTO of {format_duration(rto.objective_seconds)}"))
    if rpo.met is False and rpo.objective_seconds is not None:
        text = _loss_text(case.loss)
        missed.append(("objective_missed", f"{text} is over the RPO of {format_duration(rpo.objective_seconds)}"))
    return missed


def _loss_text(loss: Loss) -> str:
    writes = None if loss.writes is None else _count(loss.writes, "acknowledged write", "acknowledged writes")
    if loss.known_seconds is None and not loss.at_least_seconds:
        return f"loss of {writes}"
    seconds = _seconds(loss.known_seconds, loss.at_least_seconds)
    return f"loss {seconds}" + (f" ({writes})" if writes else "")


def _seconds(measured: float | None, at_least: float) -> str:
    return f"of at least {format_duration(at_least)}" if measured is None else format_duration(measured)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _fails(verdict: Verdict, case: Case) -> bool:
    if verdict == "degraded":
        named = set(case.degradations)
        return case.service not in case.allow_degraded and not (named and named <= case.allow_degraded)
    if verdict == "not_measured":
        return case.measures == "promised"
    return verdict in ("failed", "refused", "objective_missed")
