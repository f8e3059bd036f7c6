# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run Ansible as an operator does who has just opened a terminal: no connection is warm."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import containers
import engine
import harness
from topology import PREFIX

from benchmarks.where import CHECKOUT, STATE

RUNS = STATE / "runs"
LIMIT_SECONDS = 240.0


class CommandFailed(Exception):
    """A command ended with an error; the text is the end of what it said."""


def ended(
    words: list[str], limit_seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout, without input, and wait for its end; `stdout` holds both streams."""
    return subprocess.run(
        words,
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit_seconds,
        check=False,
    )


def ansible(words: list[str]) -> float:
    """Run a command and return its wall time. Raises CommandFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-ssh-") as sockets:
        environment = {**harness.environment(), "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets}
        if "BENCH_COLLECTIONS" in os.environ:  # the guard's copy, with a delay in it
            environment["ANSIBLE_COLLECTIONS_PATH"] = os.environ["BENCH_COLLECTIONS"]
        started = time.monotonic()
        done = ended(words, LIMIT_SECONDS, environment)
        seconds = time.monotonic() - started
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(words[:3])} ended with {done.returncode}: {done.stdout[-2500:]}")
    return seconds


def verb(name: str, *arguments: str, plan: Path | None = None) -> tuple[float, dict[str, float]]:
    """Run a verb of the collection: its wall time, and the phases that its report tells, in ms."""
    run_id = f"bench-{name}-{time.time_ns()}"
    own = [f"continuity_runs_dir={RUNS}", f"continuity_run_id={run_id}"]
    seconds = ansible(harness.command(name, *arguments, *own, plan=plan))
    report = json.loads(Path(RUNS, run_id, "report.json").read_text(encoding="utf-8"))
    phases = report["services"][0]["rto"].get("phases") or {}
    return seconds, {phase: took * 1000 for phase, took in phases.items() if took is not None}


def docker(*words: str) -> None:
    """A command of the Docker client. Raises CommandFailed."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(f"docker {' '.join(words)}: {done.stderr}")


def boot(machine: str) -> None:
    """Start a machine that was killed and wait until it is up."""
    docker("start", f"{PREFIX}-{machine}")
    containers.wait_booted(engine.connect(start=False).containers.get(f"{PREFIX}-{machine}"))
