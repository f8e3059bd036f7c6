# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs beside each other: did outage and loss get better over time?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.continuity.dr.plugins.plugin_utils.report import text
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import ReportError


@dataclass(frozen=True)
class Compared:
    """One service of one run. Seconds; None: not measured, or no objective."""

    run_id: str
    started: str
    verb: str
    service: str
    rto_seconds: float | None
    rto_objective_seconds: float | None
    rpo_seconds: float | None
    rpo_objective_seconds: float | None
    lost: int | None
    verdict: str


def compare(directory: Path | str) -> list[Compared]:
    """Every service of every reported run below `directory`, oldest run first. A directory without a report is no run.

    `rto_seconds` is what was compared with the objective: measured time and, in a drill, the plan's allowances.
    """
    found: list[Compared] = []
    for path in Path(directory).glob("*/report.json"):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            found += [
                Compared(
                    run_id=report["run_id"],
                    started=str(report["started"] or ""),
                    verb=report["verb"],
                    service=service["service"],
                    rto_seconds=service["rto"]["total_seconds"],
                    rto_objective_seconds=service["rto"]["objective_seconds"],
                    rpo_seconds=service["rpo"]["measured_seconds"],
                    rpo_objective_seconds=service["rpo"]["objective_seconds"],
                    lost=service["rpo"]["lost"],
                    verdict=service["verdict"],
                )
                for service in report["services"]
            ]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not ours, or of another version: one foreign file must not hide the others
    return sorted(found, key=lambda each: (each.started, each.run_id, each.service))


def compare_lines(compared: Iterable[Compared]) -> list[str]:
    """The runs as lines of text, one a run and service."""
    return [
        f"{each.run_id}  {each.verb} {each.service}: {text.VERDICT_TEXT[each.verdict].lower()},"
        f" outage {text.duration(each.rto_seconds)} of {text.duration(each.rto_objective_seconds, 'no objective')},"
        f" loss {text.duration(each.rpo_seconds)} of {text.duration(each.rpo_objective_seconds, 'no objective')}"
        for each in compared
    ]


def newest(directory: Path | str) -> Path:
    """The directory of the newest run below `directory`.

    Raises:
        ReportError: there is none.
    """
    runs = [path.parent for path in Path(directory).glob("*/run.json")]
    if not runs:
        raise ReportError(f"{directory} holds no run; start a verb first, or name the directory of your runs")
    return max(runs, key=lambda path: ((path / "run.json").stat().st_mtime, path.name))
