# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the time of an outage went: one phase below the other, or every service of the run on one clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.drawing import (
    Canvas,
    colour,
    field,
    label,
    open_end,
    rows,
    ticks_of_seconds,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import short
from ansible_collections.continuity.dr.plugins.plugin_utils.report.text import away, counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASE_TEXT = {
    "detect": "until the first action",
    "decide": "observed and decided",
    "fence": "claimed and fenced",
    "promote": "promoted",
    "redirect": "endpoint switched",
    "verify": "verified",
    "client": "until a client wrote",
}


def waterfall(name: str, stage: str, path: str, phases: Mapping[str, float | None], by_client: bool = True) -> Canvas:
    """The phases of one outage, each beginning where the one before it ended. `by_client`: a client saw it end."""
    texts = {**PHASE_TEXT, **({} if by_client else {"client": "until it served again"})}
    known = [(phase, seconds) for phase, seconds in phases.items() if seconds is not None]
    canvas = Canvas(
        name,
        f"Phases of the {stage}",
        "Each phase begins where the one before it ended: "
        + ", ".join(f"{texts.get(phase, phase)} {short(seconds)}" for phase, seconds in known),
        height=len(known) * 27 + 32,
    )
    axes = canvas.axes(left=190, top=6, right=70, bottom=26)
    rows(axes, [texts.get(phase, label(phase)) for phase, _seconds in known])
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
        f"One bar for each service and stage, {counted(e for _t, _p, e, _b in moves)}, coloured by phase. "
        + " ".join(f"{label(t, 60)}: {_told(e['rto'])}." for t, _p, e, _b in moves),
        height=len(moves) * 25 + 44,
    )
    unended = any(entry["rto"]["measured_seconds"] is None for _text, _path, entry, _began in moves)
    axes = canvas.axes(left=190, top=6, right=140 if unended else 90, bottom=38)
    rows(axes, [label(text) for text, _path, _entry, _began in moves])
    ends = [began + (away(entry["rto"]) or 0) for _text, _path, entry, began in moves]
    first = min(began for _text, _path, _entry, began in moves)
    axes.set_xlim(min(0.0, first), max(*ends, 0.1))
    ticks_of_seconds(axes, max(*ends, 0.1))
    axes.set_xlabel("since the run began")
    for row, (_text, path, entry, began) in enumerate(moves):
        at, end = began, ends[row]
        axes.barh(row, end - began, left=began, height=0.56, color=colour("idle"))
        if entry["rto"]["measured_seconds"] is None:
            _unended(canvas, axes, row, end, path, entry["rto"])
            continue
        for phase, seconds in entry["rto"]["phases"].items():
            if seconds:
                axes.barh(row, seconds, left=at, height=0.56, color=colour(phase if phase in PHASE_TEXT else "accent"))
                at += seconds
        value = axes.text(
            end, row, short(entry["rto"]["measured_seconds"]), va="center", transform=canvas.shift(axes, 6)
        )
        value.set_gid(field(f"{path}.rto.measured_seconds"))
    return canvas


def _unended(canvas: Canvas, axes: Axes, row: int, end: float, path: str, rto: Mapping[str, Any]) -> None:
    """Phases of an outage tell where its time went once it is over; of this one only its least length is known."""
    open_end(axes, end, row, "idle")
    axes.text(end, row, "at least", va="center", transform=canvas.shift(axes, 10))
    value = axes.text(end, row, short(rto["at_least_seconds"]), va="center", transform=canvas.shift(axes, 60))
    value.set_gid(field(f"{path}.rto.at_least_seconds"))


def _told(rto: Mapping[str, Any]) -> str:
    return f"{'at least ' if rto['measured_seconds'] is None else ''}{short(away(rto) or 0)}"
