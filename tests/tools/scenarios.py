# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run Molecule scenarios one by one, each in a process of its own; without names: all of them, in the quickest order.

``molecule test --all`` would stop at the first that fails. Each runs alone as well, in any order. With ``--share`` the
scenarios that each commit needs, then others in the order of a seed as long as there is time: whatever a commit breaks
is met by one of the next.

Example: ``scenarios.py failover/primary_crashed``, ``scenarios.py --share=commit``; in place of ``commit`` a seed
repeats what another one tried.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from jobs import Job, run_all
from share import commit

SCENARIOS = Path("extensions/molecule")
#: Of each share: a success of each verb that moves or restores something, and the refusal that keeps two from writing.
EACH_TIME = (
    "default",
    "assess/healthy",
    "backup/one_copy_empty",
    "drill/primary_crashed",
    "failback/rejoined",
    "failover/primary_alive",
    "failover/primary_crashed",
    "rejoin/after_failover",
    "restore/to_a_time",
    "switchover/healthy",
)
SHARE_SECONDS = 1200.0


def every_scenario() -> list[str]:
    """Name all scenarios by their directory below ``extensions/molecule``.

    The lab's own first, then those that leave the lab as they found it: nothing has to be put back between them.
    """
    found = [str(path.parent.relative_to(SCENARIOS)) for path in SCENARIOS.rglob("molecule.yml")]
    return sorted(found, key=lambda name: (name != "default", not leaves_as_found(SCENARIOS / name), name))


def leaves_as_found(scenario: Path) -> bool:
    """Nothing happened before, and the verb must change nothing."""
    prepare, converge = scenario / "prepare.yml", scenario / "converge.yml"
    return prepare.is_file() and "happened: []" in prepare.read_text() and "changes_nothing.yml" in converge.read_text()


def share(names: Sequence[str], seed: str) -> list[str]:
    """All of them, those of each share first, the others in an order of the seed's."""
    others = sorted(set(names) - set(EACH_TIME))
    random.Random(seed).shuffle(others)
    return [*(name for name in names if name in EACH_TIME), *others]


def job(name: str, within: float | None = None) -> Job:
    """The job that runs a scenario."""
    command = ["molecule", "test", "--no-command-borders", "--destroy=never", "--scenario-name", name]
    # A playbook or test that is not there is a warning to Molecule, and the scenario a success.
    refused = "Missing playbook|no tests found|missing files"
    return Job(f"molecule/{name}", command, refused=refused, within=within)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named scenarios, or all, or a share; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="below extensions/molecule; none: all of them")
    parser.add_argument("--share", metavar="SEED", help="a share of them, by a seed; `commit` is the commit's own")
    options = parser.parse_args(arguments)
    found = every_scenario()
    unknown = [name for name in options.names if not (SCENARIOS / name / "molecule.yml").is_file()]
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}; there are: {', '.join(found)}")
    if options.share is None:
        return run_all([job(name) for name in options.names or found])
    seed = commit() if options.share == "commit" else options.share
    print(f"a share of the scenarios: --share={seed}, {SHARE_SECONDS:g} s, {len(EACH_TIME)} at least", flush=True)
    ordered = share(options.names or found, seed)
    return run_all([job(name, None if name in EACH_TIME else SHARE_SECONDS) for name in ordered])


if __name__ == "__main__":
    raise SystemExit(main())
