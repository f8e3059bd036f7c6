# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people and CI servers read: every number on it is report.json's."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.report import (
    failure_line,
    failure_text,
    junit,
    markdown,
    summary_lines,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.text import duration, rows, way, words

REFUSAL = {"rule": "lag_over_rpo", "measured": "12 s", "limit": "5 s", "message": "db2 is behind", "hint": "wait"}


def table(text, heading):
    """The rows of the first Markdown table with this first column."""
    lines = text.split("\n")
    start = next(index for index, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return found
        found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def failures(report):
    found = ((case.get("name"), case.find("failure")) for case in cases(report))
    return {name: failure.get("type") for name, failure in found if failure is not None}


def cases(report):
    return list(ET.fromstring(junit.render(report)).iter("testcase"))


VERDICTS = ["passed", "refused", "failed", "objective_missed", "degraded", "not_measured", "nothing_to_do"]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_verdict_stands_first(runs, verdict):
    report = runs[verdict]
    assert report["verdict"] == verdict
    title = f"{report['verb']}: {verdict.replace('_', ' ').upper()}"
    assert markdown.render(report).split("\n")[0] == f"# {title}"
    assert summary_lines(report)[0].endswith(verdict.replace("_", " ").upper())


@pytest.mark.parametrize("verdict", VERDICTS)
def test_junit_fails_exactly_where_the_run_fails(runs, verdict):
    report = runs[verdict]
    suites = ET.fromstring(junit.render(report))
    assert bool(int(suites.get("failures"))) is report["fails"]
    assert int(suites.get("tests")) == len(cases(report))
    assert int(suites.get("failures")) == len(list(suites.iter("failure")))
    assert int(suites.get("skipped")) == len(list(suites.iter("skipped")))
    for case in cases(report):
        assert case.get("name") and case.get("classname") and float(case.get("time")) >= 0
        assert len(case) <= 1


@pytest.mark.parametrize("verdict", ["passed", "objective_missed", "degraded"])
def test_every_number_of_the_page_is_the_reports(runs, verdict):
    report = runs[verdict]
    (service,) = report["services"]
    text = markdown.render(report)
    rto, rpo = service["rto"], service["rpo"]
    (row,) = table(text, "service")
    allowance = " + 6m" if verdict == "passed" else ""
    assert row[2:6] == [
        f"{rto['measured_seconds']:g}s{allowance}",
        duration(rto["objective_seconds"]),
        f"{rpo['measured_seconds']:g}s ({rpo['lost']} of {rpo['acknowledged']} writes)",
        duration(rpo["objective_seconds"]),
    ]
    first, second = table(text, "objective")
    total, met = duration(rto["total_seconds"]), "met" if rto["met"] else "missed"
    assert first[1:5] == [f"{rto['measured_seconds']:g}s", total, row[3], met]
    assert second[4] == ("met" if rpo["met"] else "missed")
    phases = {cells[0]: cells[2] for cells in table(text, "phase")}
    assert phases == {name: duration(seconds, "-") for name, seconds in rto["phases"].items()}
    took = [cells[3] for cells in table(text.split("### Steps of " + service["stage"])[1], "step")]
    assert took == [duration(step["seconds"], "-") for step in service["steps"]]
    assert report["journal"][0]["head"]["hash"] in text and f"{report['journal'][0]['entries']} entries" in text


def test_the_passed_drill_in_full(runs):
    text = markdown.render(runs["passed"])
    assert "| RTO | 2.41s | 6m 2s (362.41s) | 1h | met | canary |" in text
    assert "The plan allows 1m for detection and 5m for the decision" in text
    assert "| failback | dc2 -> dc1 | 0.5s | 0s (0 of 1200 writes) | PASSED |" in text
    assert "| rejoin | dc2, primary stays | - | - | PASSED |" in text


def test_the_fault_is_named_in_words(runs):
    (service,) = runs["passed"]["services"]
    assert service["fault"] == {"name": "primary crashed", "member": "db1"}
    assert "Injected fault: primary crashed on db1" in markdown.render(runs["passed"])
    said = [step["message"] for step in service["stages"][0]["steps"] if step["step"] == "inject"]
    assert said == ["primary crashed on db1: about to be injected", "primary crashed on db1: injected"]
    assert runs["failed"]["services"][0]["fault"] is None


def test_a_fault_that_never_happened_is_not_named(make, report_of):
    run = make("drill").entry(0.8, "inject", "started").entry(0.9, "inject", fault={"name": "a_b", "member": "db1"})
    run.entry(1.0, "outcome", "failed")
    assert report_of(run)["services"][0]["fault"] is None


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"from": "dc1", "to": "dc2", "stage": "failover", "outcome": "done"}, "dc1 -> dc2"),
        ({"from": None, "to": "dc2", "stage": "rejoin", "outcome": "done"}, "dc2, primary stays"),
        ({"from": None, "to": "dc2", "stage": "failover", "outcome": "nothing_to_do"}, "dc2, primary stays"),
        ({"from": None, "to": "dc2", "stage": "failover", "outcome": "done"}, "to dc2"),
        ({"from": "dc1", "to": None, "stage": "failover", "outcome": "refused"}, "from dc1"),
        ({"from": None, "to": None, "stage": "heal", "outcome": "done"}, ""),
    ],
)
def test_the_way(entry, text):
    assert way(entry) == text


