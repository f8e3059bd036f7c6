# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs beside each other: did outage and loss get better over time? On the terminal, and as the page history.html."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report import text
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import ReportError
from ansible_collections.continuity.dr.plugins.plugin_utils.report.stage import MOVING
from ansible_collections.continuity.dr.plugins.plugin_utils.run import LAST_SEEN


@dataclass(frozen=True)
class Compared:
    """One service of one run. Seconds; None: not measured, or no objective."""

    run_id: str
    directory: str
    started: str
    verb: str
    service: str
    measured_seconds: float | None
    rto_seconds: float | None
    rto_objective_seconds: float | None
    rpo_seconds: float | None
    rpo_objective_seconds: float | None
    lost: int | None
    verdict: str
    at_least_seconds: float | None = None
    """What is certain of an outage whose end was not seen."""

    @property
    def known_seconds(self) -> float | None:
        """The outage that is compared, or what is certain of it."""
        return self.at_least_seconds if self.rto_seconds is None else self.rto_seconds


@dataclass(frozen=True)
class Skipped:
    """A directory that is left out, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class History:
    """All runs below a directory, oldest first, and what was left out."""

    runs: tuple[Compared, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def compare(directory: Path | str) -> list[Compared]:
    """Every service of every reported run below `directory`, oldest run first.

    `rto_seconds` is what was compared with the objective: `measured_seconds` and, in a drill, the plan's allowances.
    """
    return list(history(directory).runs)


def history(directory: Path | str) -> History:
    """The runs below `directory`. What is broken, foreign, not reported or a check is named and hides no other run."""
    found: list[Compared] = []
    skipped: list[Skipped] = []
    try:
        folders = sorted(path for path in Path(directory).iterdir() if path.is_dir() and path.name[:1] != ".")
    except OSError:
        folders = []
    for folder in folders:
        try:
            found += _compared(folder)
        except ReportError as error:
            skipped.append(Skipped(folder.name, str(error)))
    return History(tuple(sorted(found, key=lambda e: (e.started, e.run_id, e.service))), tuple(skipped))


def _compared(folder: Path) -> list[Compared]:
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        found = [_service(folder.name, report, service) for service in report["services"]]
    except FileNotFoundError:
        if (folder / "run.json").is_file():
            command = f"report it with -e continuity_run_id={folder.name}"
            raise ReportError(f"the run has no report.json: it was cut off, or still runs; {command}") from None
        if folder.name == LAST_SEEN:  # the collection's own
            return []
        raise ReportError("holds no run.json and no report.json: not the directory of a run") from None
    except OSError as error:
        raise ReportError(f"report.json cannot be read: {error.strerror or error}") from None
    except (KeyError, TypeError, ValueError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise ReportError(f"report.json is broken, or no report of this collection ({problem})") from None
    if report.get("check_mode"):
        raise ReportError("the run was in check mode (--check): nothing was changed and nothing measured")
    return found


def _service(directory: str, report: Mapping[str, Any], service: Mapping[str, Any]) -> Compared:
    lost = _number(service["rpo"]["lost"])
    if service["verdict"] not in text.VERDICT_TEXT:
        raise ValueError(f"verdict {service['verdict']!r}")
    return Compared(
        run_id=str(report["run_id"]),
        directory=directory,
        started=str(report["started"] or ""),
        verb=str(report["verb"]),
        service=str(service["service"]),
        measured_seconds=_number(service["rto"]["measured_seconds"]),
        rto_seconds=_number(service["rto"]["total_seconds"]),
        rto_objective_seconds=_number(service["rto"]["objective_seconds"]),
        rpo_seconds=_number(service["rpo"]["measured_seconds"]),
        rpo_objective_seconds=_number(service["rpo"]["objective_seconds"]),
        lost=None if lost is None else int(lost),
        verdict=service["verdict"],
        at_least_seconds=_number(service["rto"].get("at_least_seconds")),
    )


def _number(value: Any) -> float | None:
    """A number of zero or more, or null; anything else was not written by this collection."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r} is no number of zero or more")
    return value


def compare_lines(compared: Iterable[Compared]) -> list[str]:
    """The runs as lines of text, one a run and service."""
    return [
        f"{each.run_id}  {each.verb} {each.service}: {text.VERDICT_TEXT[each.verdict].lower()},"
        f" outage {_least(each)}{_of(each, each.known_seconds, each.rto_objective_seconds)},"
        f" loss {_of(each, each.rpo_seconds, each.rpo_objective_seconds)}"
        for each in compared
    ]


def _least(run: Compared) -> str:
    return "at least " if run.rto_seconds is None and run.known_seconds is not None else ""


def _of(run: Compared, seconds: float | None, objective: float | None) -> str:
    """`2.41s of 1h`; `-` where nothing could be measured: the run moves no primary, or was not allowed or needed to."""
    moves = run.verb in (*MOVING, "drill") and run.verdict not in ("refused", "nothing_to_do")
    if seconds is None and not moves:
        return "-"
    return f"{text.duration(seconds)} of {text.duration(objective, 'no objective')}"


def history_lines(found: History) -> list[str]:
    """A history as lines of text after the summary of a run; none where nothing was compared."""
    lines = compare_lines(found.runs)
    lines += [f"left out: {each.name}: {each.why}" for each in found.skipped]
    return ["", *lines] if lines else []


def newest(directory: Path | str) -> Path:
    """The directory of the newest run below `directory`.

    Raises:
        ReportError: there is none.
    """
    runs = [path.parent for path in Path(directory).glob("*/run.json")]
    if not runs:
        raise ReportError(f"{directory} holds no run; start a verb first, or name the directory of your runs")
    return max(runs, key=lambda path: (_began(path / "run.json"), path.name))


def _began(path: Path) -> float:
    """When a run began. A copy has file times of its own: they count only where the run does not tell."""
    try:
        began = _number(json.loads(path.read_text(encoding="utf-8"))["started"])
    except (OSError, KeyError, TypeError, ValueError):
        began = None
    return path.stat().st_mtime if began is None else began
