# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A share of the tests, another one for each commit: what there is time for, and no fewer than the least.

A commit has no time for all of them, and whatever a commit breaks is met by one of the next.

Example: ``pytest -p share --share=commit --share-seconds=600 --share-least=12 tests/lab/verbs``; in place of ``commit``
a seed repeats what another one tried. With ``--share-files`` the tests of a file stay together, in their order: what
they share is made once.
"""

from __future__ import annotations

import random
import subprocess
import time

import pytest

NOT_OF_THIS = "not of this share"


def commit() -> str:
    """The commit that is tested; outside of a repository it is always the same share."""
    done = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "none"


class Share:
    """All tests in an order that the seed gives, of which the last are left out once the time is over."""

    def __init__(self, seed: str, seconds: float, least: int, files: bool) -> None:
        self.seed, self.seconds, self.least, self.files = seed, seconds, least, files
        self.began = time.monotonic()
        self.tried = 0

    def pytest_report_header(self) -> str:
        """Tell how to repeat it."""
        return f"a share of the tests: --share={self.seed}, {self.seconds:g} s, {self.least} at least"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Whatever order they came in, the same seed gives the same one."""
        chance = random.Random(self.seed)
        if self.files:
            names = sorted({str(item.path) for item in items})
            chance.shuffle(names)
            place = {name: number for number, name in enumerate(names)}
            items.sort(key=lambda item: place[str(item.path)])
        else:
            items.sort(key=lambda item: item.nodeid)
            chance.shuffle(items)
        self.began = time.monotonic()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Before its fixtures, which may take longer than the test."""
        if self.tried >= self.least and time.monotonic() > self.began + self.seconds:
            pytest.skip(NOT_OF_THIS)
        self.tried += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many were not tried, by whichever worker: that does not read as passed."""
        skipped = terminalreporter.stats.get("skipped", [])
        left_out = sum(NOT_OF_THIS in str(report.longrepr) for report in skipped)
        terminalreporter.write_line(f"share {self.seed}: {left_out} tests were left out")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the options."""
    parser.addoption("--share", metavar="SEED", help="a share of the tests, by a seed; `commit` is the commit's own")
    parser.addoption("--share-seconds", type=float, default=600.0, help="for how long tests are begun")
    parser.addoption("--share-least", type=int, default=12, help="how many are tried however long they take")
    parser.addoption("--share-files", action="store_true", help="by files, each with its tests in their order")


def pytest_configure(config: pytest.Config) -> None:
    """Without the option all tests run, in their order."""
    seed = config.getoption("--share")
    if seed is not None:
        own = commit() if seed == "commit" else seed
        numbers = (config.getoption("--share-seconds"), config.getoption("--share-least"))
        config.pluginmanager.register(Share(own, *numbers, config.getoption("--share-files")))
