# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is drawn is what was measured; what cannot be drawn costs nothing else."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb

from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import format_time
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import (
    document,
    draw_objectives,
    draw_outage,
    draw_run,
    drawing,
    drawings,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import seconds_of

START = 1_795_317_300.0  # when the runs of the fixtures began
PATHS = [str(Path(drawing.__file__).parents[len(drawing.__name__.split(".")) - 1])]


def bars(axes):
    return bars_of(axes.patches)


def bars_of(patches):
    return [(round(float(one.get_x()), 6), round(float(one.get_width()), 6)) for one in patches]


def test_a_phase_begins_where_the_one_before_it_ended():
    phases = {"detect": 0.5, "decide": None, "fence": 1.5, "promote": 0.0, "client": 2.0}
    canvas = draw_outage.waterfall("w", "failover", "services.0", phases)
    assert bars(canvas.figure.axes[0]) == [(0.0, 0.5), (0.5, 1.5), (2.0, 0.0), (2.0, 2.0)]
    assert [text.get_text() for text in canvas.figure.axes[0].texts] == ["0.5s", "1.5s", "0s", "2s"]


def test_measured_and_allowed_time_stand_beside_each_other_as_shares_of_the_objective():
    rto = {"detection_allowance_seconds": 60.0, "decision_allowance_seconds": 300.0, "objective_seconds": 1200.0}
    rto |= {"measured_seconds": 120.0, "total_seconds": 480.0, "met": True}
    axes = draw_objectives.objectives("o", [("a", "services.0", {"rto": rto})]).figure.axes[0]
    assert bars(axes) == [(0.0, 10.0), (10.0, 5.0), (15.0, 25.0)]
    colours = [one.get_facecolor() for one in axes.patches]
    assert len(set(colours)) == 3 and [bool(one.get_hatch()) for one in axes.patches] == [False, True, True]


def test_a_bar_that_is_too_long_is_cut_and_its_number_is_not():
    rto = {"detection_allowance_seconds": None, "decision_allowance_seconds": None, "objective_seconds": 1.0}
    rto |= {"measured_seconds": 900.0, "total_seconds": 900.0, "met": False}
    canvas = draw_objectives.objectives("o", [("a", "services.0", {"rto": rto})])
    assert bars(canvas.figure.axes[0]) == [(0.0, 200.0)]
    assert "15m" in [text.get_text() for text in canvas.figure.texts]


@pytest.mark.parametrize("measured", [120.0, 2400.0, 900000.0])
def test_the_line_of_the_rto_stands_at_the_whole_objective_and_within_the_drawing(measured):
    rto = {"detection_allowance_seconds": None, "decision_allowance_seconds": None, "objective_seconds": 1200.0}
    rto |= {"measured_seconds": measured, "total_seconds": measured, "met": measured <= 1200}
    axes = draw_objectives.objectives("o", [("a", "services.0", {"rto": rto})]).figure.axes[0]
    (line,) = [each for each in axes.lines if each.get_color() == drawing.colour("bad")]
    assert list(line.get_xdata()) == [100, 100]
    (name,) = [text for text in axes.texts if text.get_text() == "RTO"]
    assert name.get_position()[0] == 100
    begin, end = axes.get_xlim()
    assert begin == 0 and 100 < end <= 200
    ((_begin, width),) = bars(axes)
    assert (width > 100) == (measured > 1200)


def test_outages_are_shaded_where_the_client_was_without_the_service(runs):
    (service,) = runs["passed"]["services"]
    _below, above = draw_run.run_of("r", "services.0", service, START).figure.axes
    _good, _bad, *shades = above.patches
    assert bars_of(shades) == [(1.0, 2.41), (20.1, 0.5)]
    assert {shade.get_facecolor()[:3] for shade in shades} == {to_rgb(drawing.colour("bad"))}
    middles = [round(text.get_position()[0], 3) for text in above.texts]
    assert middles == [1.0 + 2.41 / 2, 20.1 + 0.25]


def test_a_step_has_the_colour_of_how_it_ended(runs):
    (service,) = runs["failed"]["services"]
    states = {step["step"]: step["state"] for step in service["steps"]}
    axes = draw_run.run_of("r", "services.0", service, START).figure.axes[0]
    inks = dict(zip((tick.get_text() for tick in axes.get_yticklabels()), axes.patches, strict=True))
    assert states["point"] == "failed" and len(inks) == len(states) > 1
    wanted = {"done": "accent", "failed": "bad"}
    assert {step: ink.get_facecolor()[:3] for step, ink in inks.items()} == {
        step: to_rgb(drawing.colour(wanted[state])) for step, state in states.items()
    }


def test_the_run_shows_every_step_and_what_the_client_saw(runs):
    report = runs["passed"]
    (service,) = report["services"]
    canvas = draw_run.run_of("r", "services.0", service, START)
    below, above = canvas.figure.axes
    steps = [step for stage in service["stages"] for step in stage["steps"]]
    assert [width for _x, width in bars(below)] == [round(step["seconds"] or 0.0, 6) for step in steps]
    good, bad, *_outages = above.patches
    length = service["client"]["slice_seconds"]
    assert list(good.get_data().values) == [count / length for count in service["client"]["acknowledged"]]
    assert list(bad.get_data().values) == [-count / length for count in service["client"]["refused"]]
    assert [text.get_text() for text in above.texts] == ["2.41s", "0.5s"]


@pytest.mark.parametrize(
    ("rejoin_later", "failback_lasts", "sides"),
    [
        (0.0, 0.1, ["left", "left", "left", "right"]),
        (9.8, 0.1, ["left", "left", "right", "right"]),  # the rejoin begins just before the failback
        (0.0, 12.0, ["left", "left", "left", "left"]),
    ],
)
def test_the_name_of_a_stage_is_whole_however_short_the_stage_is(runs, rejoin_later, failback_lasts, sides):
    service = copy.deepcopy(runs["passed"]["services"][0])
    names = ["baseline", "failover", "rejoin", "failback"]
    service["stages"] = [stage for stage in service["stages"] if stage["stage"] in names]
    *_others, rejoin, failback = service["stages"]
    for step in rejoin["steps"]:
        step["began"] = format_time(seconds_of(step["began"]) + rejoin_later)
    failback["steps"][-1]["seconds"] = failback_lasts
    figure = draw_run.run_of("r", "services.0", service, START).figure
    figure.draw_without_rendering()
    texts = sorted(figure.axes[0].texts, key=lambda text: names.index(text.get_text()))
    assert [(text.get_text(), text.get_ha()) for text in texts] == list(zip(names, sides, strict=True))
    begun = [seconds_of(stage["steps"][0]["began"]) - START for stage in service["stages"]]
    assert [text.get_position()[0] for text in texts] == pytest.approx(begun)
    boxes = [text.get_window_extent() for text in texts]
    assert all(box.x0 >= 0 and box.x1 <= drawing.WIDTH for box in boxes)
    assert [one for n, one in enumerate(boxes) if one.count_overlaps(boxes[n + 1 :])] == []


def test_outages_stand_on_the_clock_of_the_run(runs):
    (service,) = runs["passed"]["services"]
    axes = draw_outage.outages("o", [("a", "services.0", service, 1.0)]).figure.axes[0]
    whole, *phases = bars(axes)
    assert whole == (1.0, 2.41)
    assert sum(width for _x, width in phases) == pytest.approx(2.41)


@pytest.mark.parametrize("verdict", ["nothing_to_do", "refused"])
def test_a_run_with_nothing_to_draw_does_not_pay_for_matplotlib(runs, verdict, tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(runs[verdict]))
    code = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[1])\n"
        "from ansible_collections.continuity.dr.plugins.plugin_utils import report\n"
        "report.write(json.load(open(sys.argv[2])), sys.argv[3])\n"
        "print('matplotlib' in sys.modules)"
    )
    arguments = [json.dumps(PATHS), str(tmp_path / "report.json"), str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr
    assert (tmp_path / "report.html").exists()


def test_without_matplotlib_the_page_says_so_and_holds_every_number(runs, monkeypatch):
    drawn = document.render(runs["passed"])
    monkeypatch.setattr(drawing, "MISSING", ImportError("no module"))
    page = document.render(runs["passed"])
    assert "<svg" in drawn and "<svg" not in page
    assert "Drawings are left out: the Python library matplotlib is missing on the controller: pip install" in page
    assert 'data-field="services.0.stages.1.rto.phases.fence"' in page


def test_a_drawing_that_fails_is_named_and_stops_nothing(runs, monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError("no room")

    monkeypatch.setattr(draw_run, "run_of", broken)
    found = drawings.draw(runs["passed"])
    assert found.missing == "run-services.0 could not be drawn (ZeroDivisionError: no room)"
    assert "objectives" in found.found
    assert "could not be drawn" in document.render(runs["passed"])
