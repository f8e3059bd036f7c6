# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""build/faults.json: what came of every fault, kill point and schedule. Each part is written by itself, any time.

    results.add_faults([entry, ...], seed=7)              # an entry has at least id, result, seen and commit
    results.add_kill_points(tried=61, failed=["failover after line 7: ..."], seed=7)
    results.add_schedules(tried=20, failed=[], seed=7)

What was tried at an earlier commit stays until it is tried again, with its commit beside it: all of it takes hours, so
what docs/faults.md shows is kept in tests/faults/results.json, and a new checkout goes on from there.
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
PUBLISHED = CHECKOUT / "tests" / "faults" / "results.json"
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


def read(path: Path | None = None) -> dict[str, Any]:
    """What was kept so far; in a checkout that has tried nothing yet, what was published."""
    empty: dict[str, Any] = {"faults": [], "controls": [], "kill_points": 0, "schedules": 0}
    kept = path or (PATH if PATH.is_file() else PUBLISHED)
    return {**empty, **json.loads(kept.read_text(encoding="utf-8"))} if kept.is_file() else empty


def publish() -> dict[str, Any]:
    """Keep for the next checkout what was kept here; what that is."""
    return write(read(), PUBLISHED)


def add_faults(entries: Sequence[Entry], seed: int, path: Path | None = None, part: str = "faults") -> dict[str, Any]:
    """Keep what came of faults; an entry replaces the earlier one of its id. `part`: faults or controls."""
    for entry in entries:
        if entry["result"] not in RESULTS:
            raise ValueError(f"{entry['id']}.result: {entry['result']!r} is none of {', '.join(RESULTS)}")
    kept = read(path)
    merged = {entry["id"]: entry for entry in (*kept[part], *entries)}
    return _write({**kept, part: [merged[name] for name in sorted(merged)]}, seed, path)


def add_kill_points(
    tried: int, failed: Sequence[str], seed: int, path: Path | None = None, **detail: Any
) -> dict[str, Any]:
    """Keep how many kill points were tried (`of` how many, as the last run of all knew), and what went wrong."""
    return _count("kill_points", tried, failed, seed, path, detail)


def add_schedules(
    tried: int, failed: Sequence[str], seed: int, path: Path | None = None, **detail: Any
) -> dict[str, Any]:
    """Keep how many random schedules were run, and one line for each that went wrong, with its seed."""
    return _count("schedules", tried, failed, seed, path, detail)


def _count(
    what: str, tried: int, failed: Sequence[str], seed: int, path: Path | None, detail: Mapping[str, Any]
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


def _write(results: dict[str, Any], seed: int, path: Path | None) -> dict[str, Any]:
    results |= {"commit": commit(), "seed": seed, "written": datetime.now(UTC).isoformat(timespec="seconds")}
    return write(results, path or PATH)


def write(results: dict[str, Any], path: Path) -> dict[str, Any]:
    """Write them in one move: a run that is broken off leaves the last whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    new.replace(path)
    return results