def test_two_runs_give_two_pages(runs):
    pages = {markdown.render(report) for report in runs.values()}
    results = {junit.render(report) for report in runs.values()}
    summaries = {"\n".join(summary_lines(report)) for report in runs.values()}
    assert len(pages) == len(results) == len(summaries) == len(runs)


def test_a_refusal_is_told_with_what_was_measured_and_the_limit(runs):
    line = "lag_over_rpo: db2 is behind (measured: 12 s; limit: 5 s). Next: wait"
    assert f"- `lag_over_rpo`{line.removeprefix('lag_over_rpo')}" in markdown.render(runs["refused"])
    assert f"payments-db: {line}" in summary_lines(runs["refused"])
    assert f"  {line}" in failure_text(runs["refused"])
    assert failures(runs["refused"]) == {"verdict": "refused", "rule lag_over_rpo": "refused"}
    assert failure_text(runs["refused"]).count("db2 is behind") == 1  # the message only repeats the rules


def test_the_lost_rows_are_listed(runs):
    assert "Lost rows: 1201-1202, 1204." in markdown.render(runs["objective_missed"])
    assert failures(runs["objective_missed"]) == dict.fromkeys(["verdict", "RTO", "RPO"], "objective_missed")


def test_a_failed_step_is_a_failed_case(runs):
    assert failures(runs["failed"]) == {"verdict": "failed", "endpoint": "failed", "step point": "failed"}


def test_a_degraded_endpoint_is_a_failed_case(runs):
    assert failures(runs["degraded"]) == {"verdict": "degraded", "endpoint": "degraded"}


def test_what_is_missing_stands_in_the_summary_and_not_only_what_to_do(moved, report_of):
    report = report_of(moved().canary())
    missing = {"state": "not following: db1 (switched on, held down)", "next_command": "rejoin"}
    report["services"][0]["redundancy"] = missing
    assert f"payments-db: redundancy: {missing['state']}" in summary_lines(report)


def test_the_next_command_stands_in_every_rendering(moved, report_of):
    report = report_of(moved().canary(), inventory=["lab.yml"])
    line = "ansible-playbook continuity.dr.rejoin -i lab.yml -e scope=payments-db"
    assert f"```sh\n{line}\n```" in markdown.render(report)
    assert f"payments-db: next: {line}" in summary_lines(report)
    assert f'name="next_command" value="{line}"' in junit.render(report)


