# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""build/faults.json: what came of every fault, kill point and schedule. Each part is written by itself, any time.

    results.add_faults([entry, ...], seed=7)              # an entry has at least id, result, seen and commit
    results.add_kill_points(tried=61, failed=["failover after line 7: ..."], seed=7)
    results.add_schedules(tried=20, failed=[], seed=7)

What was tried at an earlier commit stays until it is tried again, with its commit beside it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from topology import CHECKOUT

PATH = CHECKOUT / "build" / "faults.json"
RESULTS = ("passed", "refused_as_expected", "failed", "not_applicable")
Entry = Mapping[str, Any]


def commit() -> str:
    """The commit of this checkout; with a plus where the files are not those of the commit."""
    git = ["git", "-C", str(CHECKOUT)]
    name = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False).stdout
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=False
    ).stdout
    return name.strip() + ("+" if changed.strip() else "")


def read(path: Path = PATH) -> dict[str, Any]:
    """What was kept so far."""
    empty: dict[str, Any] = {"faults": [], "controls": [], "kill_points": 0, "schedules": 0}
    return {**empty, **json.loads(path.read_text(encoding="utf-8"))} if path.is_file() else empty


def add_faults(entries: Sequence[Entry], seed: int, path: Path = PATH, part: str = "faults") -> dict[str, Any]:
    """Keep what came of faults; an entry replaces the earlier one of its id. `part`: faults or controls."""
    for entry in entries:
        if entry["result"] not in RESULTS:
            raise ValueError(f"{entry['id']}.result: {entry['result']!r} is none of {', '.join(RESULTS)}")
    kept = read(path)
    merged = {entry["id"]: entry for entry in (*kept[part], *entries)}
    return _write({**kept, part: [merged[name] for name in sorted(merged)]}, seed, path)


def add_kill_points(tried: int, failed: Sequence[str], seed: int, path: Path = PATH, **detail: Any) -> dict[str, Any]:
    """Keep how many kill points were tried (`of` how many, as the last run of all knew), and what went wrong."""
    return _count("kill_points", tried, failed, seed, path, detail)


def add_schedules(tried: int, failed: Sequence[str], seed: int, path: Path = PATH, **detail: Any) -> dict[str, Any]:
    """Keep how many random schedules were run, and one line for each that went wrong, with its seed."""
    return _count("schedules", tried, failed, seed, path, detail)


def _count(
    what: str, tried: int, failed: Sequence[str], seed: int, path: Path, detail: Mapping[str, Any]
) -> dict[str, Any]:
    kept = read(path)
    about = {"tried": tried, "failed": list(failed), "seed": seed, "commit": commit(), **detail}
    about["of"] = detail.get("of") or kept.get(f"{what}_about", {}).get("of")
    return _write({**kept, what: tried, f"{what}_about": about}, seed, path)


def failures(results: Mapping[str, Any]) -> list[str]:
    """One line for everything that went wrong."""
    entries = [*results["faults"], *results["controls"]]
    found = [f"{entry['id']}: {entry['seen']}" for entry in entries if entry["result"] == "failed"]
    for what in ("kill_points", "schedules"):
        found += results.get(f"{what}_about", {}).get("failed", [])
    return found


def _write(results: dict[str, Any], seed: int, path: Path) -> dict[str, Any]:
    """In one move: a run that is broken off leaves the last whole file."""
    results |= {"commit": commit(), "seed": seed, "written": datetime.now(UTC).isoformat(timespec="seconds")}
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    new.replace(path)
    return results
