# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An outage that the operator dates: nothing says that a client measured it, and its number stays on the page."""

from __future__ import annotations

import pytest
from html_page import Page, squeezed
from matplotlib.backends.backend_agg import FigureCanvasAgg

from ansible_collections.continuity.dr.plugins.plugin_utils.report import markdown
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import (
    document,
    draw_objectives,
    draw_outage,
    draw_run,
    drawings,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.text import as_given

START = 1_795_317_300.0  # when the runs of the fixtures began
NOT_KNOWN = "no write of the former primary"
BY_CLIENT = ("clients were without it", "as the client saw it", "measured by the client", "last acknowledged write")


@pytest.fixture
def dated(moved, report_of):
    """`dated(canary=True)`: a failover of an outage that began 600 s before it, by the operator's word."""

    def begin(canary, before=600):
        run = moved()
        if canary:
            run.ledger().canary(outage=None, outage_ended="2026-11-22T03:15:03.410Z", outage_started=None)
            run.canary(outage=2.41, outage_unknown=NOT_KNOWN)
        run.run["inputs"]["outage_started"] = START - before
        return report_of(run)

    return begin


@pytest.mark.parametrize("canary", [True, False])
def test_no_text_says_that_the_client_saw_it_begin(dated, canary):
    report = dated(canary)
    rto = report["services"][0]["rto"]
    assert (rto["source"], rto["unknown"]) == ("operator", "")
    page = squeezed(Page(document.render(report)).text)
    for text in (page, markdown.render(report)):
        assert not any(said in text for said in BY_CLIENT)
        assert "the outage is not known" not in text.lower()
        assert "from the time that the operator gave" in text
    assert "its outage was 10m" in page
    assert "Seconds since the time that the operator gave as the begin of the outage." in page
    assert ("no client measured it" in page) is not canary


def test_a_measured_outage_is_still_the_clients(moved, report_of):
    page = squeezed(Page(document.render(report_of(moved().canary()))).text)
    assert "clients were without it for 2.41s" in page and "operator gave" not in page
    assert "Seconds since the last acknowledged write before the outage." in page


def test_what_no_client_saw_has_no_phase_of_a_client(dated, moved, report_of):
    assert dated(canary=False)["services"][0]["rto"]["phases"]["client"] is None
    assert "until a client wrote" not in document.render(dated(canary=False))
    assert dated(canary=True)["services"][0]["rto"]["phases"]["client"] is not None


def test_a_rest_without_a_client_is_named_without_one():
    canvas = draw_outage.waterfall("w", "restore", "services.0", {"detect": 1.0, "client": 2.0}, by_client=False)
    assert [tick.get_text() for tick in canvas.figure.axes[0].get_yticklabels()][1] == "until it served again"


def test_the_rest_of_an_outage_without_a_client_is_kept(make, report_of):
    """A service that was built anew without an endpoint: its phases add up all the same."""
    run = make("restore").entry(1.0, "restore", state="rebuilt", changed=True).outcome(1.1)
    run.stage = "backup"
    run.entry(2.0, "backup").outcome(2.1)
    run.run["inputs"]["outage_started"] = START - 10
    report = report_of(run)
    rto = report["services"][0]["rto"]
    assert sum(each or 0 for each in rto["phases"].values()) == pytest.approx(rto["measured_seconds"])
    assert "until it served again" in markdown.render(report)


def test_the_number_of_an_outage_that_began_before_the_run_is_drawn_beside_its_visible_part(dated):
    (service,) = dated(canary=True)["services"]
    above = draw_run.run_of("r", "services.0", service, START).figure.axes[1]
    begin, _end = above.get_xlim()
    assert begin >= -1
    (text,) = above.texts
    assert begin < text.get_position()[0] < 3.41
    shade = above.patches[-1]
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((begin, 3.41))


def test_an_outage_outside_of_the_drawing_is_not_drawn(dated):
    (service,) = dated(canary=True)["services"]
    service["rto"].update(started="2026-11-22T01:00:00.000000Z", ended="2026-11-22T01:01:00.000000Z")
    service["rto"]["measured_seconds"] = 60.0
    assert not draw_run.run_of("r", "services.0", service, START).figure.axes[1].texts


def canvases(report):
    """Every drawing of a report, as the page asks for them."""
    modules = {"draw_objectives": draw_objectives, "draw_outage": draw_outage, "draw_run": draw_run}
    wanted = {**drawings._whole(report), **drawings._services(report)}
    return [ask(modules[module]) for module, ask in wanted.values()]


def outside(canvas):
    """The marked texts that are not within the drawing, with a pixel to spare."""
    figure = canvas.figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    box = figure.bbox.padded(1)
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    marked = [(text, text.get_window_extent(renderer)) for text in texts if (text.get_gid() or "").startswith("field:")]
    return [
        (text.get_gid(), text.get_text())
        for text, place in marked
        if place.x0 < box.x0 or place.x1 > box.x1 or place.y0 < box.y0 or place.y1 > box.y1
    ]


def unended(make_moved, report_of):
    run = make_moved(name="unended", rto=30.0).ledger().canary(outage=None)
    run.service("accounts-db").decide(1.5).steps(1.5, "claim", "fence", "promote", "point", "verify").outcome(2.1)
    run.canary(outage=None, fault=-900.0)
    return report_of(run)


def test_every_marked_text_stands_within_its_drawing(runs, dated, moved, report_of):
    reports = [*runs.values(), dated(canary=True), dated(canary=False, before=86000), unended(moved, report_of)]
    drawn = [canvas for report in reports for canvas in canvases(report)]
    assert len(drawn) > 12
    assert [each for canvas in drawn for each in outside(canvas)] == []


def test_inputs_are_shown_as_a_time_and_a_duration(moved, report_of):
    run = moved().canary()
    run.run["inputs"] |= {"outage_started": 1795373028.0, "accept_data_loss_seconds": 90.0, "waive": ["a", "b"]}
    report = report_of(run)
    assert report["inputs"]["outage_started"] == 1795373028.0
    for told in (squeezed(Page(document.render(report)).text), markdown.render(report)):
        words = told.replace("\\", "")
        assert "outage_started: 2026-11-22T18:43:48Z" in words and "accept_data_loss: 90s" in words
        assert "waive: a, b" in words and "1795373028" not in words


@pytest.mark.parametrize(
    ("seconds", "text"), [(1795373028.5, "2026-11-22T18:43:48.5Z"), (1795372800.0, "2026-11-22T18:40:00Z")]
)
def test_a_time_is_not_cut_where_it_ends_with_zeros(seconds, text):
    assert as_given({"outage_started": seconds}) == {"outage_started": text}
