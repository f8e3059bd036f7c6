# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run make targets one after another; show for each how it went, what it said last and how long it took.

Everything a stage says goes to ``build/log/<stage>.log``. A stage that fails shows the end of its log, and the stages
after it still run (a person wants all findings, not the first), except those that need the lab when the lab did not
come up. Exit 1 if any stage failed.

Example: ``stages.py lint unit molecule``
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

LOGS = Path("build/log")
SHOWN_LINES = 60
HEARTBEAT_SECONDS = 60.0
NEEDS = {"molecule": "lab"}
COLOURS = re.compile(r"\x1b\[[0-9;]*[a-zA-Z]")


def last_words(log: Path) -> str:
    """Return the last line of a log that says something, shortened to one terminal line."""
    lines = [COLOURS.sub("", line).strip(" =") for line in log.read_text(errors="replace").splitlines()]
    said = [line for line in lines if line.strip()]
    return said[-1][:100] if said else ""


def run(stage: str) -> tuple[bool, float]:
    """Run one make target with its output in a log; return whether it succeeded, and the seconds it took."""
    log = LOGS / f"{stage}.log"
    started = time.monotonic()
    # Not this make's job server and flags: the stage is a make of its own.
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            ["make", stage], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
        )
        while True:
            try:
                code = process.wait(timeout=HEARTBEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                print(f"  {stage}: {time.monotonic() - started:.0f} s, {last_words(log)}", flush=True)
    return code == 0, time.monotonic() - started


def failure(stage: str) -> str:
    """Return the end of a failed stage's log, indented, with the place of the rest."""
    log = LOGS / f"{stage}.log"
    lines = log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
    return "\n".join([*(f"    {line}" for line in lines), f"    -- all of it: {log}"])


def main(stages: list[str]) -> int:
    """Run the stages and print the summary; return the exit code."""
    LOGS.mkdir(parents=True, exist_ok=True)
    outcome: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for stage in stages:
        if outcome.get(NEEDS.get(stage, "")) == "FAILED":
            outcome[stage], seconds[stage] = "not run", 0.0
            print(f"{stage}: not run, {NEEDS[stage]} failed", flush=True)
            continue
        print(f"{stage} ...", flush=True)
        succeeded, seconds[stage] = run(stage)
        outcome[stage] = "ok" if succeeded else "FAILED"
        said = last_words(LOGS / f"{stage}.log")
        print(f"{stage}: {outcome[stage]} in {seconds[stage]:.0f} s  {said}", flush=True)
        if not succeeded:
            print(failure(stage), flush=True)
    print("\nsummary")
    for stage in stages:
        print(f"  {stage:<12} {outcome[stage]:<8} {seconds[stage]:6.0f} s")
    print(f"  {'all':<12} {'':<8} {sum(seconds.values()):6.0f} s")
    bad = [stage for stage in stages if outcome[stage] != "ok"]
    print(f"{len(stages) - len(bad)} passed, {len(bad)} failed", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
