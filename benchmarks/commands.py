# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run Ansible as an operator does who has just opened a terminal: no connection is warm. What it costs is noted."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import containers
import engine
import harness
from topology import PREFIX

from benchmarks.memory import Watch
from benchmarks.where import CHECKOUT, STATE

RUNS = STATE / "runs"
LIMIT_SECONDS = 240.0


class CommandFailed(Exception):
    """A command ended with an error, or not in time; the text is the end of what it said."""


@dataclass(frozen=True)
class Ran:
    """What a command took: time, and of the controller processor time and memory, its children's with it."""

    seconds: float
    cpu_seconds: float  # of all its processes, except those that outlive it (ssh keeps its connections open)
    largest_mb: float  # the peak of its largest single process
    total_mb: float | None = None  # the peak of all of them together, where it was watched

    @property
    def controller(self) -> dict[str, float]:
        """As a sample keeps it."""
        total = {} if self.total_mb is None else {"total_mb": round(self.total_mb, 1)}
        return {"cpu_seconds": round(self.cpu_seconds, 2), "largest_mb": round(self.largest_mb, 1), **total}


def run(words: Sequence[str], environment: Mapping[str, str], limit_seconds: float, watched: bool = False) -> Ran:
    """Run a command to its end. Raises CommandFailed. C(watched) also adds up what its processes have in memory."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        started = time.monotonic()
        process = subprocess.Popen(
            words,
            cwd=CHECKOUT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with Watch(process.pid, limit_seconds, watched) as watch:
            # wait4 tells what this command and its children used; Python's own wait() would throw it away.
            _pid, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        end = said.read()[-2500:]
    if watch.too_long:
        raise CommandFailed(f"{' '.join(words[:3])} was killed after {limit_seconds:g} s: {end}")
    if process.returncode != 0:
        raise CommandFailed(f"{' '.join(words[:3])} ended with {process.returncode}: {end}")
    return Ran(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, watch.peak_mb if watched else None)


def ansible(
    words: Sequence[str],
    settings: Mapping[str, str] | None = None,
    limit_seconds: float = LIMIT_SECONDS,
    watched: bool = False,
) -> Ran:
    """Run a command of Ansible's, with settings beside the usual. Raises CommandFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-ssh-") as sockets:
        environment = {**harness.environment(), **(settings or {}), "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # where it is set: an operator's Python keeps what it compiled
        if "BENCH_COLLECTIONS" in os.environ:  # the guard's copy, with a delay in it
            environment["ANSIBLE_COLLECTIONS_PATH"] = os.environ["BENCH_COLLECTIONS"]
        return run(words, environment, limit_seconds, watched)


def verb(name: str, *arguments: str, plan: Path | None = None) -> tuple[Ran, dict[str, float]]:
    """Run a verb of the collection: what it took, and the phases that its report tells, in ms."""
    run_id = f"bench-{name}-{time.time_ns()}"
    own = [f"continuity_runs_dir={RUNS}", f"continuity_run_id={run_id}"]
    ran = ansible(harness.command(name, *arguments, *own, plan=plan))
    report = json.loads(Path(RUNS, run_id, "report.json").read_text(encoding="utf-8"))
    phases = report["services"][0]["rto"].get("phases") or {}
    return ran, {phase: took * 1000 for phase, took in phases.items() if took is not None}


def docker(*words: str) -> None:
    """A command of the Docker client. Raises CommandFailed."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(f"docker {' '.join(words)}: {done.stderr}")


def boot(machine: str) -> None:
    """Start a machine that was killed and wait until it is up."""
    docker("start", f"{PREFIX}-{machine}")
    containers.wait_booted(engine.connect(start=False).containers.get(f"{PREFIX}-{machine}"))
