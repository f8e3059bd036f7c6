# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Half of the tests, another one for each commit: `pytest -p half --half=commit tests/lab/verbs`; a seed repeats one.

A commit has no time for all of them, and whatever a commit breaks is met by one of the next.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence

import pytest


def chosen(names: Sequence[str], seed: str) -> set[str]:
    """Half of the names, rounded up, whatever their order was."""
    return set(random.Random(seed).sample(sorted(names), (len(names) + 1) // 2))


def commit() -> str:
    """The commit that is tested; outside of a repository it is always the same half."""
    done = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "none"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the option."""
    parser.addoption("--half", metavar="SEED", help="half of the tests, by a seed; `commit` is the commit's own")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Tell how to repeat the choice."""
    seed = _seed(config)
    return None if seed is None else f"half of the tests: --half={seed}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other half, and say how many that are."""
    seed = _seed(config)
    if seed is None:
        return
    keep = chosen([item.nodeid for item in items], seed)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in keep])
    items[:] = [item for item in items if item.nodeid in keep]


def _seed(config: pytest.Config) -> str | None:
    given = config.getoption("--half")
    return commit() if given == "commit" else given
