# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run make targets as the stages of a test run.

Example: ``stages.py lint unit molecule``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jobs import Job, run_all

# Without the oldest Python there is nothing it could be run on.
MAY_SKIP = ("unit-oldest",)
NEEDS = dict.fromkeys(("molecule", "verbs", "consumer", "drill-restore", "faults", "bench-guard"), "lab")
# All faults take hours; a test run has time for those that tell most, and for a share of the stories and verbs' tests.
# Unit tests are all begun in time but on a slow machine, on which CI would come to no end.
BY_COMMIT = "-p share --share=commit --share-files"
WITH = {
    "faults": "FAULTS=--core",
    "molecule": "SCENARIOS=--share=commit",
    "verbs": "VERBS=--share=commit",
    "unit": f"PYTEST_ARGS={BY_COMMIT} --share-seconds=2400",
    "unit-oldest": f"PYTEST_ARGS={BY_COMMIT} --share-seconds=600",
}
# What needs the lab leaves a core idle for these, one at a time, but for what compares times.
ASIDE = ("lint", "types", "docs-lint", "docs", "build", "importer", "sanity", "unit", "unit-oldest")
ALONE = ("bench-guard",)


def stage(name: str, names: Sequence[str]) -> Job:
    """Make the job of a target among others. Aside of those that use the lab it has one core."""
    aside = name in ASIDE and not set(names) <= set(ASIDE)
    command = ["make", name, *(["WORKERS=2"] if aside else []), *([WITH[name]] if name in WITH else [])]
    return Job(name, command, NEEDS.get(name, ""), may_skip=name in MAY_SKIP, aside=aside, alone=name in ALONE)


if __name__ == "__main__":
    raise SystemExit(run_all([stage(name, sys.argv[1:]) for name in sys.argv[1:]]))
