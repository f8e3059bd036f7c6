# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Molecule's stories share. STORY is a scenario's directory; what a story leaves is in build/molecule/<its name>.

story.py begin STORY HAPPENED    the healthy lab, then what the JSON list says, then keep what the lab looks like
story.py attempt STORY [--check] VERB INPUT...    run a verb that must change nothing; keep what it said
story.py proof STORY [--check]   neither a check run nor a second run has changed anything
story.py resume STORY            let a paused run go on, and keep what it said
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harness
import state
from harness import CHECKOUT, Result

KEPT = CHECKOUT / "build" / "molecule"
START = KEPT / "start.json"  # what the lab looked like after its last reset
PAUSED_RUN = "paused"


def place(story: Path) -> Path:
    """Where a story keeps what it saw."""
    return KEPT / story.resolve().relative_to(CHECKOUT / "extensions" / "molecule")


def plan_of(story: Path) -> Path | None:
    """The lab's plan with the story's own plan.yml laid over it; None where it has none."""
    overlay = story / "plan.yml"
    return harness.overlaid_plan(overlay, place(story)) if overlay.is_file() else None


def begin(story: Path, happened: Sequence[dict[str, Any]]) -> int:
    """Start from the healthy lab, let happen what happened, and keep what the lab looks like then."""
    for folder in KEPT.glob("*/*/paused"):
        end(folder)
    shutil.rmtree(place(story), ignore_errors=True)
    place(story).mkdir(parents=True)
    if not START.is_file() or state.changed_since(START, settle_seconds=0):
        harness.lab("reset")
        state.keep(START)
    before = place(story) / "before.json"
    if not happened:
        shutil.copy(START, before)
        return 0
    START.unlink()  # not everything that can happen is seen afterwards: the next story resets
    for event in happened:
        print(f"happened: {event}", flush=True)
        kind = next((known for known in EVENTS if known in event), None)
        if kind is None:
            raise SystemExit(f"{event}: nothing is known to happen so; known: {', '.join(EVENTS)}")
        EVENTS[kind](story, event)
    state.keep(before)
    return 0


def _verb(story: Path, event: dict[str, Any]) -> None:
    result = harness.run_verb(event["verb"], *event.get("inputs", ()), runs_of(story), plan=plan_of(story))
    assert result.rc == event.get("ends", 0), result.output
    keep(story, "earlier", result)


def _fault(_story: Path, event: dict[str, Any]) -> None:
    harness.lab("fault", event["fault"], *[w for k, v in event.items() if k != "fault" for w in (f"--{k}", str(v))])


def _sql(_story: Path, event: dict[str, Any]) -> None:
    harness.sql(event["member"], event["port"], event["sql"], event.get("database", "postgres"))


def _shell(_story: Path, event: dict[str, Any]) -> None:
    harness.inside(event["machine"], event["shell"])


def _record(_story: Path, event: dict[str, Any]) -> None:
    harness.set_record(event["record"], event["address"], event.get("ttl", 5))


def _paused(story: Path, event: dict[str, Any]) -> None:
    """A run that is stopped dead (SIGSTOP to all of it) as soon as its journal has a step; `resume` lets it go on."""
    folder, runs = place(story) / "paused", place(story) / "runs"
    folder.mkdir()
    inputs = [*event["inputs"], f"continuity_run_id={PAUSED_RUN}", runs_of(story)]
    command = ["/bin/sh", "-c", '"$@" >"$0/output" 2>&1; echo $? >"$0/rc"', str(folder)]
    process = subprocess.Popen(
        [*command, *harness.command(event["paused"], *inputs, plan=plan_of(story))],
        cwd=CHECKOUT,
        env=harness.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (folder / "pid").write_text(str(process.pid), encoding="utf-8")
    wanted, until = (event["after"], "done"), time.monotonic() + 60
    while wanted not in {(e["step"], e["state"]) for e in harness.journal(PAUSED_RUN, event["service"], runs)}:
        assert process.poll() is None and time.monotonic() < until, (folder / "output").read_text(encoding="utf-8")
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGSTOP)
    assert process.poll() is None, (folder / "output").read_text(encoding="utf-8")


