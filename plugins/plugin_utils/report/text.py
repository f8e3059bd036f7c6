# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The words and numbers of a report, the same in every rendering."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import format_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import text_of
from ansible_collections.continuity.dr.plugins.plugin_utils.report.stage import MOVING

UNKNOWN = "not measured"
VERDICT_TEXT: Mapping[str, str] = {
    "failed": "FAILED",
    "refused": "REFUSED",
    "objective_missed": "OBJECTIVE MISSED",
    "degraded": "DEGRADED",
    "not_measured": "NOT MEASURED",
    "passed": "PASSED",
    "nothing_to_do": "NOTHING TO DO",
}
PHASES: Mapping[str, str] = {
    "detect": "fault to the first action",
    "decide": "observed and decided",
    "fence": "claimed and fenced",
    "promote": "promoted",
    "redirect": "endpoint switched",
    "verify": "verified",
    "client": "until the client wrote again",
}


def duration(seconds: float | None, unknown: str = UNKNOWN) -> str:
    """`2.41s`; above a minute both forms, `6m 2s (362.41s)`; below a hundredth all digits, or it would read as 0."""
    if seconds is None:
        return unknown
    exact = f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
    if seconds < 60:
        return exact if seconds < 0.01 else format_duration(seconds)
    text = format_duration(seconds)
    return text if float(seconds).is_integer() else f"{text} ({seconds:.2f}s)"


def moves(entry: Mapping[str, Any]) -> bool:
    """Whether outage and loss belong into this entry: it moved the primary, or something was measured all the same."""
    known = [entry[part][key] for part in ("rto", "rpo") for key in ("measured_seconds", "at_least_seconds")]
    return any(each is not None for each in known) or (
        entry["stage"] in MOVING and entry["outcome"] not in ("refused", "nothing_to_do")
    )


def away(rto: Mapping[str, Any]) -> float | None:
    """Seconds of the outage: measured, or what is certain of one whose end was not seen."""
    seconds: float | None = rto["at_least_seconds"] if rto["measured_seconds"] is None else rto["measured_seconds"]
    return seconds


def measured(part: Mapping[str, Any]) -> str:
    """What was measured of an objective, or what is certain of it."""
    if part["measured_seconds"] is None and part["at_least_seconds"]:
        return f"at least {duration(part['at_least_seconds'])}"
    return duration(part["measured_seconds"])


def outage(entry: Mapping[str, Any]) -> str:
    """The outage with the allowances it is compared with: `2.41s + 6m`; `-` where nothing could be measured."""
    rto = entry["rto"]
    people = [rto["detection_allowance_seconds"], rto["decision_allowance_seconds"]]
    allowance = sum(each for each in people if each)
    more = f" + {duration(allowance)}" if allowance and rto["measured_seconds"] is not None else ""
    return measured(rto) + more if moves(entry) else "-"


def loss(entry: Mapping[str, Any]) -> str:
    """The loss in seconds and writes: `0s (0 of 1200 writes)`; `-` where nothing could be measured."""
    rpo = entry["rpo"]
    if not moves(entry):
        return "-"
    if rpo["lost"] is None:
        return measured(rpo)
    of = "" if rpo["acknowledged"] is None else f" of {rpo['acknowledged']}"
    return f"{measured(rpo)} ({rpo['lost']}{of} writes)"


def said(entry: Mapping[str, Any]) -> str:
    """The last message; not that of a refusal, which only repeats the rules."""
    return "" if entry["refusals"] and entry["outcome"] == "refused" else str(entry["message"])


def result(part: Mapping[str, Any]) -> str:
    """`met`, `missed`, or why it cannot be said."""
    if part["met"] is None:
        return "no objective" if part["objective_seconds"] is None else UNKNOWN
    return "met" if part["met"] else "missed"


def way(entry: Mapping[str, Any]) -> str:
    """`dc1 -> dc2`; `dc2, primary stays` where it does not move; empty where no site is known."""
    begin, end = entry.get("from"), entry.get("to")
    if end and (entry["stage"] == "rejoin" or entry["outcome"] == "nothing_to_do"):
        return f"{end}, primary stays"
    if begin and end:
        return f"{begin} -> {end}"
    return f"to {end}" if end else f"from {begin}" if begin else ""


def rows(numbers: Iterable[Any]) -> str:
    """Row numbers and ranges of them: `3-5, 9`."""
    texts = []
    for each in numbers:
        if isinstance(each, Sequence) and not isinstance(each, str) and len(each) == 2:
            texts.append(str(each[0]) if each[0] == each[1] else f"{each[0]}-{each[1]}")
        else:
            texts.append(str(each))
    return ", ".join(texts)


def as_given(inputs: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """The inputs of a run as its operator writes them: a time and a duration, not the seconds made of them."""
    found: dict[str, str | list[str]] = {}
    for name, value in inputs.items():
        if value in (None, "", [], ()) or value is False:
            continue
        if name == "outage_started" and isinstance(value, (int, float)):
            found[name] = re.sub(r"\.?0*Z$", "Z", text_of(value) or "")
        elif name == "accept_data_loss_seconds" and isinstance(value, (int, float)):
            found["accept_data_loss"] = f"{value:.6f}".rstrip("0").rstrip(".") + "s"
        elif value is True:
            found[name] = "true"
        else:
            found[name] = [str(each) for each in value] if isinstance(value, (list, tuple)) else str(value)
    return found


def by_operator(entry: Mapping[str, Any]) -> bool:
    """Whether the outage counts from the time that the operator gave, not from what the client saw."""
    return str(entry["rto"]["source"]) == "operator"


def seen_by_client(entry: Mapping[str, Any]) -> bool:
    """Whether a client's ledger told when the outage ended, not a step."""
    return not by_operator(entry) or entry["rpo"]["acknowledged"] is not None


def counted(entries: Iterable[Mapping[str, Any]]) -> str:
    """Where measured outages begin and end: the page never says that a client saw what an operator gave."""
    told = []
    for entry in entries:
        if not by_operator(entry):
            told.append("as the client saw it")
        elif seen_by_client(entry):
            told.append("from the time that the operator gave to the client's first write")
        else:
            told.append("from the time that the operator gave to the last step; no client measured it")
    return ", or ".join(dict.fromkeys(told))


def phase_texts(entry: Mapping[str, Any]) -> dict[str, str]:
    """What each phase is; without a client the last one ends with a step."""
    return {**PHASES, **({} if seen_by_client(entry) else {"client": "until it served again"})}


def words(value: Any) -> str:
    """Any recorded value on one line: a mapping as `name: value, ...`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {words(each)}" for key, each in value.items() if each not in (None, ""))
    if isinstance(value, (list, tuple)):
        return ", ".join(words(each) for each in value)
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
