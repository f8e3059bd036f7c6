# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A share of the tests, another one for each commit: what there is time for, and no fewer than the least.

A commit has no time for all of them, and whatever a commit breaks is met by one of the next.

Example: ``pytest -p share --share=commit --share-seconds=600 --share-least=12 tests/lab/verbs``; in place of ``commit``
a seed repeats what another one tried.
"""

from __future__ import annotations

import random
import subprocess
import time

import pytest


def commit() -> str:
    """The commit that is tested; outside of a repository it is always the same share."""
    done = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "none"


class Share:
    """All tests in an order that the seed gives, of which the last are left out once the time is over."""

    def __init__(self, seed: str, seconds: float, least: int) -> None:
        self.seed, self.seconds, self.least = seed, seconds, least
        self.began = time.monotonic()
        self.tried = 0

    def pytest_report_header(self) -> str:
        """Tell how to repeat it."""
        return f"a share of the tests: --share={self.seed}, {self.seconds:g} s, {self.least} at least"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Whatever order they came in, the same seed gives the same one."""
        items.sort(key=lambda item: item.nodeid)
        random.Random(self.seed).shuffle(items)
        self.began = time.monotonic()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Before its fixtures, which may take longer than the test."""
        if self.tried >= self.least and time.monotonic() > self.began + self.seconds:
            pytest.skip("not of this share")
        self.tried += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many that were: what was not tried does not read as passed."""
        terminalreporter.write_line(f"share {self.seed}: {self.tried} tests were tried")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the options."""
    parser.addoption("--share", metavar="SEED", help="a share of the tests, by a seed; `commit` is the commit's own")
    parser.addoption("--share-seconds", type=float, default=600.0, help="for how long tests are begun")
    parser.addoption("--share-least", type=int, default=12, help="how many are tried however long they take")


def pytest_configure(config: pytest.Config) -> None:
    """Without the option all tests run, in their order."""
    seed = config.getoption("--share")
    if seed is not None:
        own = commit() if seed == "commit" else seed
        config.pluginmanager.register(
            Share(own, config.getoption("--share-seconds"), config.getoption("--share-least"))
        )
