# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a reader sees in which column and row: no two fields of these reports are alike, so none stands for another."""

from __future__ import annotations

import copy
import json
from xml.etree import ElementTree as ET

import pytest
from html_page import Page, Tables, squeezed

from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import VERDICTS
from ansible_collections.continuity.dr.plugins.plugin_utils.report import junit, markdown
from ansible_collections.continuity.dr.plugins.plugin_utils.report import text as words
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import document
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import short

BADGES = {verdict: words.VERDICT_TEXT[verdict].capitalize() for verdict in VERDICTS}


def unlike(report):
    """The same report with another number in every field that a table shows."""
    changed = json.loads(json.dumps(report))
    for number, service in enumerate(changed["services"]):
        for place, entry in enumerate([service, *service["stages"]]):
            n = 100 * number + 10 * place
            entry["rto"].update(
                measured_seconds=n + 1.25,
                total_seconds=n + 2.5,
                objective_seconds=n + 3.75,
                detection_allowance_seconds=n + 4.5,
                decision_allowance_seconds=n + 5.25,
                met=True,
            )
            entry["rpo"].update(
                measured_seconds=n + 6.5,
                objective_seconds=n + 7.25,
                lost=n + 8,
                acknowledged=n + 9,
                in_doubt=n + 3,
                met=False,
            )
            entry["rpo"]["lost_rows"] = [[n + 41, n + 43]]
            entry["acknowledged_elsewhere"] = n + 6
    return changed


@pytest.fixture
def unalike(runs):
    return unlike(runs["passed"])


def rows(text, *headings):
    """The rows of the tables that have exactly these headings."""
    return [row for row in Tables(text).rows if tuple(row) == headings]


OVERVIEW = ("Service", "Way", "Outage", "With people", "RTO", "Lost writes", "RPO", "Verdict")
OBJECTIVES = (
    "Stage",
    "Objective",
    "Measured",
    "+ detection allowed",
    "+ decision allowed",
    "Compared",
    "Limit",
    "Result",
    "Source",
)


def test_the_overview_has_each_number_in_its_column(unalike):
    found = {row["Service"]: row for row in rows(document.render(unalike), *OVERVIEW)}
    service = unalike["services"][0]
    for name, entry in {
        service["service"]: service,
        "failover": service["stages"][1],
        "failback": service["stages"][4],
    }.items():
        row, rto, rpo = found[name], entry["rto"], entry["rpo"]
        assert row["Outage"] == short(rto["measured_seconds"])
        assert row["With people"] == short(rto["total_seconds"])
        assert row["RTO"] == short(rto["objective_seconds"])
        assert row["Lost writes"] == f"{rpo['lost']} of {rpo['acknowledged']}"
        assert row["RPO"] == short(rpo["objective_seconds"])
        assert row["Verdict"].endswith(BADGES[entry["verdict"]])


def test_the_objectives_have_each_number_in_its_column(unalike):
    found = {(row["Stage"], row["Objective"]): row for row in rows(document.render(unalike), *OBJECTIVES)}
    for place in (1, 4):
        stage = unalike["services"][0]["stages"][place]
        rto, rpo, name = stage["rto"], stage["rpo"], stage["stage"]
        assert found[name, "RTO"] == {
            "Stage": name,
            "Objective": "RTO",
            "Measured": short(rto["measured_seconds"]),
            "+ detection allowed": short(rto["detection_allowance_seconds"]),
            "+ decision allowed": short(rto["decision_allowance_seconds"]),
            "Compared": short(rto["total_seconds"]),
            "Limit": short(rto["objective_seconds"]),
            "Result": "met",
            "Source": rto["source"],
        }
        lost = f"{rpo['lost']} of {rpo['acknowledged']} writes lost"
        assert found[name, "RPO"] == {
            "Stage": name,
            "Objective": "RPO",
            "Measured": short(rpo["measured_seconds"]),
            "+ detection allowed": lost,
            "+ decision allowed": lost,
            "Compared": short(rpo["measured_seconds"]),
            "Limit": short(rpo["objective_seconds"]),
            "Result": "missed",
            "Source": rpo["source"],
        }


