# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plugin of pytest: a test of the lab's verbs runs under the watch, from its healthy start to its end.

    CONTINUITY_FAULT='{"service": "accounts-db", "place": "..."}' pytest -p tests.faults.plugin tests/lab/verbs/...

Verbs that the test runs to their end are as loud as they get. What the watch saw is written to `watch.json` there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import harness
import pytest

from tests.faults.leaks import files
from tests.faults.oracles import LOUD, Watch, watching

SETTING = "CONTINUITY_FAULT"


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
        for folder in harness.RUNS.iterdir():
            if folder.stat().st_mtime >= began:
                _take(watch, folder)
    seen = {"violations": [asdict(one) for one in watch.violations], "seen": watch.seen}
    (place / "watch.json").write_text(json.dumps(seen), encoding="utf-8")


def _listen(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hear every verb that the test runs to its end."""
    run = harness._run

    def loud(words: list[str], timeout: float) -> tuple[int, str, float]:
        rc, output, seconds = run([*words, *LOUD], timeout)
        watch.hear(" ".join(words[:2]), output)
        return rc, output, seconds

    monkeypatch.setattr(harness, "_run", loud)


def _take(watch: Watch, folder: Path) -> None:
    """Have a run's files searched, and its report judged."""
    for name, text in files(folder).items():
        watch.said[f"{folder.name}/{name}"] = text
    if (path := folder / "report.json").is_file():
        watch.reports.append(json.loads(path.read_text(encoding="utf-8")))
