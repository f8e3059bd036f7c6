# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run make targets as the stages of a test run.

Example: ``stages.py lint unit molecule``
"""

from __future__ import annotations

import sys

from jobs import Job, run_all

# Without the oldest Python there is nothing it could be run on.
MAY_SKIP = ("unit-oldest",)
NEEDS = {"molecule": "lab", "verbs": "lab", "consumer": "lab"}
# The stories leave a core idle, and these read the tree only or start no server; what measures time runs alone.
BESIDE_MOLECULE = ("lint", "types", "docs-lint", "docs", "build", "importer", "sanity", "unit-oldest")


def stage(name: str) -> Job:
    """Make the job of a target."""
    beside = "molecule" if name in BESIDE_MOLECULE else ""
    return Job(name, ["make", name], NEEDS.get(name, ""), may_skip=name in MAY_SKIP, beside=beside)


if __name__ == "__main__":
    raise SystemExit(run_all([stage(name) for name in sys.argv[1:]]))
