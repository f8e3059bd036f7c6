# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the exit code, JUnit and the terminal tell of a run, where only one of them could be wrong."""

from __future__ import annotations

import copy
from xml.etree import ElementTree as ET

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.report import junit
from ansible_collections.continuity.dr.plugins.plugin_utils.report.console import failure_text, summary_lines


def test_a_run_in_which_no_service_took_part_fails(make, report_of):
    run = make("failover")
    run.run["services"] = {}
    report = report_of(run)
    assert report["services"] == [] and report["fails"] is True
    assert "no service took part in this run" in failure_text(report)


@pytest.mark.parametrize("seen", ["refused", "restored", ""])
def test_a_negative_control_that_ended_otherwise_is_a_failed_case(runs, seen):
    report = copy.deepcopy(runs["passed"])
    control = {"service": "payments-db", "name": "broken_wal", "copy": 2, "expected": "refused"}
    report["controls"] = [{**control, "seen": seen}]
    suite = ET.fromstring(junit.render(report)).find("testsuite")
    (case,) = [each for each in suite if each.get("name") == "control broken_wal of copy 2"]
    failure = case.find("failure")
    assert (failure is None) == (seen == "refused")
    assert suite.get("failures") == ("0" if seen == "refused" else "1")
    if failure is not None:
        assert failure.get("type") == "control_not_met"
        assert failure.get("message") == f"ended with {seen}, expected refused"


def test_a_control_of_another_service_is_no_case_of_this_one(runs):
    report = copy.deepcopy(runs["passed"])
    report["controls"] = [{"service": "orders-db", "name": "x", "copy": 1, "expected": "refused", "seen": "restored"}]
    assert "control" not in junit.render(report)


def test_the_terminal_tells_why_an_objective_was_missed(runs):
    (service,) = runs["objective_missed"]["services"]
    lines = summary_lines(runs["objective_missed"])
    assert len(service["reasons"]) == 2  # outage and loss
    assert [line for line in lines if line.removeprefix("payments-db: ") in service["reasons"]] == [
        f"payments-db: {reason}" for reason in service["reasons"]
    ]


def test_the_terminal_names_what_could_have_been_done(runs):
    assert "payments-db: could have been done: endpoint_stale" in summary_lines(runs["degraded"])
    report = copy.deepcopy(runs["passed"])
    report["services"][0]["degradations"] = [{"name": "old_primary_running", "message": "db1 was not reached"}]
    assert "payments-db: could have been done: old_primary_running db1 was not reached" in summary_lines(report)
