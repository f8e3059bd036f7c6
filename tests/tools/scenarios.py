# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run Molecule scenarios one by one, each in a process of its own; without names: all of them, in the quickest order.

``molecule test --all`` would stop at the first that fails. Each runs alone as well, in any order.

Example: ``scenarios.py failover/primary_crashed``
"""

from __future__ import annotations

import sys
from pathlib import Path

from jobs import Job, run_all

SCENARIOS = Path("extensions/molecule")


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


def main(names: list[str]) -> int:
    """Run the named scenarios, or all; return the exit code."""
    jobs = []
    for name in names or every_scenario():
        if not (SCENARIOS / name / "molecule.yml").is_file():
            raise SystemExit(f"no scenario {name}; there are: {', '.join(every_scenario())}")
        command = ["molecule", "test", "--no-command-borders", "--destroy=never", "--scenario-name", name]
        # A playbook or test that is not there is a warning to Molecule, and the scenario a success.
        jobs.append(Job(f"molecule/{name}", command, refused="Missing playbook|no tests found|missing files"))
    return run_all(jobs)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
