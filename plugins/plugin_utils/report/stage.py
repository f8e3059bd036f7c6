# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One stage of a run for one service: what was decided, done and measured, and the verdict on it.

Most verbs have one stage, named like the verb. A drill has several: baseline, failover, rejoin, failback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.continuity.dr.plugins.plugin_utils.core.objectives import Allowances, Objectives
from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import (
    OUTCOMES,
    Case,
    Judgement,
    Measures,
    Outcome,
    Trigger,
    judge,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report import timeline
from ansible_collections.continuity.dr.plugins.plugin_utils.report.measured import Measured
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import text_of
from ansible_collections.continuity.dr.plugins.plugin_utils.report.timeline import Entry

#: the stages that move the primary, so that clients can lose time and writes
MOVING = frozenset({"switchover", "failover", "failback"})
#: the stages that carry out a decision; every other one (assess, baseline, heal) is done when its steps are
ACTS = MOVING | {"rejoin"}


@dataclass(frozen=True)
class Stage:
    """A stage and everything its verdict rests on."""

    name: str
    service: str
    entries: Sequence[Entry]
    times: Mapping[int, float]
    measured: Measured
    objectives: Objectives
    allowances: Allowances
    trigger: Trigger
    measures: Measures
    began: float | None
    allow_degraded: frozenset[str]

    def to_dict(self) -> dict[str, Any]:
        """The stage as it stands in report.json."""
        decision = decision_of(self.entries)
        last = _last(self.entries, "outcome")
        judged = judge(self._case())
        return {
            "stage": self.name,
            "from": decision.get("from_site"),
            "to": decision.get("to_site"),
            "from_member": decision.get("from_member"),
            "to_member": decision.get("to_member"),
            "outcome": outcome_of(self.entries, self.name),
            "verdict": judged.verdict,
            "fails": judged.fails,
            "reasons": list(judged.reasons),
            "message": _message(last),
            "trigger": self.trigger,
            "rto": self._rto(judged),
            "rpo": self._rpo(judged),
            "acknowledged_elsewhere": self.measured.elsewhere,
            "fenced_writers": dict(self.measured.elsewhere_by),
            "degradations": degradations(self.entries),
            "refusals": _refusals(self.entries, decision),
            "waivers": [_refusal(each) for each in decision.get("waivers") or ()],
            "evidence": _evidence(self.entries),
            "steps": timeline.steps_of(self.entries, self.times),
        }

    def _case(self) -> Case:
        return Case(
            service=self.service,
            outcome=outcome_of(self.entries, self.name),
            objectives=self.objectives,
            outage=self.measured.outage,
            loss=self.measured.loss,
            trigger=self.trigger,
            allowances=self.allowances,
            measures=self.measures,
            acknowledged_elsewhere=self.measured.elsewhere or 0,
            fenced_writers=self.measured.elsewhere_by,
            degradations=tuple(each["name"] for each in degradations(self.entries)),
            allow_degraded=self.allow_degraded,
        )

    def _rto(self, judged: Judgement) -> dict[str, Any]:
        window, injected = self.measured.window, self.trigger == "injected"
        return {
            "objective_seconds": judged.rto.objective_seconds,
            "measured_seconds": judged.rto.measured_seconds,
            "at_least_seconds": self.measured.outage.at_least_seconds or None,
            "detection_allowance_seconds": self.allowances.detection_seconds if injected else None,
            "decision_allowance_seconds": self.allowances.decision_seconds if injected else None,
            "total_seconds": None if judged.rto.total_seconds is None else round(judged.rto.total_seconds, 6),
            "met": judged.rto.met,
            "source": self.measured.outage.source,
            "started": text_of(window.start if window else self.measured.began),
            "ended": text_of(window.end) if window else None,
            "unknown": self.measured.outage_unknown,
            "phases": timeline.phases(self.entries, self.times, trigger=self.trigger, began=self.began, window=window),
        }

    def _rpo(self, judged: Judgement) -> dict[str, Any]:
        return {
            "objective_seconds": judged.rpo.objective_seconds,
            "measured_seconds": judged.rpo.measured_seconds,
            "at_least_seconds": self.measured.loss.at_least_seconds or None,
            "acknowledged": self.measured.acknowledged,
            "in_doubt": self.measured.in_doubt,
            "lost": self.measured.loss.writes,
            "lost_rows": list(self.measured.lost_rows),
            "met": judged.rpo.met,
            "source": self.measured.loss.source,
            "unknown": self.measured.loss_unknown,
        }


def decision_of(entries: Iterable[Entry]) -> Mapping[str, Any]:
    """What was decided. A later decision that found the goal reached does not take its place."""
    decided = [entry.get("data") or {} for entry in entries if entry.get("step") == "decide"]
    with_content = [data for data in decided if data.get("refusals") or data.get("steps")] or decided
    return cast("Mapping[str, Any]", with_content[-1]) if with_content else {}


def outcome_of(entries: Sequence[Entry], stage: str) -> Outcome | None:
    """How the stage ended: its outcome entry, else what its steps and its decision tell; None: it did not end.

    A stage that was to change something and left no outcome entry was cut off: nobody has said that its last step was
    the last. Only a bad end is believed of it.
    """
    decision, last = decision_of(entries), _last(entries, "outcome")
    at_goal = bool(decision.get("goal_reached")) and stage in ACTS
    if last:
        said = str((last.get("data") or {}).get("outcome") or last.get("state"))
        word = "nothing_to_do" if said == "done" and at_goal else said
        return word if word in OUTCOMES else None
    ended = {str(entry.get("step")): str(entry.get("state")) for entry in entries if entry.get("step") != "journal"}
    if "failed" in ended.values():
        return "failed"
    if decision.get("refusals") or "refused" in ended.values():
        return "refused"
    if not ended or "started" in ended.values():
        return None
    if at_goal:
        return "nothing_to_do"
    checked = decision and any((entry.get("data") or {}).get("check_mode") for entry in entries)
    return "done" if stage not in ACTS or checked else None


def degradations(entries: Iterable[Entry]) -> list[dict[str, str]]:
    """What could have been done and was not: `degraded` in any entry's data, a list of names or of {name, message}."""
    found: dict[str, str] = {}
    for entry in entries:
        for each in _listed((entry.get("data") or {}).get("degraded")):
            name, message = (each.get("name"), each.get("message")) if isinstance(each, Mapping) else (each, "")
            if name:
                found[str(name)] = str(message or found.get(str(name), ""))
    return [{"name": name, "message": message} for name, message in found.items()]


def _evidence(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for entry in entries:
        data = entry.get("data") or {}
        for each in _listed(data.get("evidence")):
            item = {"step": str(entry.get("step")), "member": data.get("member"), "text": str(each)}
            if item not in found:
                found.append(item)
    return found


def _refusals(entries: Iterable[Entry], decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every unmet rule once: of the decision, and of the steps that a rule stopped later."""
    found = [_refusal(each) for each in decision.get("refusals") or ()]
    for entry in entries:
        if entry.get("state") == "refused":
            found += [_refusal(each) for each in _listed((entry.get("data") or {}).get("refusals"))]
    return [each for index, each in enumerate(found) if each not in found[:index]]


def _refusal(value: Any) -> dict[str, Any]:
    data = value if isinstance(value, Mapping) else {"message": value}
    return {key: str(data.get(key) or "") for key in ("rule", "measured", "limit", "message", "hint")}


def _message(entry: Entry) -> str:
    data = entry.get("data") or {}
    return str(data.get("message") or data.get("msg") or "")


def _last(entries: Iterable[Entry], step: str) -> Entry:
    return next((entry for entry in reversed(list(entries)) if entry.get("step") == step), {})


def _listed(value: Any) -> list[Any]:
    if value is None or value == "" or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
