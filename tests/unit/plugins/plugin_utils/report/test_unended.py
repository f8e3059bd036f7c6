# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An outage whose end nobody saw is no missing number: it was at least so long, wherever it is told or drawn."""

from __future__ import annotations

import json

import pytest
from html_page import Page, Tables, squeezed

from ansible_collections.continuity.dr.plugins.plugin_utils.report import compare, compare_lines, write
from ansible_collections.continuity.dr.plugins.plugin_utils.report.compare import history
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import (
    document,
    draw_history,
    draw_objectives,
    draw_outage,
    draw_run,
    drawing,
    drawings,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.history import render

START = 1_795_317_300.0  # when the runs of the fixtures began


@pytest.fixture
def unended(moved, report_of):
    """A run of two services: the outage of the first did not end while it was watched, 60 s and more."""
    run = moved(rto=30.0).ledger().canary(outage=None)
    run.service("accounts-db").decide(1.5).steps(1.5, "claim", "fence", "promote", "point", "verify").outcome(2.1)
    return report_of(run.canary())


def markers(axes):
    return [tuple(float(each[0]) for each in line.get_data()) for line in axes.lines if line.get_marker() == ">"]


def test_the_begin_of_it_is_known(unended):
    rto = unended["services"][0]["rto"]
    assert (rto["at_least_seconds"], rto["started"], rto["ended"]) == (60.0, "2026-11-22T03:15:01.000000Z", None)


def test_the_history_says_at_least(unended, tmp_path):
    directory = tmp_path / "runs" / "r1"
    directory.mkdir(parents=True)
    write(unended, directory, [])
    other, first = compare(tmp_path / "runs")
    assert (first.at_least_seconds, first.rto_seconds, other.at_least_seconds) == (60.0, None, None)
    told = compare_lines([other, first])
    assert "outage at least 1m of 30s" in told[1] and "at least" not in told[0]
    page = render(history(tmp_path / "runs"))
    measured = [row["Measured"] for row in Tables(page).rows]
    assert measured == ["2.41s", "at least 1m"]
    assert page.count('class="drawing"') == 2 and "No run has measured" not in page


def test_the_history_draws_it_where_it_was_at_least_and_on(unended, tmp_path):
    runs = [
        {
            "started": "2026-11-10T03:00:00Z",
            "verdict": "objective_missed",
            "measured_seconds": None,
            "rto_seconds": None,
            "at_least_seconds": 60.0,
            "rto_objective_seconds": 30.0,
            "rpo_seconds": 0.0,
            "rpo_objective_seconds": 0.0,
        }
    ]
    outage = draw_history.history_of("h", "payments-db", runs).figure.axes[0]
    marks = [list(map(float, line.get_ydata())) for line in outage.lines if line.get_marker() == "s"]
    (on,) = [list(map(float, line.get_ydata())) for line in outage.lines if line.get_linestyle() == ":"]
    assert marks == [[60.0]] and on[0] == 60.0 < on[1] < outage.get_ylim()[1]


def test_it_is_a_bar_without_an_end_among_the_outages(unended):
    asked = drawings._whole(unended)
    axes = asked["outages"][1](draw_outage).figure.axes[0]
    assert markers(axes) == [(61.0, 0.0)]
    assert [text.get_text() for text in axes.texts] == ["at least", "1m", "2.41s"]
    assert [text.get_gid() for text in axes.texts][1] == "field:services.0.rto.at_least_seconds"
    canvas = asked["objectives"][1](draw_objectives)
    assert markers(canvas.figure.axes[0]) == [(200.0, 0.0)]
    texts = [(text.get_gid(), text.get_text()) for text in canvas.figure.texts]
    assert ("field:services.0.rto.at_least_seconds", "1m") in texts and [text for _gid, text in texts].count("≥") == 1
    assert "at least 1m of 30s" in canvas.description and "at least 1m." in asked["outages"][1](draw_outage).description


def test_it_is_shaded_to_the_end_of_the_drawing(unended):
    above = draw_run.run_of("r", "services.0", unended["services"][0], START).figure.axes[1]
    shade = above.patches[-1]
    end = above.get_xlim()[1]
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((1.0, end))
    assert [text.get_text() for text in above.texts] == ["at least", "1m"]
    assert [line.get_xdata()[0] for line in above.lines if line.get_linestyle() == ":"] == [end]


def test_the_page_has_it_in_every_drawing(unended):
    page = document.render(unended)
    assert page.count('data-field="services.0.rto.at_least_seconds"') >= 4
    assert drawings.draw(unended).missing == "" and drawing.MISSING is None


def test_a_failed_service_names_what_failed_before_what_was_missed(make, report_of):
    run = make("failover", rto=30.0).decide(0.5).steps(0.6, "fence", "promote").entry(1.0, "point", "started")
    run.entry(1.2, "point", "failed", msg="ns1 is silent").outcome(1.3, "failed", message="ns1 is silent")
    report = report_of(run.canary(outage=None))
    assert report["services"][0]["reasons"] == ["outage of at least 1m is over the RTO of 30s"]
    text = squeezed(Page(document.render(report)).text)
    assert "failed at step point: ns1 is silent; clients were without it for at least 1m;" in text
    bare = json.loads(json.dumps(report))
    bare["services"][0]["message"] = ""
    assert "failed at step point: ns1 is silent;" in squeezed(Page(document.render(bare)).text)


def test_two_primaries_are_said_before_what_failed(make, report_of):
    run = make("failover").decide(0.5).steps(0.6, "promote").entry(1.2, "point", "failed", msg="ns1 is silent")
    report = report_of(run.outcome(1.3, "failed", message="ns1 is silent").canary(acknowledged_by_fenced=3))
    assert "failed at step point: two primaries: 3 writes" in squeezed(Page(document.render(report)).text)