def test_what_a_member_says_cannot_break_a_table_or_the_xml(runs):
    report = runs["failed"]
    (row,) = [cells for cells in table(markdown.render(report), "step") if cells[0] == "point"]
    assert row[5] == r"ns0 says \<NOTAUTH> \| no"
    step = report["services"][0]["steps"][-1]
    step["message"] = "bell \x07 and \ud800 and ![x](http://203.0.113.1/)"
    assert "\ufffd" in ET.fromstring(junit.render(report)).find(".//testcase[@name='step point']/failure").text
    assert "![x]" not in markdown.render(report)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("# failover: PASSED", r"\# failover: PASSED"),
        ("~~~ hides the rest", r"\~~~ hides the rest"),
        ("> as if quoted", r"\> as if quoted"),
        ("- one more item", r"\- one more item"),
        ("1. first", r"1\. first"),
        ("---", r"\---"),
        ("see https://203.0.113.1/", r"see https\://203.0.113.1/"),
        ("2.41s of -e scope=x", "2.41s of -e scope=x"),
        ("-5", "-5"),
    ],
)
def test_what_a_member_says_is_text_also_at_the_beginning_of_a_line(said, shown):
    assert markdown.cell(said) == shown


def test_check_mode_and_a_changed_journal_are_said(runs):
    report = runs["passed"]
    report["check_mode"] = True
    report["journal"][0]["problems"] = [{"kind": "edited", "line": 3, "message": "line 3 was edited"}]
    text = markdown.render(report)
    assert "nothing was changed" in text and "NOT WHOLE: line 3 was edited" in text


def test_the_summary_is_a_table_of_plain_text(runs):
    lines = summary_lines(runs["passed"], "runs/x/report.md")
    assert lines[2:6] == [
        "service      way         outage      RTO  loss                   RPO  verdict",
        "payments-db  dc1 -> dc2  2.41s + 6m  1h   0s (0 of 1200 writes)  0s   passed",
        "  failover   dc1 -> dc2  2.41s + 6m  1h   0s (0 of 1200 writes)  0s   passed",
        "  failback   dc2 -> dc1  0.5s        1h   0s (0 of 1200 writes)  0s   passed",
    ]
    assert lines[-1] == "report: runs/x/report.md"
    assert all(line.isascii() for line in lines)


def test_a_failing_run_names_its_services_and_where_the_reasons_stand(runs):
    report, service = runs["failed"], runs["failed"]["services"][0]
    line = "switchover 20261122T031500Z-3f9a: FAILED: "
    assert failure_line(report, "x.html") == f"{line}payments-db. Why stands above and in x.html"
    report["services"] = [{**service, "service": f"s{number}", "fails": number != 3} for number in range(8)]
    assert failure_line(report) == f"{line}s0, s1, s2, s4, s5 and 2 more. Why stands above"


def test_a_failing_run_says_why_and_where(runs):
    text = failure_text(runs["failed"], "runs/x/report.md").split("\n")
    assert text == [
        "switchover 20261122T031500Z-3f9a: FAILED",
        "payments-db: FAILED",
        "  x",
        "  next: ansible-playbook continuity.dr.assess -i INVENTORY -e scope=payments-db",
        "report: runs/x/report.md",
    ]


def test_a_fence_that_was_waived_is_not_a_proof_of_one_writer(make, report_of):
    waiver = {**REFUSAL, "rule": "old_primary_unfenced"}
    report = report_of(make("failover").decide(0.5, waivers=[waiver]).entry(0.6, "promote").outcome(1.0))
    (case,) = [case for case in cases(report) if case.get("name") == "one writer"]
    assert case.find("skipped").get("message") == "waived by the operator: old_primary_unfenced"


def test_a_second_primary_fails_the_case_of_one_writer(moved, report_of):
    assert failures(report_of(moved().canary(acknowledged_by_fenced=2)))["one writer"] == "failed"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "not measured"),
        (0, "0s"),
        (0.0004, "0.0004s"),
        (0.18, "0.18s"),
        (2.4137, "2.41s"),
        (59.996, "1m"),
        (60, "1m"),
        (362.41, "6m 2s (362.41s)"),
        (3600.0, "1h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_rows_and_words():
    assert rows([[3, 5], [9, 9], 12]) == "3-5, 9, 12"
    assert words({"lifted": True, "was": "ANY 1 (db2)", "empty": "", "names": ["a", "b"]}) == (
        "lifted: yes, was: ANY 1 (db2), names: a, b"
    )
