# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""history.html: runs beside each other, service by service."""

from __future__ import annotations

import dataclasses
import json

import pytest
from html_page import Page, Tables, squeezed

from ansible_collections.continuity.dr.plugins.plugin_utils.report import history, write, write_history
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import draw_history
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import Fields, short
from ansible_collections.continuity.dr.plugins.plugin_utils.report.text import VERDICT_TEXT


@pytest.fixture
def several(moved, drill, report_of, tmp_path):
    """Four runs of which one was not measured, one without a report, two that are not ours."""
    runs = tmp_path / "runs"
    made = [("b", 2.41, 3600.0), ("a", 9.0, 3600.0), ("c", 9.5, 5.0), ("d", None, 5.0)]
    for number, (name, outage, rto) in enumerate(made):
        run = moved(name=f"runs/{name}", rto=rto)
        run = run.canary(outage=outage) if outage else run
        run.run.update(run_id=name, started=run.run["started"] + 60 * number)
        write(report_of(run), run.path, ["json"])
    moved(name="runs/unreported").write()
    for name, content in (("<b>foreign", '{"services": [1]}'), ("broken", "{")):
        (runs / name).mkdir()
        (runs / name / "report.json").write_text(content)
    return runs


def test_every_number_is_a_reports(several):
    page = Page((several / write_history(several)["history"]).read_text())
    fields = Fields({"runs": [dataclasses.asdict(each) for each in history(several).runs]})
    values = [(fields.value(path), text) for path, attributes, text in page.fields if "value" in attributes]
    assert len(values) > 15 and all(text in (short(value), str(value)) for value, text in values)
    texts = {path: text for path, _attributes, text in page.fields}
    assert [texts[f"runs.{number}.rto_seconds"] for number in range(4)] == ["2.41s", "9s", "9.5s", "–"]
    assert texts["runs.2.rto_objective_seconds"] == "5s"
    rows = squeezed(page.text).split("Verdict ")[1].split("Left out")[0]
    assert [word for word in rows.split() if word in "abcd"] == ["d", "c", "a", "b"]
    assert "An outage was measured in 3 of its runs; 2 of them passed." in squeezed(page.text)


def test_each_run_has_its_own_verdict_and_numbers_in_their_columns(several):
    (several / "d" / "report.json").write_text(
        (several / "d" / "report.json").read_text().replace('"verdict": "not_measured"', '"verdict": "failed"')
    )
    found = Tables((several / write_history(several)["history"]).read_text()).rows
    rows = {row["Run"]: row for row in found if "Run" in row}
    for each in history(several).runs:
        row = rows[each.run_id]
        assert row["Verdict"].endswith(VERDICT_TEXT[each.verdict].capitalize())
        shown = {"Measured": each.measured_seconds, "Compared": each.rto_seconds, "RTO": each.rto_objective_seconds}
        shown |= {"Loss": each.rpo_seconds, "RPO": each.rpo_objective_seconds}
        assert {name: row[name] for name in shown} == {
            name: "–" if value is None else short(value) for name, value in shown.items()
        }
    assert {row["Verdict"].split()[-1] for row in rows.values()} > {"Passed"}


def test_what_is_left_out_is_named_and_inert(several):
    html = (several / write_history(several)["history"]).read_text()
    page = Page(html)
    text = squeezed(page.text)
    assert "<b>foreign report.json is broken" in text and "unreported the run has no report.json" in text
    assert page.broken == [] and not page.all("script") and not page.all("b")
    links = {each["href"] for each in page.all("a")}
    assert links == {"#main", "a/report.html", "b/report.html", "c/report.html", "d/report.html"}
    assert "http" not in html.replace("http-equiv", "")


def test_a_changed_report_changes_the_page_and_the_same_runs_do_not(several):
    path = several / "history.html"
    write_history(several)
    first = path.read_bytes()
    write_history(several)
    assert path.read_bytes() == first
    report = json.loads((several / "a" / "report.json").read_text())
    report["services"][0]["rto"]["total_seconds"] = 8.0
    (several / "a" / "report.json").write_text(json.dumps(report))
    write_history(several)
    assert path.read_bytes() != first


def test_the_drawing_has_the_objective_and_a_mark_a_run(several):
    runs = [dataclasses.asdict(each) for each in history(several).runs]
    outage, loss = draw_history.history_of("h", "payments-db", runs).figure.axes
    marks = [line for line in outage.lines if line.get_marker() not in ("None", "")]
    assert [(line.get_xdata()[0], line.get_marker()) for line in marks] == [(0, "o"), (1, "o"), (2, "s"), (3, "d")]
    assert [line.get_ydata()[0] for line in marks[:3]] == [2.41, 9.0, 9.5]
    objective = [(*line.get_xdata(), *line.get_ydata()) for line in outage.lines if line not in marks]
    assert objective == [(-0.5, 1.5, 3600.0, 3600.0), (1.5, 3.5, 5.0, 5.0)]
    assert [text.get_text() for text in (*outage.texts, *loss.texts)] == ["RTO 5s", "RPO 0s"]


def test_allowances_stand_between_the_measured_and_the_compared_time(drill, report_of, tmp_path):
    run = drill(name="runs/one").canary(stage="failover").canary(stage="failback", outage=0.5, fault=20.1)
    write(report_of(run), run.path, ["json"])
    (first,) = [dataclasses.asdict(each) for each in history(tmp_path / "runs").runs]
    assert (first["measured_seconds"], first["rto_seconds"]) == (2.41, 362.41)
    outage, _loss = draw_history.history_of("h", "payments-db", [first]).figure.axes
    assert list(outage.lines[0].get_ydata()) == [2.41, 362.41]


def test_nothing_to_compare_is_a_page_too(tmp_path):
    assert "No run has been reported here yet." in (tmp_path / write_history(tmp_path)["history"]).read_text()
