# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fail when the collection has become slower: each bounded case against its floor, measured in the same run.

The bounds stand in bounds.json as ratios, since absolute times hold on one machine only. The repetitions of a case and
of its floor take turns, so that whatever else the machine does hits both.

    python -m benchmarks.guard                     fails when a median ratio is above its bound
    python -m benchmarks.guard --plant-ms 300      the same with a delay planted into the critical section of a
                                                   copy of the collection; well only when that fails
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import engine
import harness
from say import alone, step

from benchmarks import cases, machines, results
from benchmarks.case import measure
from benchmarks.where import BOUNDS, CHECKOUT, STATE

LEAST_ROUNDS = 5
COPY = STATE / "planted"
# Behind every change of the record: a step that lies between the freeze and the first acknowledged write by nature.
DELAY = """

import time

_undelayed = ActionModule._switch


def _delayed(self, args):
    time.sleep({seconds})
    return _undelayed(self, args)


ActionModule._switch = _delayed
"""


def plant(milliseconds: int) -> Path:
    """A copy of the collection with a delay in its critical section; where Ansible finds it."""
    tree = COPY / "ansible_collections" / "continuity" / "dr"
    subprocess.run([sys.executable, str(CHECKOUT / "tests" / "tools" / "copy_tree.py"), str(tree)], check=True)
    path = tree / "plugins" / "action" / "dns_switch.py"
    path.write_text(path.read_text(encoding="utf-8") + DELAY.format(seconds=milliseconds / 1000), encoding="utf-8")
    return COPY


def run(rounds: int, names: list[str]) -> dict[str, Any]:
    """Each case in turn, so many times; the cases with their ratios."""
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        for name in names if number % 2 else reversed(names):
            sample = measure(cases.ALL[name], f"guard-{name}-{number}-{time.time_ns()}")
            samples[name].append(sample)
            step(f"guard {number}/{rounds} {name}: {sample['outage_seconds']:.3f} s, lost {sample['lost']}")
    harness.lab("reset")
    entries = {
        name: results.case_entry(cases.ALL[name].title, cases.ALL[name].measure, cases.ALL[name].floor, samples[name])
        for name in names
    }
    return results.with_ratios(entries)


def main(arguments: list[str]) -> int:
    """Measure and compare; the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS") or LEAST_ROUNDS))
    parser.add_argument("--plant-ms", type=int, default=0, help="a delay that the guard must notice")
    options = parser.parse_args(arguments)
    bounds: dict[str, float] = json.loads(BOUNDS.read_text(encoding="utf-8"))
    names = list(dict.fromkeys([cases.ALL[name].floor for name in bounds] + list(bounds)))
    if options.plant_ms:
        os.environ["BENCH_COLLECTIONS"] = str(plant(options.plant_ms))
    if any(cases.ALL[name].reach == "cache" for name in names):
        with alone():
            machines.ensure(engine.connect())
    measured = run(options.rounds, names)
    results.write(STATE / "guard.json", {"rounds": options.rounds, "plant_ms": options.plant_ms, "cases": measured})
    wrong = results.above_bounds(measured, bounds)
    for name in bounds:
        print(f"{name}: ratio {measured[name]['ratio']}, bound {bounds[name]:g}, {options.rounds} repetitions")
    print("\n".join(wrong) or "no bound is passed")
    if options.plant_ms:
        print(f"{options.plant_ms} ms were planted: {'noticed' if wrong else 'NOT NOTICED, the bounds are too wide'}")
        return 0 if wrong else 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
