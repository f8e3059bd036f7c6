# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a run: everything its directory tells, in one dictionary (`docs/report.schema.json`)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import journal
from ansible_collections.continuity.dr.plugins.plugin_utils.core.objectives import Allowances
from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import worst
from ansible_collections.continuity.dr.plugins.plugin_utils.report.client import Moment, client
from ansible_collections.continuity.dr.plugins.plugin_utils.report.service import service_of
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import (
    RunFiles,
    ServiceFiles,
    load,
    seconds_of,
    text_of,
)

SCHEMA = 1


def build(
    directory: Path | str, *, allow_degraded: Iterable[str] = (), inventory: Sequence[str] = ()
) -> dict[str, Any]:
    """Build the report of the run in `directory`; nothing is written.

    `allow_degraded`: degradations (or services) the operator accepts by name. `inventory`: the inventory sources that
    the next commands name. Both count only where the run's own, in `run.json`, are none: built again elsewhere, the
    report of a run says the same.

    Raises:
        ReportError: the directory holds no run.

    Example: ``build("runs/20261122T031500Z-3f9a")["verdict"] == "passed"``
    """
    files = load(Path(directory))
    run = files.run
    sources = run.get("inventory") or inventory
    options = " ".join(f"-i {shlex.quote(str(source))}" for source in sources) or "-i INVENTORY"
    options = " ".join([options, *(shlex.quote(str(word)) for word in run.get("options") or ())])
    allowed = frozenset(str(name) for name in run.get("allow_degraded") or allow_degraded)
    last = _last_moment(files)
    services = [
        {**service_of(run, name, each, allowed, options), "client": client(files.directory, name, last)}
        for name, each in files.services.items()
    ]
    started = seconds_of(run.get("started"))
    finished = last.seconds if last else started
    inputs = run.get("inputs") or {}
    report = {
        "schema": SCHEMA,
        "run_id": str(run["run_id"]),
        "verb": str(run["verb"]),
        "check_mode": bool(run.get("check_mode")),
        "operator": run.get("operator"),
        "reason": run.get("reason") or inputs.get("reason"),
        "inputs": {key: value for key, value in inputs.items() if value not in (None, "", [], ())},
        "plan": _plan(run.get("plan") or {}),
        "started": text_of(started),
        "finished": text_of(finished),
        "duration_seconds": None if started is None or finished is None else round(max(0.0, finished - started), 6),
        "verdict": worst(service["verdict"] for service in services),
        "fails": not services or any(service["fails"] for service in services),
        "services": services,
        **{part: _drilled(files, part) for part in DRILLED},
        "journal": [_journal(name, each) for name, each in files.services.items()],
    }
    masked: dict[str, Any] = journal.mask(report)
    return masked


def _plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    allowances = plan.get("allowances") or {}
    known = Allowances(**{key: float(allowances.get(key) or 0) for key in ("detection_seconds", "decision_seconds")})
    return {
        **{key: plan.get(key) for key in ("id", "title", "environment", "digest")},
        "allowances": {"detection_seconds": known.detection_seconds, "decision_seconds": known.decision_seconds},
    }


#: What stands in the report of each restore and each control of a restore drill
DRILLED: Mapping[str, Sequence[str]] = {
    "restores": (
        *("copy", "label", "timeline", "seconds", "copy_seconds", "recovery_seconds", "newest_row_age_seconds"),
        *("checksums", "stopped"),
    ),
    "controls": ("name", "copy", "expected", "seen"),
}


def _drilled(files: RunFiles, part: str) -> list[dict[str, Any]]:
    """What a restore drill did: its `restores`, one a copy, or its negative `controls`."""
    found: list[dict[str, Any]] = []
    for name, each in files.services.items():
        ended = [entry.get("data") or {} for entry in each.entries if entry.get("step") == "outcome"]
        rows = ended[-1].get(part) or () if ended else ()
        found += [{"service": name, **{key: row.get(key) for key in DRILLED[part]}} for row in rows]
    return found


def _journal(name: str, files: ServiceFiles) -> dict[str, Any]:
    """The journal's length, its last entry (so that a later report sees a cut end) and what is wrong with it."""
    last = files.entries[-1] if files.entries else None
    return {
        "service": name,
        "entries": len(files.entries),
        "head": {"seq": last["seq"], "hash": last["hash"]} if last else None,
        "problems": [dict(problem) for problem in files.problems],
    }


def _last_moment(files: RunFiles) -> Moment | None:
    """When the last thing was recorded."""
    ends = [each.entries[-1] for each in files.services.values() if each.entries]
    known = [
        Moment(seconds, int(entry.get("monotonic_ns") or 0))
        for entry in ends
        if (seconds := seconds_of(entry.get("time"))) is not None
    ]
    return max(known, key=lambda moment: moment.seconds, default=None)