def test_what_is_alarming_is_told_beside_the_numbers(unalike):
    stage = unalike["services"][0]["stages"][1]
    text = squeezed(Page(document.render(unalike)).text)
    assert "failover: lost rows 51-53." in text or f"failover: lost rows {stage['rpo']['lost_rows'][0][0]}-" in text
    assert f"a member that was fenced or replaced acknowledged writes: {stage['acknowledged_elsewhere']}." in text
    assert f"failover: in doubt {stage['rpo']['in_doubt']} of the writes" in text


def test_each_step_has_its_state_member_and_time(runs):
    report = json.loads(json.dumps(runs["failed"]))
    steps = report["services"][0]["steps"]
    found = rows(document.render(report), "Began", "Step", "Member", "Took", "State", "Message")
    assert [(row["Step"], row["State"]) for row in found] == [(step["step"], step["state"]) for step in steps]
    assert {"done", "failed"} <= {row["State"] for row in found}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_verdict_is_told_in_words_wherever_it_stands(runs, verdict):
    report = json.loads(json.dumps(runs[verdict]))
    other = copy.deepcopy(report["services"][0])
    other.update(service="other-db", verdict="degraded" if verdict != "degraded" else "failed")
    report["services"].append(other)
    page = document.render(report)
    assert ("the run fails" in squeezed(Page(page).text)) == report["fails"]
    assert ("The run fails." in markdown.render(report)) == report["fails"]
    shown = {row["Service"]: row["Verdict"] for row in rows(page, *OVERVIEW)}
    for service in report["services"]:
        badge = BADGES[service["verdict"]]
        assert shown[service["service"]].endswith(badge)
        heading = next(
            text for tag, text in Headings(page).found if tag == "h2" and text.startswith(service["service"])
        )
        assert heading.endswith(badge)
    listed = [text for tag, text in Headings(page).found if tag == "li"]
    assert any(BADGES[other["verdict"]] in text and "other-db" in text for text in listed)


class Headings(Page):
    """The text of every heading and list entry, in their order."""

    def __init__(self, text):
        self.found = []
        super().__init__(text)

    def handle_endtag(self, tag):
        if tag in ("h2", "li") and self.open and self.open[-1][0] == tag:
            self.found.append((tag, squeezed("".join(self.open[-1][2]))))
        super().handle_endtag(tag)


def test_a_waiver_and_a_note_are_shown_also_in_a_drill(unalike):
    stage, service = unalike["services"][0]["stages"][1], unalike["services"][0]
    stage["waivers"] = [
        {"rule": "lag_unknown", "message": "unknown lag", "measured": "unknown", "limit": "5s", "hint": "h"}
    ]
    service["notes"] = ["somebody looked"]
    page = document.render(unalike)
    assert rows(page, "Rule", "What is wrong", "Measured", "Limit", "Next step")[-1] == {
        "Rule": "lag_unknown",
        "What is wrong": "unknown lag",
        "Measured": "unknown",
        "Limit": "5s",
        "Next step": "h",
    }
    assert "somebody looked" in Page(page).text


def cases(report):
    found = ET.fromstring(junit.render(report)).iter("testcase")
    return {case.get("name"): case[0].tag if len(case) else "passed" for case in found}


def test_one_writer_and_endpoint_pass_in_junit_only_when_they_were_seen(runs):
    report = json.loads(json.dumps(runs["not_measured"]))
    entry = report["services"][0]
    entry["acknowledged_elsewhere"] = None
    assert (cases(report)["one writer"], cases(report)["endpoint"]) == ("passed", "passed")
    for step in entry["steps"]:
        if step["step"] in ("fence", "demote", "point"):
            step["state"] = "started"
    assert (cases(report)["one writer"], cases(report)["endpoint"]) == ("skipped", "skipped")
    entry.update(acknowledged_elsewhere=3, fails=True)
    assert cases(report)["one writer"] == "failure"


def test_the_markdown_tells_of_writes_that_a_replaced_member_acknowledged(unalike):
    text = markdown.render(unalike)
    count = unalike["services"][0]["acknowledged_elsewhere"]
    assert f"Writes acknowledged by a member that was fenced or replaced: {count}." in text
