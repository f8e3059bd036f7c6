# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection's verbs on the same server and repository, as an operator types them; and the restore's step alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
from real_verb import environment, inventory

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.wanted import Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import target_of
from benchmarks.restore.database import Database

LIMIT_SECONDS = 3600.0
HISTORY = "public.pgbench_history"


class VerbFailed(Exception):
    """A verb ended with an error; the text is the end of what it said."""


def backup(database: Database) -> dict[str, float]:
    """The verb `backup`: all of it, and the step that calls pgBackRest."""
    wall, done = _verb(database, "backup", "backup", "backup_type=full")
    return {"wall": wall, "copy": done["made"][0]["seconds"]}


def restore(database: Database, label: str) -> tuple[dict[str, float], int]:
    """The verb `restore` beside the data: its seconds, and how many rows of history it counted."""
    wall, done = _verb(database, "restore", "restore", "restore_on=db1", "repository=1")
    database.restorer().discarded()
    if done["label"] != label:
        raise VerbFailed(f"it restored {done['label']}, not {label}")
    return {"wall": wall, **_parts(done)}, done["counts"]["postgres"][HISTORY]


def restore_step(database: Database, execute: Callable[[str, float], Any] | None = None) -> dict[str, float]:
    """Only the step, in this process; `execute` is what runs its scripts."""
    done = database.restorer(execute).restored(Wanted(target_of("latest"), repository=1))
    database.restorer().discarded()
    return {"wall": done["seconds"], **_parts(done)}


def _parts(done: dict[str, Any]) -> dict[str, float]:
    copy, recovery = done["copy_seconds"], done["recovery_seconds"]
    return {"copy": copy, "recovery": recovery, "verification": done["seconds"] - copy - recovery}


def _verb(database: Database, name: str, step: str, *inputs: str) -> tuple[float, dict[str, Any]]:
    """A verb's wall time, and what its journal says of one step."""
    folder, run_id = database.home.parent, f"bench-{name}-{time.time_ns()}"
    inventory(database, folder, ["db1"])
    own = [f"continuity_runs_dir={folder / 'runs'}", f"continuity_run_id={run_id}"]
    command = harness.command(name, "scope=shop", *inputs, *own, plan=folder / "plan.yml", hosts=folder / "hosts.yml")
    started = time.monotonic()
    done = harness.ended(command, LIMIT_SECONDS, {**harness.environment(), **environment(database, folder)})
    wall = time.monotonic() - started
    if done.returncode != 0:
        raise VerbFailed(f"{name} ended with {done.returncode}: {done.stdout[-2500:]}")
    return wall, _journaled(folder / "runs" / run_id / "journal" / "shop.jsonl", step)


def _journaled(path: Path, step: str) -> dict[str, Any]:
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return next(each["data"] for each in entries if (each["step"], each["state"]) == (step, "done"))
