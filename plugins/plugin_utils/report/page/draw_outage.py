# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the time of an outage went: one phase below the other, or every service of the run on one clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.drawing import (
    Canvas,
    colour,
    field,
    label,
    rows,
    ticks_of_seconds,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import short

PHASE_TEXT = {
    "detect": "until the first action",
    "decide": "observed and decided",
    "fence": "claimed and fenced",
    "promote": "promoted",
    "redirect": "endpoint switched",
    "verify": "verified",
    "client": "until a client wrote",
}


def waterfall(name: str, stage: str, path: str, phases: Mapping[str, float | None]) -> Canvas:
    """The phases of one outage, each beginning where the one before it ended."""
    known = [(phase, seconds) for phase, seconds in phases.items() if seconds is not None]
    canvas = Canvas(
        name,
        f"Phases of the {stage}",
        "Each phase begins where the one before it ended: "
        + ", ".join(f"{PHASE_TEXT.get(phase, phase)} {short(seconds)}" for phase, seconds in known),
        height=len(known) * 27 + 32,
    )
    axes = canvas.axes(left=190, top=6, right=70, bottom=26)
    rows(axes, [PHASE_TEXT.get(phase, label(phase)) for phase, _seconds in known])
    end = sum(seconds for _phase, seconds in known) or 1.0
    axes.set_xlim(0, end)
    ticks_of_seconds(axes, end)
    at = 0.0
    for row, (phase, seconds) in enumerate(known):
        axes.barh(row, seconds, left=at, height=0.56, color=colour(phase if phase in PHASE_TEXT else "accent"))
        until = at + seconds
        if row + 1 < len(known):
            axes.plot([until, until], [row, row + 1], color=colour("muted"), linewidth=1)
        text = axes.text(until, row, short(seconds), va="center", transform=canvas.shift(axes, right=6))
        text.set_gid(field(f"{path}.rto.phases.{phase}"))
        at = until
    return canvas


def outages(name: str, moves: Sequence[tuple[str, str, Mapping[str, Any], float]]) -> Canvas:
    """All outages of a run on its clock. `moves`: label, path, entry and when it began, in seconds after the run's."""
    canvas = Canvas(
        name,
        "Outages on the clock of the run",
        "One bar for each service and stage, from its last write before to its first write after, coloured by phase. "
        + " ".join(f"{label(t, 60)}: {short(e['rto']['measured_seconds'])}." for t, _p, e, _b in moves),
        height=len(moves) * 25 + 44,
    )
    axes = canvas.axes(left=190, top=6, right=90, bottom=38)
    rows(axes, [label(text) for text, _path, _entry, _began in moves])
    ends = [began + entry["rto"]["measured_seconds"] for _text, _path, entry, began in moves]
    first = min(began for _text, _path, _entry, began in moves)
    axes.set_xlim(min(0.0, first), max(*ends, 0.1))
    ticks_of_seconds(axes, max(*ends, 0.1))
    axes.set_xlabel("since the run began")
    for row, (_text, path, entry, began) in enumerate(moves):
        at, end = began, began + entry["rto"]["measured_seconds"]
        axes.barh(row, end - began, left=began, height=0.56, color=colour("idle"))
        for phase, seconds in entry["rto"]["phases"].items():
            if seconds:
                axes.barh(row, seconds, left=at, height=0.56, color=colour(phase if phase in PHASE_TEXT else "accent"))
                at += seconds
        value = axes.text(
            end, row, short(entry["rto"]["measured_seconds"]), va="center", transform=canvas.shift(axes, 6)
        )
        value.set_gid(field(f"{path}.rto.measured_seconds"))
    return canvas
