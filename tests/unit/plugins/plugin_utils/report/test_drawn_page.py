# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the page says by a class, a colour or a column of its own is what the report says."""

from __future__ import annotations

import copy
import re

import pytest
from html_page import Page, Tables, squeezed

from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import VERDICTS
from ansible_collections.continuity.dr.plugins.plugin_utils.report import text as words
from ansible_collections.continuity.dr.plugins.plugin_utils.report import write, write_history
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import document
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.history_marks import MARKS


class Elements(Page):
    """`closed`: every element as (tag, classes, text), in the order in which they end."""

    def __init__(self, text):
        self.closed = []
        super().__init__(text)

    def handle_endtag(self, tag):
        if self.open and self.open[-1][0] == tag:
            _tag, attributes, parts = self.open[-1]
            self.closed.append((tag, attributes.get("class", "").split(), squeezed("".join(parts))))
        super().handle_endtag(tag)

    def of(self, name):
        """(further classes, text) of every element of this class."""
        return [
            ([each for each in classes if each != name], text) for _t, classes, text in self.closed if name in classes
        ]

    def legends(self, kind):
        """By text the class of the `key` or `mark` that stands before it."""
        pairs = zip(self.closed, self.closed[1:], strict=False)
        found = [(one[1], two[2]) for one, two in pairs if "legend" in two[1] and kind in one[1]]
        return {text: next(each for each in classes if each != kind) for classes, text in found}


def of_all(runs):
    """A report of one service of each verdict."""
    report = copy.deepcopy(runs["passed"])
    report["services"] = [
        {**copy.deepcopy(runs[verdict]["services"][0]), "service": f"s-{verdict}"} for verdict in VERDICTS
    ]
    return report


def test_each_badge_has_the_class_of_the_verdict_that_it_tells(runs):
    badges = Elements(document.render(of_all(runs))).of("badge")
    told = {f"{document.MARKS[verdict]} {words.VERDICT_TEXT[verdict].capitalize()}": verdict for verdict in VERDICTS}
    assert {text for _classes, text in badges} == set(told)
    assert [(classes, text) for classes, text in badges if classes != [told[text]]] == []


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_head_of_the_page_has_the_class_of_the_runs_verdict(runs, verdict):
    page = Page(document.render(runs[verdict]))
    assert [each["class"].split() for each in page.all("header")] == [["verdict", verdict]]


def test_an_objective_has_the_class_of_how_it_ended(runs):
    html = document.render(of_all(runs))
    found = Elements(html).of("met")
    assert {text for _classes, text in found} == {"met", "missed", "not measured"}
    classes = {"met": ["yes"], "missed": ["no"], "not measured": ["unknown"]}
    assert [(has, text) for has, text in found if has != classes[text]] == []


@pytest.mark.parametrize("verdict", ["passed", "degraded"])
def test_every_proof_has_its_step_member_and_what_was_read(runs, verdict):
    (service,) = runs[verdict]["services"]
    rows = [row for row in Tables(document.render(runs[verdict])).rows if "Read" in row]
    wanted = [
        (each["step"], each["member"] or "–", squeezed(each["text"]))
        for stage in service["stages"] or [service]
        for each in stage["evidence"]
    ]
    assert len(wanted) > 3 and all(text for _step, _member, text in wanted)
    assert [(row["Step"], row["Member"], row["Read"]) for row in rows] == wanted
    named = [stage["stage"] for stage in service["stages"] if stage["evidence"]]
    assert [row["Stage"] for row in rows if row.get("Stage")] == named


def test_client_sessions_on_the_old_primary_are_told(runs):
    report = copy.deepcopy(runs["degraded"])
    (service,) = report["services"]
    service["sessions"] = [{"member": "db1", "application": "shop", "count": 7}, {"member": "db1", "count": 12}]
    told = [text for tag, _classes, text in Elements(document.render(report)).closed if tag == "li"]
    first, second = (told.index(words.words(session)) for session in service["sessions"])
    assert second == first + 1
    assert told[second + 1].startswith("Client sessions on the old primary when it was stopped or fenced:")


def test_the_legend_of_a_run_names_each_colour_as_it_is_drawn(runs):
    legend = Elements(document.render(runs["passed"])).legends("key")
    (measured,) = [text for text in legend if text.startswith("measured ")]
    assert legend == {
        measured: "accent",
        "allowed for detection, not measured": "allow-a",
        "allowed for the decision, not measured": "allow-b",
        "acknowledged writes a second": "good",
        "refused or unanswered": "bad",
        "outage": "shade",
        "step done": "accent",
    }


def test_the_legend_of_steps_tells_of_failed_and_cut_off_ones_where_there_are_some(runs):
    failed = Elements(document.render(runs["failed"])).legends("key")
    assert failed["step failed"] == "bad" and "acknowledged writes a second" not in failed
    report = copy.deepcopy(runs["failed"])
    report["services"][0]["steps"][-1]["state"] = "started"
    assert Elements(document.render(report)).legends("key")["step refused or cut off"] == "warn"


def test_the_legend_of_outages_names_each_phase(runs):
    report = copy.deepcopy(runs["passed"])
    report["services"] = [{**copy.deepcopy(report["services"][0]), "service": name} for name in ("a", "b")]
    legend = Elements(document.render(report)).legends("key")
    assert {text: legend[text] for text in words.PHASES.values()} == {t: name for name, t in words.PHASES.items()}


def test_the_legend_of_a_history_has_the_marks_of_its_drawing(moved, report_of, tmp_path):
    run = moved(name="runs/a").canary()
    write(report_of(run), run.path, ["json"])
    html = (tmp_path / "runs" / write_history(tmp_path / "runs")["history"]).read_text()
    found = Elements(html)
    wanted = {f"{character} {words.VERDICT_TEXT[v].lower()}": name for v, (name, _s, character) in MARKS.items()}
    assert found.legends("mark") == wanted
    assert found.legends("key") == {
        "measured": "accent",
        "up to the sum with the time the plan allows people": "allow-a",
    }


def test_a_key_and_a_mark_of_a_legend_have_the_colour_that_they_are_named_after():
    css = (document.TEMPLATES / "page.css").read_text(encoding="utf-8")
    found = re.findall(r"\.(?:key|mark)\.([\w-]+) \{[^}]*?var\(--([\w-]+)\)", css)
    assert {name for name, _colour in found} >= {
        "accent",
        "shade",
        *words.PHASES,
        *(mark[0] for mark in MARKS.values()),
    }
    assert [(name, ink) for name, ink in found if ink != {"shade": "bad"}.get(name, name)] == []


def test_what_is_good_and_what_is_bad_has_its_own_tone():
    css = (document.TEMPLATES / "page.css").read_text(encoding="utf-8")
    tones = {
        name.strip(" ."): tone
        for names, tone in re.findall(r"^([.\w, ]+) \{ --tone: var\(--([\w-]+)\)", css, re.MULTILINE)
        for name in names.split(",")
    }
    assert {tones[verdict] for verdict in ("failed", "objective_missed")} == {"bad-ink"}
    assert {tones[verdict] for verdict in ("refused", "degraded")} == {"warn-ink"}
    assert [verdict for verdict in VERDICTS if tones[verdict] == "good-ink"] == ["passed"]
    assert dict(re.findall(r"\.met\.(\w+)[^{}]*\{ color: var\(--([\w-]+)\)", css)) == {
        "yes": "good-ink",
        "no": "bad-ink",
        "unknown": "muted",
    }
