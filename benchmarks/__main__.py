# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure every case in one lab and one run, the repetitions interleaved; write results.json and the page.

BENCH_ROUNDS=5          repetitions of each case
BENCH_CASES=a,b         only these
BENCH_SEED=1            the order in which a round takes the cases

A run with fewer repetitions or cases than that is for trying, and one in which something failed or a planned move lost
rows is not published: its results go to build/bench and the page stays.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import engine
import harness
from say import LabError, alone, step

from benchmarks import about, cases, machines, page, results
from benchmarks.case import Case, measure
from benchmarks.where import PAGE, PLOT, RESULTS, STATE

LEAST_ROUNDS = 5


def main(arguments: list[str]) -> int:
    """One run; the process's exit status."""
    options = _options(arguments)
    names = _chosen(options.cases)
    if options.add:
        kept = {name: case["floor"] for name, case in results.read(RESULTS)["cases"].items()}
        if wrong := results.apart({name: cases.ALL[name].floor for name in names}, kept):
            raise LabError("\n".join(wrong))
    client = engine.connect()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is below is undone then as well
    machines.stop(client)  # a run that was broken off may have left servers running in them
    with alone():
        machines.ensure(client)
    try:
        found = _run(names, options)
    finally:
        machines.stop(client)
    if options.add:
        found = results.added(results.read(RESULTS), found)
    names, absent = list(found["cases"]), found["not_installed"]
    missing = [name for name in cases.ALL if name not in names and cases.ALL[name].peer not in absent]
    wrong = results.problems(found, cases.NEEDED_PEERS)
    whole = not missing and not wrong and options.rounds >= LEAST_ROUNDS
    output = Path(options.output) if options.output else RESULTS if whole else STATE / "results.json"
    results.write(output, found)
    print(page.table(found))
    if output == RESULTS:
        page.write(found, PAGE, PLOT)
    print("\n".join([f"written: {output}", *(f"problem: {text}" for text in wrong)]))
    return 1 if wrong else 0


def _run(names: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured, and what it was measured on."""
    absent, versions = _not_installed(names)
    names = [name for name in names if cases.ALL[name].peer not in absent]
    started = datetime.now(UTC)
    described = about.describe()
    samples = _rounds(names, options.rounds, options.seed)
    return {
        "schema": 2,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": options.rounds,
        "seed": options.seed,
        "machine": described,
        "peers": versions,
        "not_installed": absent,
        "cases": results.with_ratios({name: _entry(cases.ALL[name], samples[name]) for name in names}),
    }


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS") or LEAST_ROUNDS))
    parser.add_argument("--cases", default=os.environ.get("BENCH_CASES") or "")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("BENCH_SEED") or 1))
    parser.add_argument("--output", help="where results.json goes")
    parser.add_argument("--add", action="store_true", help="put the cases beside what is published, with their floors")
    return parser.parse_args(arguments)


def _chosen(text: str) -> list[str]:
    """The names of the cases to run, in the table's order."""
    wanted = text.replace(",", " ").split() or list(cases.ALL)
    unknown = sorted(set(wanted) - set(cases.ALL))
    if unknown:
        raise LabError(f"no case is called {', '.join(unknown)}; there are: {', '.join(cases.ALL)}")
    return [name for name in cases.ALL if name in wanted]


def _not_installed(names: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Which products are not there and why; and the versions of the others. None is ever replaced by something else."""
    absent, versions = {}, {}
    for name, product in cases.peers(names).items():
        try:
            version = product.version()
            product.up()
            product.stop()
            versions[name] = version
        except Exception as error:  # whatever it is, it is why the product is not in the table
            absent[name] = f"{type(error).__name__}: {str(error)[:500]}"
            step(f"{name} cannot be measured: {absent[name]}")
    return absent, versions


def _rounds(names: list[str], rounds: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Each round takes every case once, in an order of its own, so that a slow minute hits all cases alike."""
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    chance = random.Random(seed)
    for name in names:
        cases.ALL[name].chance = random.Random(f"{seed} {name}")
    for number in range(1, rounds + 1):
        order = chance.sample(names, len(names))
        for place, name in enumerate(order, start=1):
            sample = _sample(cases.ALL[name], f"{name}-{number}-{time.time_ns()}")
            samples[name].append({"round": number, "order": place, **sample})
            step(f"round {number}/{rounds} {name}: {_short(sample)}")
    harness.lab("reset")
    return samples


def _sample(case: Case, run_id: str) -> dict[str, Any]:
    """One repetition; what failed is a sample too, or a table could hide it."""
    try:
        return measure(case, run_id)
    except Exception as error:  # a bad repetition must not end the others
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {str(error)[-1500:]}"}


def _entry(case: Case, samples: list[dict[str, Any]]) -> dict[str, Any]:
    return results.case_entry(case.title, case.measure, case.floor, samples)


def _short(sample: dict[str, Any]) -> str:
    if "failed" in sample:
        return f"FAILED {sample['failed'][:200]}"
    outage = f"outage {sample['outage_seconds']:.3f} s, lost {sample['lost']}, " if "outage_seconds" in sample else ""
    return outage + (f"wall {sample['wall_seconds']:.2f} s" if sample["wall_seconds"] is not None else "by itself")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (LabError, docker.errors.DockerException) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(2)
