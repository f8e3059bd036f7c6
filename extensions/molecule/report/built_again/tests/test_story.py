# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A report is built again from what its run left, and is the same."""

from __future__ import annotations

from harness import Result


def test_the_report_is_the_same_each_time(said: dict[str, Result]) -> None:
    for mode, run in said.items():
        assert (run.rc, run.changed) == (0, 0), f"{mode}: {run.output}"
        assert (run.report["verb"], run.report["run_id"], run.report["verdict"]) == ("assess", "yesterday", "passed")
    assert said["first"].report == said["second"].report
