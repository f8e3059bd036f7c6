# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fail when the collection has become slower: each bounded case against its base, measured in the same run.

The bounds stand in bounds.json as ratios, since absolute times hold on one machine only. The repetitions of a case and
of its base take turns, so that whatever else the machine does hits both. A bound that only the median passes may be a
busy machine: then everything is measured again, at most twice. No lab machine but the lab's own is needed.

    python -m benchmarks.guard                     1 when a bound is passed, rows were lost or nothing was measured
    python -m benchmarks.guard --plant-ms 300      the same with a delay planted into the critical section of a copy of
                                                   the collection; 0 only when every bound for such a delay notices it

2 when it could not be tried: too few repetitions, wrong bounds.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import docker
import harness
from say import LabError, step

from benchmarks import cases, results, verdict
from benchmarks.case import measure
from benchmarks.verdict import Bound, Sample
from benchmarks.where import BOUNDS, CHECKOUT, STATE

LEAST_ROUNDS = 5
MOST_SERIES = 3
COPY = STATE / "planted"
# Behind every change of the record: a step that lies between the freeze and the first acknowledged write by nature.
DELAY = """

import time

_undelayed = ActionModule._switch


def _delayed(self, *given):
    time.sleep({seconds})
    return _undelayed(self, *given)


ActionModule._switch = _delayed
"""


def plant(milliseconds: int) -> Path:
    """A copy of the collection with a delay in its critical section; where Ansible finds it."""
    tree = COPY / "ansible_collections" / "continuity" / "dr"
    subprocess.run([sys.executable, str(CHECKOUT / "tests" / "tools" / "copy_tree.py"), str(tree)], check=True)
    path = tree / "plugins" / "action" / "dns_switch.py"
    path.write_text(path.read_text(encoding="utf-8") + DELAY.format(seconds=milliseconds / 1000), encoding="utf-8")
    compileall.compile_dir(tree / "plugins", quiet=2)  # the first repetition would pay for it
    return COPY


def read_bounds(path: Path) -> list[Bound]:
    """The bounds of a file. Raises LabError with what is wrong and what is allowed."""
    try:
        bounds = [Bound(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, TypeError, ValueError) as error:
        raise LabError(
            f"{path}: {error}; allowed: a list of bounds, each with case, measure, base and bound"
        ) from error
    unknown = sorted(set(verdict.cases(bounds)) - set(cases.ALL))
    if unknown or not bounds:
        raise LabError(f"{path}: no case is called {', '.join(unknown) or 'by it'}; allowed: {', '.join(cases.ALL)}")
    return bounds


def run(rounds: int, names: Sequence[str], take: Callable[[str, int], Sample]) -> dict[str, list[Sample]]:
    """Each case in turn, so many times, there and back."""
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        for name in names if number % 2 else reversed(names):
            samples[name].append(take(name, number))
    return samples


def sample(name: str, number: int) -> Sample:
    """One repetition; one that failed says so, and the guard fails."""
    try:
        taken: dict[str, Any] = measure(cases.ALL[name], f"guard-{name}-{number}-{time.time_ns()}")
    except Exception as error:  # the others are still worth measuring: they tell whether it was this case alone
        traceback.print_exc()
        taken = {"failed": f"{type(error).__name__}: {str(error)[-600:]}"}
    shown = taken.get("failed") or f"{taken.get('outage_seconds', taken.get('wall_seconds')):.3f} s"
    step(f"guard {number} {name}: {shown}" + (f", lost {taken['lost']}" if "lost" in taken else ""))
    return taken


def main(arguments: list[str], take: Callable[[str, int], Sample] = sample) -> int:
    """Measure and compare; the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS") or LEAST_ROUNDS))
    parser.add_argument("--plant-ms", type=int, default=0, help="a delay that the guard must notice")
    options = parser.parse_args(arguments)
    if options.rounds < LEAST_ROUNDS:
        parser.error(f"--rounds {options.rounds}: allowed are {LEAST_ROUNDS} or more; a median of fewer says little")
    if options.plant_ms < 0:
        parser.error(f"--plant-ms {options.plant_ms}: allowed are 0 (nothing is planted) or more")
    bounds = read_bounds(BOUNDS)
    STATE.mkdir(parents=True, exist_ok=True)
    if options.plant_ms:
        os.environ["BENCH_COLLECTIONS"] = str(plant(options.plant_ms))
    planned = [name for name in verdict.cases(bounds) if cases.ALL[name].floor == "floor_planned"]
    for series in range(1, MOST_SERIES + 1):
        samples = run(options.rounds, verdict.cases(bounds), take)
        wrong = verdict.missing(samples, bounds, options.rounds, planned)
        found = [] if wrong else verdict.judged(samples, bounds)
        results.write(
            STATE / "guard.json", {"rounds": options.rounds, "plant_ms": options.plant_ms, "samples": samples}
        )
        print("\n".join([*wrong, *map(str, found)]))
        unsure = [one for one in found if one.passed and not one.certain]
        if options.plant_ms or wrong or not unsure or any(one.certain for one in found) or series == MOST_SERIES:
            break
        print("only the medians pass a bound: the machine may be busy, so everything is measured again")
    if wrong:
        return 1
    if options.plant_ms:
        missed = verdict.unnoticed(found, options.plant_ms)
        print("\n".join(missed) or f"{options.plant_ms} ms were planted and noticed")
        return 1 if missed else 0
    return 1 if any(one.passed for one in found) else 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
        harness.lab("reset")
    except (LabError, docker.errors.DockerException) as error:
        print(f"bench-guard: {error}", file=sys.stderr)
        status = 2
    sys.exit(status)
