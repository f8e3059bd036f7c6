# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Try the faults of the catalogue in the lab, and write build/faults.json; the page only when asked to.

    python -m tests.faults                        all faults and negative controls
    python -m tests.faults F01 F12                these
    python -m tests.faults --core                 the set that CI has time for
    python -m tests.faults --page                 only docs/faults.md and results.json, from what was kept

The exit code is 0 only where something was judged and nothing failed. The kill points (tests.faults.kill_points) and
the random schedules (tests.faults.schedules) are programs of their own; `make faults` runs all three.
"""

from __future__ import annotations

import argparse
import os
import sys

import harness

from tests.faults import catalogue, page, results, runner
from tests.faults.catalogue import Fault

DEFAULT_SEED = 1


def main(arguments: list[str]) -> int:
    """One run; the process's exit status: 1 where anything failed, and where nothing was tried and judged."""
    options = _options(arguments)
    if options.page:
        page.write(results.publish())
        return 0
    parts = {"faults": catalogue.read(), "controls": catalogue.read("controls")}
    chosen = _chosen(parts, options.names, options.core)
    entries = [entry for part in parts for entry in _try_all(chosen[part], part, options.seed)]
    said = [f"failed: {entry['id']}" for entry in entries if entry["result"] == "failed"]
    if any(entry["result"] != "not_applicable" for entry in entries):
        harness.lab("reset")
    else:
        said.append("failed: nothing was tried, so nothing was judged")
    print("\n".join([*said, f"written: {results.PATH}; the page is written with --page"]))
    return 1 if said else 0


def _try_all(faults: list[Fault], part: str, seed: int) -> list[results.Entry]:
    """Try them one after the other, each kept as soon as it is known; what came of them."""
    entries: list[results.Entry] = []
    for number, fault in enumerate(faults, 1):
        entry = runner.run(fault, seed)
        results.add_faults([entry], seed, part=part)
        line = f"{part} {number}/{len(faults)} {fault.id} {entry['result']} in {entry['seconds']:.0f} s: {fault.title}"
        print(line if entry["result"] != "failed" else f"{line}\n    {entry['seen']}", flush=True)
        entries.append(entry)
    return entries


def _chosen(parts: dict[str, tuple[Fault, ...]], names: list[str], core: bool) -> dict[str, list[Fault]]:
    """The rows to try, in the order of the catalogue."""
    known = {fault.id for faults in parts.values() for fault in faults}
    if unknown := sorted(set(names) - known):
        raise SystemExit(f"no fault is called {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    return {
        part: [fault for fault in faults if (fault.id in names if names else fault.core or not core)]
        for part, faults in parts.items()
    }


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="faults by their ids; none: all")
    parser.add_argument("--core", action="store_true", help="the set that CI has time for")
    parser.add_argument("--page", action="store_true", help="only write the page and results.json anew")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FAULT_SEED") or DEFAULT_SEED))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
