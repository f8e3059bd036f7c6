# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""history.html: every reported run of a directory, service by service, against the objectives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report.compare import Compared, History, history
from ansible_collections.continuity.dr.plugins.plugin_utils.report.files import replace
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import document, drawings
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import Fields
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.history_marks import MARKS
from ansible_collections.continuity.dr.plugins.plugin_utils.report.stage import MOVING

FILE = "history.html"


def write_history(directory: Path | str, found: History | None = None) -> dict[str, str]:
    """Write the page of the runs below `directory` there; its path, named as `write` names the others.

    Raises:
        ReportError: the directory cannot be written.
    """
    path = Path(directory) / FILE
    replace(path, render(found or history(directory)))
    return {"history": str(path)}


def render(found: History) -> str:
    """The page; the same runs give the same bytes."""
    runs = [dataclasses.asdict(each) for each in found.runs]
    names = dict.fromkeys(run["service"] for run in runs)
    services = [
        {"service": name, "runs": [index for index, run in enumerate(runs) if run["service"] == name]} for name in names
    ]
    wanted: dict[str, tuple[str, Callable[[ModuleType], Any]]] = {}
    for number, service in enumerate(services):
        moves = [runs[index] for index in service["runs"] if _moving(found.runs[index])]
        service["told"] = _told(moves)
        if any(_seen(run) for run in moves):
            wanted[f"history-{number}"] = ("draw_history", _drawing(f"history-{number}", service["service"], moves))
    return document.page(
        "history.html.j2",
        runs=runs,
        services=services,
        skipped=found.skipped,
        f=Fields({"runs": runs}),
        drawings=drawings.made(wanted),
        history_marks=MARKS,
    )


def _moving(run: Compared) -> bool:
    return run.verdict != "nothing_to_do" and (run.verb in (*MOVING, "drill") or run.known_seconds is not None)


def _seen(run: Mapping[str, Any]) -> bool:
    """Whether an outage was measured, or at least how long it was."""
    return run["measured_seconds"] is not None or run["at_least_seconds"] is not None


def _told(moves: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many runs measured an outage, and how many of them met every objective."""
    measured = [run for run in moves if _seen(run)]
    return {"measured": len(measured), "met": sum(run["verdict"] == "passed" for run in measured)}


def _drawing(name: str, service: str, moves: Sequence[Mapping[str, Any]]) -> Callable[[ModuleType], Any]:
    return lambda module: module.history_of(name, service, moves)
