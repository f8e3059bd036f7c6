# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How much of each RTO was used: measured time, the plan's allowances beside it, the objective as a line."""

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
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import short
from ansible_collections.continuity.dr.plugins.plugin_utils.report.text import away

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: beyond this share of the objective a bar is cut; its number stands beside it
_MOST = 200.0
_PARTS = (
    ("measured_seconds", "accent", None),
    ("detection_allowance_seconds", "allow-a", "///"),
    ("decision_allowance_seconds", "allow-b", "\\\\\\"),
)


def objectives(name: str, moves: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Canvas:
    """`moves`: label, path and entry of every move with an objective above zero whose outage is known, or at least
    how long it was."""
    canvas = Canvas(
        name,
        "Outage against the recovery time objective",
        "One bar for each service and stage: measured time and the plan's allowances as a share of the objective. "
        + " ".join(f"{label(text, 60)}: {_told(entry['rto'])}." for text, _path, entry in moves),
        height=len(moves) * 30 + 56,
    )
    axes = canvas.axes(left=190, top=30, right=170, bottom=26)
    rows(axes, [label(text) for text, _path, _entry in moves])
    shares = [100 * (_compared(entry["rto"])[1] or 0) / entry["rto"]["objective_seconds"] for _l, _p, entry in moves]
    most = min(_MOST, max(105.0, *(share * 1.05 for share in shares)))
    axes.set_xlim(0, most)
    axes.set_xticks([0, 25, 50, 75, 100] + ([150, 200] if most > 140 else []))
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}%")
    axes.grid(axis="x", color=colour("grid"), linewidth=1)
    axes.axvline(100, color=colour("bad"), linewidth=1.5)
    axes.text(100, -0.62, "RTO", color=colour("bad"), ha="center", va="bottom", fontsize=11)
    for row, (_text, path, entry) in enumerate(moves):
        _bar(axes, row, entry["rto"])
        _numbers(canvas, row, path, entry["rto"])
    for at, text in ((92, "compared"), (8, "RTO")):
        canvas.figure.text(1 - at / 780, 1 - 14 / canvas.height, text, ha="right", fontsize=11, color=colour("muted"))
    return canvas


def _compared(rto: Mapping[str, Any]) -> tuple[str, float | None]:
    """The field that is compared with the objective and its seconds; of an outage without an end what is certain."""
    key = "at_least_seconds" if rto["measured_seconds"] is None else "total_seconds"
    return key, rto[key]


def _bar(axes: Axes, row: int, rto: Mapping[str, Any]) -> None:
    at = 0.0
    if rto["measured_seconds"] is None:
        until = min(100 * (away(rto) or 0) / rto["objective_seconds"], _MOST)
        axes.barh(row, until, height=0.5, color=colour("accent"), linewidth=0)
        open_end(axes, until, row, "accent")
        return
    for key, name, hatch in _PARTS:
        share = 100 * (rto[key] or 0) / rto["objective_seconds"]
        until = min(at + share, _MOST)
        if until > at:
            axes.barh(row, until - at, left=at, height=0.5, color=colour(name), hatch=hatch, linewidth=0)
        if key == "measured_seconds" and share < 0.4:  # too thin to be seen beside the allowances
            axes.plot([0, 0], [row - 0.25, row + 0.25], color=colour(name), linewidth=3, solid_capstyle="butt")
        at = until
    if rto["total_seconds"] > rto["objective_seconds"] * _MOST / 100:
        axes.text(_MOST, row, "⟩⟩", color=colour("panel"), ha="right", va="center", fontsize=11)


def _numbers(canvas: Canvas, row: int, path: str, rto: Mapping[str, Any]) -> None:
    """The sum and the objective as two columns of numbers."""
    up = 1 - (30 + 30 * (row + 0.5)) / canvas.height
    ink = colour("ink" if rto["met"] is not False else "bad")
    compared = _compared(rto)[0]
    if compared == "at_least_seconds":  # left of the column: the sum with what the plan allows is more still
        canvas.figure.text(1 - 156 / 780, up, "≥", va="center", color=ink)
    for at, key, ink_of in ((92, compared, ink), (8, "objective_seconds", colour("muted"))):
        text = canvas.figure.text(1 - at / 780, up, short(rto[key]), ha="right", va="center", color=ink_of)
        text.set_gid(field(f"{path}.rto.{key}"))


def _told(rto: Mapping[str, Any]) -> str:
    key, seconds = _compared(rto)
    least = "at least " if key == "at_least_seconds" else ""
    return f"{least}{short(seconds or 0)} of {short(rto['objective_seconds'])}"
