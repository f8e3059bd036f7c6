# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nothing that is drawn is off its axes, stands at another value, or has the colour of something else."""

from __future__ import annotations

import copy
import dataclasses

import pytest
from matplotlib.colors import to_rgb

from ansible_collections.continuity.dr.plugins.plugin_utils.report.compare import Compared
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import draw_history, draw_outage, draw_run
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.drawing import colour
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.history_marks import MARKS

START = 1_795_317_300.0  # when the runs of the fixtures began
PHASES = {"detect": 0.5, "decide": 0.25, "fence": 1.5, "promote": 0.75, "redirect": 2.0, "verify": 3.0, "client": 4.5}
#: outage, its sum with the allowances, the RTO, loss, the RPO
MEASURED = [
    (2.5, 362.5, 3600.0, 0.0, 5.0),
    (None, None, 3600.0, None, 5.0),
    (0.02, 0.02, 60.0, 0.75, 5.0),
    (None, None, 60.0, None, 5.0),
    (7200.0, 7560.0, 60.0, 40.0, 0.0),
    (30.0, 30.0, None, 0.25, None),
]


def past():
    """A run of every verdict that is drawn."""
    keys = ("measured_seconds", "rto_seconds", "rto_objective_seconds", "rpo_seconds", "rpo_objective_seconds")
    unknown = {each.name: None for each in dataclasses.fields(Compared)} | {"started": "2026-11-22T03:00:00Z"}
    return [
        {**unknown, "verdict": verdict, **dict(zip(keys, values, strict=True))}
        for verdict, values in zip(MARKS, MEASURED, strict=True)
    ]


def marks(axes):
    """The marks of verdicts: place, value, shape, colour. The small dot of a measured time is no verdict's."""
    single = [line for line in axes.lines if len(line.get_xdata()) == 1 and line.get_markersize() > 4]
    return [(line.get_xdata()[0], line.get_ydata()[0], line.get_marker(), line.get_color()) for line in single]


def inks(patches):
    return [patch.get_facecolor()[:3] for patch in patches]


def within(axes):
    """Whether every line, mark and bar is inside the limits of the axes, and not only just."""
    low, high = sorted(axes.get_ylim())
    first, last = sorted(axes.get_xlim())
    points = [point for line in axes.lines for point in line.get_xydata() if line.get_transform() == axes.transData]
    return all(first <= x <= last and low < y < high for x, y in points)


def test_each_run_of_a_history_has_the_shape_and_the_colour_of_its_verdict():
    outage, loss = draw_history.history_of("h", "payments-db", past()).figure.axes
    wanted = [(shape, colour(name)) for name, shape, _character in MARKS.values()]
    assert [(shape, ink) for _at, _value, shape, ink in marks(outage)] == wanted
    lost = [at for at, values in enumerate(MEASURED) if values[3] is not None]
    assert [(shape, ink) for _at, _value, shape, ink in marks(loss)] == [wanted[at] for at in lost]


def test_each_mark_of_a_history_stands_at_its_runs_own_value():
    outage, loss = draw_history.history_of("h", "payments-db", past()).figure.axes
    assert [each[:2] for each in marks(loss)] == [
        (at, values[3]) for at, values in enumerate(MEASURED) if values[3] is not None
    ]
    assert {at: value for at, value, *_rest in marks(outage) if MEASURED[at][1] is not None} == {
        at: pytest.approx(max(values[1], 0.02 / 1.5)) for at, values in enumerate(MEASURED) if values[1] is not None
    }
    dots = [line for line in outage.lines if len(line.get_xdata()) == 1 and line.get_markersize() < 4]
    assert [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots] == [(0, 2.5), (4, 7200.0)]
    objectives = [line for line in loss.lines if line.get_color() == colour("bad") and len(line.get_xdata()) == 2]
    assert [tuple(line.get_ydata()) for line in objectives] == [(5.0, 5.0), (0.0, 0.0)]


def test_all_of_a_history_is_on_its_axes():
    for axes in draw_history.history_of("h", "payments-db", past()).figure.axes:
        assert len(marks(axes)) > 3 and within(axes)
        ticks = axes.get_yticks()
        assert min(axes.get_ylim()) < min(ticks) and max(ticks) < max(axes.get_ylim())


