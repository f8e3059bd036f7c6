# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The big plan and the long run that are measured are good ones, and as big as they are said to be."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import journal, report
from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from benchmarks.cases import large


def test_the_plan_is_a_correct_one_with_a_thousand_functions_and_five_thousand_services_in_waves():
    plan = large.plan(large.SERVICES)
    assert (len(plan["functions"]), len(plan["services"])) == (1000, 5000)
    loaded = load_plan(plan)
    assert loaded.errors == []
    assert len(loaded.plan["waves"]) == 10


def test_the_run_has_ten_thousand_lines_and_its_report_does_not_fail(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "STATE", tmp_path)
    assert large.LINES == 10_000
    monkeypatch.setattr(large, "LINES", 100)
    case = large.Report()
    case.prepare()
    directory = tmp_path / case.name / "runs" / case.run_id
    path = journal.path_of(directory, large.service_name(0))
    assert len(journal.read(path)) == 100
    assert journal.verify(path) == []
    assert not report.build(directory)["fails"]
    before = path.stat().st_mtime_ns
    case.prepare()
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("count", [1, 1001])
def test_smaller_plans_are_correct_as_well(count):
    assert load_plan(large.plan(count)).errors == []
