# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands beside an axis and in a drawing's description is what is drawn there."""

from __future__ import annotations

import json

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import parse_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.report import text as words
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import (
    draw_history,
    draw_objectives,
    draw_outage,
    draw_run,
)

START = 1_795_317_300.0  # when the runs of the fixtures began
PHASES = {"detect": 0.5, "decide": 0.25, "fence": 1.5, "promote": 0.75, "redirect": 2.0, "verify": 3.0, "client": 4.5}


def seconds(text):
    return sum(parse_duration(part) for part in text.split())


def labels(axis):
    return [tick.get_text() for tick in axis.get_ticklabels()]


def test_a_time_axis_is_labelled_with_its_own_seconds(runs):
    canvas = draw_outage.waterfall("w", "failover", "services.0", PHASES)
    (service,) = runs["passed"]["services"]
    below, _above = draw_run.run_of("r", "services.0", service, START).figure.axes
    for axes in (canvas.figure.axes[0], below):
        assert len(axes.get_xticks()) > 2
        assert [seconds(text) for text in labels(axes.xaxis)] == pytest.approx(list(axes.get_xticks()))


def test_each_phase_has_its_own_name_and_the_description_its_own_seconds():
    canvas = draw_outage.waterfall("w", "failover", "services.0", PHASES)
    names = {
        "detect": "until the first action",
        "decide": "observed and decided",
        "fence": "claimed and fenced",
        "promote": "promoted",
        "redirect": "endpoint switched",
        "verify": "verified",
        "client": "until a client wrote",
    }
    assert labels(canvas.figure.axes[0].yaxis) == list(names.values())
    told = canvas.description.partition(": ")[2].split(", ")
    assert [seconds(text.removeprefix(names[phase])) for phase, text in zip(PHASES, told, strict=True)] == list(
        PHASES.values()
    )
    legend = words.PHASES
    assert {phase: legend[phase] for phase in ("detect", "fence", "promote", "redirect")} == {
        "detect": "fault to the first action",
        "fence": "claimed and fenced",
        "promote": "promoted",
        "redirect": "endpoint switched",
    }


def test_the_share_of_an_objective_is_labelled_in_percent_and_described_in_seconds():
    rto = {"detection_allowance_seconds": 60.0, "decision_allowance_seconds": 300.0, "objective_seconds": 1200.0}
    rto |= {"measured_seconds": 120.0, "total_seconds": 480.0, "met": True}
    canvas = draw_objectives.objectives("o", [("a", "services.0", {"rto": rto})])
    canvas.figure.canvas.draw()
    axes = canvas.figure.axes[0]
    assert labels(axes.xaxis) == [f"{share:g}%" for share in axes.get_xticks()]
    assert "8m of 20m" in canvas.description


def test_writes_a_second_are_labelled_with_the_highest_rate_and_unanswered_ones_are_drawn(runs):
    service = json.loads(json.dumps(runs["passed"]["services"][0]))
    client = service["client"]
    client["in_doubt"] = [2] * len(client["in_doubt"])
    _below, above = draw_run.run_of("r", "services.0", service, START).figure.axes
    highest = max(client["acknowledged"]) / client["slice_seconds"]
    assert labels(above.yaxis) == ["0", f"{highest:.0f}/s"] and list(above.get_yticks()) == [0, highest]
    _good, bad, *_outages = above.patches
    length = client["slice_seconds"]
    assert list(bad.get_data().values) == [-(count + 2) / length for count in client["refused"]]


def test_the_history_is_labelled_with_its_own_seconds():
    runs = [
        {
            "run_id": f"r-{number}",
            "started": f"2026-11-{number:02}T03:00:00Z",
            "verdict": "passed",
            "measured_seconds": outage,
            "rto_seconds": outage and outage + 360,
            "at_least_seconds": None,
            "rto_objective_seconds": 3600.0,
            "rpo_seconds": loss,
            "rpo_objective_seconds": 5.0,
        }
        for number, outage, loss in ((10, 2.5, 0.5), (11, None, None), (12, 40.0, 20.0))
    ]
    outage, loss = draw_history.history_of("h", "payments-db", runs).figure.axes
    (lane, *places), (unknown, *texts) = outage.get_yticks(), labels(outage.yaxis)
    assert unknown == "not known" and [seconds(text) for text in texts] == pytest.approx(places)
    assert [seconds(text) for text in labels(loss.yaxis)] == list(loss.get_yticks()) == [0.0, 20.0]
    assert labels(loss.xaxis) == ["2026-11-10", "2026-11-11", "2026-11-12"]
    assert lane in [line.get_ydata()[0] for line in outage.lines if len(line.get_ydata()) == 1], (
        "a run without a measurement stands in the lane of those"
    )


def test_steps_that_begin_at_the_same_pixel_are_one_bar_and_no_time_is_lost():
    many = [draw_run._Bar("verify", "switchover", "done", number / 1024, 1 / 2048) for number in range(4096)]
    failed = draw_run._Bar("verify", "switchover", "failed", 0.0, 4.0)
    found = draw_run._distinct([*many, failed], 1 / 128)
    assert (len(found), found[-1]) == (513, failed)
    assert [one.began for one in found[:-1]] == [number / 128 for number in range(512)]
    assert {one.seconds for one in found[:-1]} == {7 / 1024 + 1 / 2048}
    assert draw_run._distinct(many[:9], 1 / 2048) == many[:9]