def test_a_run_without_a_measurement_stands_below_all_that_were_measured():
    outage, _loss = draw_history.history_of("h", "payments-db", past()).figure.axes
    found = {at: value for at, value, *_rest in marks(outage)}
    unknown = [at for at, values in enumerate(MEASURED) if values[0] is None]
    assert max(found[at] for at in unknown) < min(value for at, value in found.items() if at not in unknown)


def test_a_waterfall_shows_the_whole_outage_and_each_phase_in_its_colour():
    axes = draw_outage.waterfall("w", "failover", "services.0", PHASES).figure.axes[0]
    assert tuple(axes.get_xlim()) == (0, sum(PHASES.values()))
    assert inks(axes.patches) == [to_rgb(colour(phase)) for phase in PHASES]
    assert [round(drawn.get_y() + drawn.get_height() / 2) for drawn in axes.patches] == list(range(len(PHASES)))


def test_outages_of_several_services_are_whole_and_each_phase_has_its_colour(runs):
    (service,) = runs["passed"]["services"]
    later = copy.deepcopy(service)
    later["rto"]["measured_seconds"] = sum(PHASES.values())
    later["rto"]["phases"] = PHASES
    moves = [("a", "services.0", service, 1.0), ("b", "services.1", later, 30.0)]
    axes = draw_outage.outages("o", moves).figure.axes[0]
    known = [phase for phase, seconds in service["rto"]["phases"].items() if seconds]
    assert len(known) > 3
    assert inks(axes.patches) == [to_rgb(colour(name)) for name in ("idle", *known, "idle", *PHASES)]
    assert tuple(axes.get_xlim()) == (0.0, 30.0 + sum(PHASES.values()))
    assert {round(drawn.get_y() + drawn.get_height() / 2) for drawn in axes.patches[: len(known) + 1]} == {0}


def test_an_outage_that_began_before_the_run_is_whole(runs):
    (service,) = runs["passed"]["services"]
    axes = draw_outage.outages("o", [("a", "services.0", service, -5.0)]).figure.axes[0]
    assert tuple(axes.get_xlim()) == (-5.0, 0.1)


@pytest.mark.parametrize("verdict", ["passed", "failed"])
def test_a_run_is_drawn_from_its_first_to_its_last_moment(runs, verdict):
    (service,) = runs[verdict]["services"]
    below, *above = draw_run.run_of("r", "services.0", service, START).figure.axes
    ends = [drawn.get_x() + drawn.get_width() for drawn in below.patches]
    for axes in above:
        writes, _refused, *outages = axes.patches
        ends += [writes.get_data().edges[-1], *(shade.get_x() + shade.get_width() for shade in outages)]
    assert len(ends) > 1 and tuple(below.get_xlim()) == (0.0, pytest.approx(max(ends)))


def test_the_client_and_the_steps_have_one_clock(runs):
    (service,) = runs["passed"]["services"]
    below, above = draw_run.run_of("r", "services.0", service, START).figure.axes
    assert above.get_xlim() == below.get_xlim()
    assert above.get_position().x0 == below.get_position().x0 and above.get_position().x1 == below.get_position().x1


def test_acknowledged_writes_are_up_and_green_refused_ones_down_and_red_and_both_are_seen(runs):
    (service,) = runs["passed"]["services"]
    _below, above = draw_run.run_of("r", "services.0", service, START).figure.axes
    good, bad, *_outages = above.patches
    assert inks([good, bad]) == [to_rgb(colour("good")), to_rgb(colour("bad"))]
    highest, lowest = max(good.get_data().values), min(bad.get_data().values)
    assert lowest < 0 < highest
    bottom, top = above.get_ylim()
    assert 2 * lowest < bottom < lowest and highest < top < 2 * highest


def test_a_client_that_was_only_refused_is_seen_too(runs):
    (service,) = copy.deepcopy(runs["passed"]["services"])
    service["client"]["acknowledged"] = [0] * len(service["client"]["acknowledged"])
    _below, above = draw_run.run_of("r", "services.0", service, START).figure.axes
    _good, bad, *_outages = above.patches
    bottom, top = above.get_ylim()
    assert bottom < min(bad.get_data().values) < 0 < top
