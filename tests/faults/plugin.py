# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plugin of pytest: a test of the lab's verbs runs under the watch, from its healthy start to its end.

    CONTINUITY_FAULT='{"service": "accounts-db", "place": "..."}' pytest -p tests.faults.plugin tests/lab/verbs/...

Verbs that the test runs to their end are as loud as they get; the last one is run a second time where the test passed.
What the watch saw is written to `watch.json` there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import harness
import pytest
from harness import Result

from tests.faults.leaks import files
from tests.faults.oracles import LOUD, Watch, watching
from tests.faults.trial import violations

SETTING = "CONTINUITY_FAULT"
RUN_ID = "continuity_run_id="
_PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep how the test itself went, for what comes after it."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def _watched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything after the lab's reset, which is the start of each of these tests."""
    given = json.loads(os.environ[SETTING])
    place = Path(given["place"])
    request.getfixturevalue("healthy")
    began = time.time()
    with watching(given["service"], place=place) as watch:
        _listen(watch, monkeypatch)
        yield
        if given["again"] and request.node.stash.get(_PASSED, False):
            watch.rerun(given["rc_again"])
        for folder in harness.RUNS.iterdir():
            if folder.stat().st_mtime >= began:
                _take(watch, folder)
    seen = {"violations": violations(watch), "seen": watch.seen}
    (place / "watch.json").write_text(json.dumps(seen), encoding="utf-8")


def _listen(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hear every verb that the test runs to its end; the last one is the one that is run a second time."""
    run = harness._run

    def loud(words: list[str], timeout: float) -> tuple[int, str, float]:
        def once(words: list[str]) -> Result:
            rc, output, seconds = run([*words, *LOUD], timeout)
            watch.hear(" ".join(words[:2]), output)
            return Result(rc, output, seconds)

        last = once(words)
        watch.repeat(last, lambda: once(renamed(words)))
        return last.rc, last.output, last.seconds

    monkeypatch.setattr(harness, "_run", loud)


def renamed(words: list[str]) -> list[str]:
    """A command as a run of its own: what had a name would be continued, not repeated."""
    again = f"{RUN_ID}again-{time.time_ns()}"
    return [again if word.startswith(RUN_ID) else word for word in words]


def _take(watch: Watch, folder: Path) -> None:
    """Have a run's files searched, and its report judged."""
    for name, text in files(folder).items():
        watch.said[f"{folder.name}/{name}"] = text
    if (path := folder / "report.json").is_file():
        watch.reports.append(json.loads(path.read_text(encoding="utf-8")))
