# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a fault is tried: by its procedure, by tests of the verbs under the watch, or by a program of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from topology import CHECKOUT

from tests.faults import plugin, results
from tests.faults.catalogue import Fault
from tests.faults.trial import PLACE, attempt, tail

NODES = "tests/lab/verbs"
LIMIT_SECONDS = 600.0
Told = tuple[str, str, Mapping[str, Any]]  # the result, what was seen, the watch's numbers


def run(fault: Fault, seed: int) -> dict[str, Any]:
    """Try one fault: its entry for build/faults.json."""
    began = time.monotonic()
    if fault.missing:
        told: Told = ("not_applicable", f"needs {fault.missing}", {})
    elif fault.procedure:
        told = attempt(fault.procedure, fault.service, fault.id, fault.before, fault.again)
    elif fault.nodes:
        told = _nodes(fault)
    else:
        told = _program(fault, seed)
    result, seen, watched = told
    return {
        "id": fault.id,
        "result": result,
        "seen": seen,
        "watched": dict(watched),
        "seconds": round(time.monotonic() - began, 1),
        "commit": results.commit(),
        "seed": seed,
    }


def _nodes(fault: Fault) -> Told:
    """Each test in a process of its own, under the watch; the first that fails is why the fault failed."""
    numbers: dict[str, Any] = {}
    for number, node in enumerate(fault.nodes, 1):
        place = PLACE / f"{fault.id}-{number}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        given = json.dumps({"service": fault.service, "place": str(place)})
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.faults.plugin", f"{NODES}/{node}"]
        rc, output = _ended(words, {plugin.SETTING: given})
        watch = _json(place / "watch.json")
        if rc or watch is None:
            return "failed", f"{node}: {tail(output)}", numbers
        if watch["violations"]:
            return "failed", "; ".join(f"{one['oracle']}: {one['text']}" for one in watch["violations"]), numbers
        numbers = {**numbers, **watch["seen"]}
    names = ", ".join(node.partition("::")[2].removeprefix("test_").replace("_", " ") for node in fault.nodes)
    return ("refused_as_expected" if fault.refused else "passed"), f"seen by the lab's own tests: {names}", numbers


def _program(fault: Fault, seed: int) -> Told:
    """A module with its own judgement: its exit code, and its last line."""
    rc, output = _ended(["-m", *fault.program, "--seed", str(seed)], {})
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "")
    return ("failed", tail(output), {}) if rc else ("passed", last, {})


def _ended(words: list[str], more: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=CHECKOUT,
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def _json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
