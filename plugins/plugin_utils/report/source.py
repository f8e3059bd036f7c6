# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read what a run left in its directory: `run.json`, one journal and one measurement a service, an earlier report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import journal

Measurements = Mapping[str, Mapping[str, Any]]
"""The canary's measurement by stage; the stage is "" where the file does not say."""


class ReportError(Exception):
    """There is nothing to report on; the message says what is missing and what to do."""


@dataclass(frozen=True)
class ServiceFiles:
    """What one service left behind."""

    entries: tuple[Mapping[str, Any], ...]
    problems: tuple[Mapping[str, Any], ...]
    measurements: Measurements
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunFiles:
    """Everything a report is built from."""

    directory: Path
    run: Mapping[str, Any]
    services: Mapping[str, ServiceFiles]


def load(directory: Path) -> RunFiles:
    """Read a run's directory.

    Raises ReportError when it holds no `run.json`, or one that is not this collection's.
    """
    run = _read_json(directory / "run.json")
    if run is None:
        raise ReportError(
            f"{directory} holds no run.json: no run of that name was begun there, or it ended before anything was"
            " observed. Look at the output of that run, or name another directory"
        )
    if not isinstance(run, dict) or run.get("schema") != 1 or not run.get("run_id") or not run.get("verb"):
        raise ReportError(f"{directory / 'run.json'} is no run of schema 1: it was edited, or another version wrote it")
    heads = _heads(directory / "report.json")
    named = list(run.get("services") or {})
    found = sorted(path.stem for path in (directory / "journal").glob("*.jsonl"))
    names = dict.fromkeys([*named, *found])
    return RunFiles(directory, run, {name: _service(directory, name, heads.get(name)) for name in names})


def seconds_of(value: Any) -> float | None:
    """Seconds since 1970 of a time as number or RFC 3339 text; None when it is neither."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None


def text_of(seconds: float | None) -> str | None:
    """RFC 3339 in UTC with microseconds."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _service(directory: Path, name: str, head: tuple[int, str] | None) -> ServiceFiles:
    path = journal.path_of(directory, name)
    entries = journal.read(path)
    problems = [dataclasses.asdict(problem) for problem in journal.verify(path)]
    if head and not problems and (head[0], head[1]) not in {(entry["seq"], entry["hash"]) for entry in entries}:
        message = f"entry {head[0]}, the last one when the report was written, is gone: the end was cut or written anew"
        problems.append({"kind": "removed", "line": len(entries), "message": message})
    notes: tuple[str, ...] = ()
    try:
        measured = _read_json(directory / "canary" / f"{name}.json")
    except ReportError as error:
        measured, notes = None, (f"nothing is measured: {error}",)
    return ServiceFiles(tuple(entries), tuple(problems), _by_stage(measured), notes)


def _by_stage(measured: Any) -> Measurements:
    """The canary's `measurements`, or one measurement alone."""
    several = measured.get("measurements", [measured]) if isinstance(measured, Mapping) else []
    return {str(each.get("stage") or ""): each for each in several if isinstance(each, Mapping)}


def _heads(path: Path) -> dict[str, tuple[int, str]]:
    """The last entry of every journal as an earlier report saw it; a report that cannot be read saw nothing."""
    try:
        report = _read_json(path)
        return {
            each["service"]: (each["head"]["seq"], each["head"]["hash"]) for each in report["journal"] if each["head"]
        }
    except (ReportError, KeyError, TypeError):
        return {}


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ReportError(f"{path} cannot be read: {error}") from error