EVENTS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    "verb": _verb,
    "fault": _fault,
    "sql": _sql,
    "shell": _shell,
    "record": _record,
    "paused": _paused,
}


def end(folder: Path) -> None:
    """Kill a paused run that a story did not let go on."""
    if (group := _group(folder)) is not None:
        os.killpg(group, signal.SIGKILL)


def _group(folder: Path) -> int | None:
    """The process group of a paused run while it lives: numbers are given out again, so its command is asked too."""
    pid = (folder / "pid").read_text(encoding="utf-8").strip() if (folder / "pid").is_file() else "none"
    command = Path("/proc", pid, "cmdline")
    return int(pid) if command.is_file() and str(folder).encode() in command.read_bytes() else None


def resume(story: Path, seconds: float = 120.0) -> Result:
    """Let the paused run go on, to its end."""
    folder = place(story) / "paused"
    group = _group(folder)
    assert group is not None, f"no run is paused in {folder}"
    started = time.monotonic()
    os.killpg(group, signal.SIGCONT)
    while not (rc := folder / "rc").is_file() or not rc.read_text(encoding="utf-8").strip():
        assert time.monotonic() < started + seconds, f"{folder}: it did not end within {seconds:g} s"
        time.sleep(0.05)
    report = place(story) / "runs" / PAUSED_RUN / "report.json"
    return Result(
        int(rc.read_text(encoding="utf-8")),
        (folder / "output").read_text(encoding="utf-8"),
        time.monotonic() - started,
        json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {},
    )


def runs_of(story: Path) -> str:
    """The input that keeps a story's runs, and what they have seen, apart from those of others."""
    return f"continuity_runs_dir={place(story) / 'runs'}"


def attempt(story: Path, check: bool, verb: str, inputs: Sequence[str]) -> int:
    """Run a verb as an operator does, where it must change nothing; what it said is kept for the story's tests."""
    mode = "check" if check else "second" if (place(story) / "first.json").is_file() else "first"
    words = [*inputs, runs_of(story), *(["--check"] if check else [])]
    keep(story, mode, harness.run_verb(verb, *words, plan=plan_of(story)))
    return _unchanged_since(place(story) / "before.json", f"the {mode} run")


def keep(story: Path, name: str, result: Result) -> None:
    """Keep what a run said, for the tests."""
    (place(story) / f"{name}.json").write_text(json.dumps(dataclasses.asdict(result), indent=1), encoding="utf-8")


def kept(story: Path, name: str) -> Result:
    """What a run said."""
    return Result(**json.loads((place(story) / f"{name}.json").read_text(encoding="utf-8")))


def proof(story: Path, check: bool) -> int:
    """After a check run the lab is as before. After the first run it is kept, and after the next it is as kept."""
    after = place(story) / "after.json"
    if check:
        return _unchanged_since(place(story) / "before.json", "the check run")
    if after.is_file():
        return _unchanged_since(after, "the second run")
    state.keep(after)
    return 0


def _unchanged_since(file: Path, who: str) -> int:
    found = state.changed_since(file)
    print("\n".join([f"{who} changed:", *found]) if found else f"{who} changed nothing")
    return 1 if found else 0


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["begin", "attempt", "proof", "resume"])
    parser.add_argument("story", type=Path)
    parser.add_argument("--check", action="store_true", help="this is a check run")
    parser.add_argument("words", nargs="*", help="what happened, or a verb and its inputs")
    options = parser.parse_args(arguments)
    if options.command == "begin":
        return begin(options.story, json.loads(*options.words))
    if options.command == "attempt":
        return attempt(options.story, options.check, options.words[0], options.words[1:])
    if options.command == "proof":
        return proof(options.story, options.check)
    keep(options.story, "first", resume(options.story))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
