# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run commands for a person: how each went, what it said last, how long it took, and a summary.

They run one after another. Those that neither share nor measure anything run aside: one after another as well, but
beside the rest, from the start.

Everything a command says goes to its log below ``build/log``; the end of it is shown where the command failed. What
comes after a failure still runs (a person wants all findings, not the first) unless it needs what failed. A command
that may be skipped says so itself, in its last line, and so does the summary: what was not tested does not read `ok`.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LOGS = Path("build/log")
SHOWN_LINES = 60
SHOWN_AGAIN_LINES = 25
HEARTBEAT_SECONDS = 60.0
SKIPPED = "skipped: "
# A third of what the others get where they compete: tests of its own with a time to keep must still keep it.
ASIDE = ("nice", "-n", "5")
COLOURS = re.compile(r"\x1b\[[0-9;]*[a-zA-Z]")


@dataclass(frozen=True)
class Job:
    """A command under a name.

    ``needs`` names a job without whose success it is pointless; ``refused`` is a pattern that must not stand in its
    output, for commands that call it a success when they left something out. Where it ``may_skip``, a success
    whose last line is "skipped: <reason>" is called that, and no failure. One that runs ``aside`` leaves the others the
    machine when they need it; one that runs ``alone``, because it measures, waits until nothing runs aside any more.
    One with ``within`` is skipped when so many seconds have passed before it could begin.
    """

    name: str
    command: Sequence[str]
    needs: str = ""
    refused: str = ""
    may_skip: bool = False
    aside: bool = False
    alone: bool = False
    within: float | None = None

    @property
    def log(self) -> Path:
        """Where the command's output goes."""
        return LOGS / f"{self.name}.log"


def last_words(log: Path) -> str:
    """Return the last line of a log that says something, short enough for one terminal line."""
    lines = [COLOURS.sub("", line).strip(" =") for line in log.read_text(errors="replace").splitlines()]
    said = [line for line in lines if line.strip() and not line.startswith("make: ***")]
    return said[-1][:100] if said else ""


def run(job: Job) -> tuple[str, float]:
    """Run one job with its output in its log; return ok, skipped or FAILED, and the seconds it took."""
    started = time.monotonic()
    # Not this make's job server and flags: a make below is one of its own.
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*ASIDE, *job.command] if job.aside else job.command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        while True:
            try:
                code = process.wait(timeout=HEARTBEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                print(f"  {job.name}: {time.monotonic() - started:.0f} s, {last_words(job.log)}", flush=True)
    outcome = "ok"
    if code != 0 or (job.refused and re.search(job.refused, job.log.read_text(errors="replace"))):
        outcome = "FAILED"
    elif job.may_skip and last_words(job.log).startswith(SKIPPED):
        outcome = "skipped"
    return outcome, time.monotonic() - started


def end_of(log: Path, shown: int = SHOWN_LINES) -> str:
    """Return the end of a log, indented, with the place of the rest."""
    lines = log.read_text(errors="replace").splitlines()[-shown:]
    return "\n".join([*(f"    {line}" for line in lines), f"    -- all of it: {log}"])


class Course:
    """How a number of jobs went so far."""

    def __init__(self) -> None:
        self.outcome: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.cut_off = False
        self.began = time.monotonic()

    def take(self, jobs: Sequence[Job]) -> None:
        """Run jobs one after another and tell how each went."""
        for job in jobs:
            if self.cut_off:
                return
            self.outcome[job.name], self.seconds[job.name] = self._one(job)
            print(self._said(job), flush=True)

    def _said(self, job: Job) -> str:
        outcome = self.outcome[job.name]
        if outcome == "not run":
            return f"{job.name}: not run, {job.needs} {self.outcome[job.needs].lower()}"
        said = f"{job.name}: {outcome} in {self.seconds[job.name]:.0f} s  {last_words(job.log)}"
        return f"{said}\n{end_of(job.log)}" if outcome == "FAILED" else said

    def _one(self, job: Job) -> tuple[str, float]:
        if self.outcome.get(job.needs, "ok") != "ok":
            return "not run", 0.0
        if job.within is not None and time.monotonic() > self.began + job.within:
            job.log.parent.mkdir(parents=True, exist_ok=True)
            job.log.write_text(f"{SKIPPED}{job.within:g} s had passed\n", encoding="utf-8")
            return "skipped", 0.0
        print(f"{job.name} ...", flush=True)
        return run(job)


def run_all(jobs: Sequence[Job]) -> int:
    """Run the jobs and print the summary; return the exit code: 1 if any of them failed or could not run."""
    started = time.monotonic()
    course = Course()
    with ThreadPoolExecutor(1) as pool:
        aside = pool.submit(course.take, [job for job in jobs if job.aside])
        try:
            for job in jobs:
                if job.alone:
                    aside.result()
                if not job.aside:
                    course.take([job])
        except BaseException:  # Ctrl-C: nothing more begins aside
            course.cut_off = True
            raise
        aside.result()
    outcome, seconds = course.outcome, course.seconds
    width = max(len(job.name) for job in jobs)
    print()
    for job in jobs:
        reason = f"  {last_words(job.log).removeprefix(SKIPPED)}" if outcome[job.name] == "skipped" else ""
        print(f"  {job.name:<{width}}  {outcome[job.name]:<7} {seconds[job.name]:6.0f} s{reason}")
    skipped = sum(word == "skipped" for word in outcome.values())
    bad = sum(word != "ok" for word in outcome.values()) - skipped
    print(f"  {'all of it':<{width}}  {'':<7} {time.monotonic() - started:6.0f} s")
    more = f", {skipped} skipped" if skipped else ""
    print(f"{len(jobs) - bad - skipped} passed, {bad} failed{more}", flush=True)
    # Once more, last: of a long output often only the end is kept, or read
    for job in jobs:
        if outcome[job.name] == "FAILED":
            print(f"{job.name} ended with\n{end_of(job.log, SHOWN_AGAIN_LINES)}", flush=True)
    return 1 if bad else 0
