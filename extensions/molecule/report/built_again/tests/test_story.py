# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A report is built again from what its run left, and is the same."""

from __future__ import annotations

import json
from pathlib import Path

import story
from harness import Result


def test_the_report_is_the_one_that_the_run_left(said: dict[str, Result], place: Path) -> None:
    original = json.loads((story.place(place) / "report.json").read_text(encoding="utf-8"))
    for mode, run in said.items():
        assert (run.rc, run.changed) == (0, 0), f"{mode}: {run.output}"
        assert (run.report["verb"], run.report["run_id"], run.report["verdict"]) == ("assess", "yesterday", "passed")
        assert run.report == original, mode


def test_each_form_of_it_is_there_again(place: Path) -> None:
    kept = story.place(place)
    for name in ("report.md", "junit.xml"):
        assert (kept / "runs" / "yesterday" / name).read_bytes() == (kept / name).read_bytes(), name
    assert (kept / "runs" / "yesterday" / "report.html").stat().st_size > 0
