# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a verb whose controller ends right after one line of a service's journal, and nowhere else."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness

KILLER = Path(__file__).resolve().parent / "killer"


@dataclass(frozen=True)
class Place:
    """Where a run is kept, and the service whose journal is watched."""

    runs: Path
    run_id: str
    service: str

    @property
    def path(self) -> Path:
        """The journal's file, as the kernel names it."""
        return self.runs.resolve() / self.run_id / "journal" / f"{self.service}.jsonl"

    def journal(self) -> list[dict[str, Any]]:
        """The lines so far."""
        return harness.journal(self.run_id, self.service, self.runs)

    def report(self) -> dict[str, Any]:
        """What the run reported; nothing where it did not get so far."""
        path = self.runs / self.run_id / "report.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    @property
    def own(self) -> tuple[str, str]:
        """The extra variables that name the run."""
        return f"continuity_runs_dir={self.runs}", f"continuity_run_id={self.run_id}"


@dataclass(frozen=True)
class Cut:
    """How a run ended that was to be cut off; `reached` is False where it ended by itself before that line."""

    reached: bool
    rc: int
    output: str


def environment(place: Place, line: int, sparing: bool) -> dict[str, str]:
    """What the killer is told. The mark is new each time: what is left of an earlier run is none of its business."""
    own = {"PYTHONPATH": str(KILLER), "CONTINUITY_CUT_JOURNAL": str(place.path), "CONTINUITY_CUT_LINE": str(line)}
    own |= {"CONTINUITY_CUT_MARK": secrets.token_hex(8), "CONTINUITY_CUT_SPARING": "yes" if sparing else ""}
    return {**harness.environment(), **own}


def run(words: list[str], place: Place, line: int, sparing: bool = False, seconds: float = 120.0) -> Cut:
    """Run a command whose journal grows, until it is cut off after `line` lines or ends."""
    with tempfile.TemporaryFile("w+") as said:  # not a pipe: what lives on would keep it open
        process = subprocess.Popen(
            words,
            cwd=harness.CHECKOUT,
            env=environment(place, line, sparing),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            rc = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            rc = process.wait()
        said.seek(0)
        output = said.read()
    assert rc != -signal.SIGKILL or len(place.journal()) >= line, f"not within {seconds:g} s:\n{output}"
    return Cut(rc == -signal.SIGKILL, rc, output)


def run_verb(
    verb: str, *arguments: str, place: Place, line: int, sparing: bool = False, plan: Path | None = None
) -> Cut:
    """A verb, cut off right after `line` lines. AssertionError where the journal has another number of lines then."""
    cut = run(harness.command(verb, *arguments, *place.own, plan=plan), place, line, sparing)
    if cut.reached and (have := len(place.journal())) != line:
        raise AssertionError(f"cut off after line {line}, and the journal has {have}")
    return cut
