# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a fault is tried: by its procedure, by tests of the verbs under the watch, or by a program of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import harness

from tests.faults import plugin, results
from tests.faults.catalogue import Fault
from tests.faults.trial import PLACE, attempt, judged, tail

NODES = "tests/lab/verbs"
LIMIT_SECONDS = 600.0
Told = tuple[str, str, Mapping[str, Any]]  # the result, what was seen, the watch's numbers


def run(fault: Fault, seed: int) -> dict[str, Any]:
    """Try one fault: its entry for build/faults.json."""
    began = time.monotonic()
    result, seen, watched = _tried(fault, seed)
    if result == "not_judged":  # the machine stood still for a moment; twice is no accident
        result, seen, watched = _tried(fault, seed)
    if result == "not_judged":
        result = "failed"
    return {
        "id": fault.id,
        "result": result,
        "seen": seen,
        "watched": dict(watched),
        "seconds": round(time.monotonic() - began, 1),
        "commit": results.commit(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
    }


def _tried(fault: Fault, seed: int) -> Told:
    try:
        return _told(fault, seed)
    except Exception as error:  # a command that hung: an earlier result must not stand, and the next fault is tried
        return "failed", f"broken off by {type(error).__name__}: {error}", {}


def _told(fault: Fault, seed: int) -> Told:
    if fault.missing:
        return "not_applicable", f"needs {fault.missing}", {}
    if fault.procedure:
        return attempt(fault.procedure, fault.service, fault.id, fault.before, not fault.once, fault.rc_again)
    return _nodes(fault) if fault.nodes else _program(fault, seed)


def _nodes(fault: Fault) -> Told:
    """Each test in a process of its own, under the watch; the first that fails is why the fault failed."""
    numbers: dict[str, Any] = {}
    for number, node in enumerate(fault.nodes, 1):
        place = PLACE / f"{fault.id}-{number}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        given = json.dumps(
            {"service": fault.service, "place": str(place), "again": not fault.once, "rc_again": fault.rc_again}
        )
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.faults.plugin", f"{NODES}/{node}"]
        rc, output = _ended(words, {plugin.SETTING: given})
        watch = _json(place / "watch.json")
        if rc or watch is None:
            return "failed", f"{node}: {tail(output)}", numbers
        numbers = {**numbers, **watch["seen"]}
        result, text = judged("passed", "", watch["violations"], watch["seen"])
        if result != "passed":
            return result, f"{node}: {text}", numbers
    names = ", ".join(node.partition("::")[2].removeprefix("test_").replace("_", " ") for node in fault.nodes)
    return (
        ("refused_as_expected" if fault.refused else "passed"),
        f"seen by the lab's own tests, watched in the same way: {names}",
        numbers,
    )


def _program(fault: Fault, seed: int) -> Told:
    """A module with its own judgement: its exit code, and its last line."""
    rc, output = _ended(["-m", *fault.program, "--seed", str(seed)], {})
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "")
    return ("failed", tail(output), {}) if rc else ("passed", last, {})


def _ended(words: list[str], more: Mapping[str, str]) -> tuple[int, str]:
    done = harness.ended([sys.executable, *words], LIMIT_SECONDS, {**os.environ, **more})
    return done.returncode, done.stdout


def _json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
