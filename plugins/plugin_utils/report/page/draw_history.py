# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One service over its runs: outage and loss against the objectives, a mark for each verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.drawing import Canvas, colour, label
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import short
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.history_marks import MARKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Run = Mapping[str, Any]

_SECONDS = (0.01, 0.1, 1, 10, 60, 600, 3600, 21600, 86400, 604800)
_TOP, _OUTAGE, _LOSS, _BETWEEN = 12, 190, 84, 34


def history_of(name: str, service: str, runs: Sequence[Run]) -> Canvas:
    """`runs`: those that moved the service or were to move it, oldest first; none that had nothing to do."""
    canvas = Canvas(
        name,
        f"Outage and loss of {label(service, 60)} over its runs",
        "Above: the outage that was compared with the RTO, on a logarithmic scale. Below: the loss. Every number stands"
        " in the table.",
        height=_TOP + _OUTAGE + _BETWEEN + _LOSS + 30,
    )
    outage = canvas.axes(left=96, top=_TOP, right=96, bottom=canvas.height - _TOP - _OUTAGE)
    loss = canvas.axes(left=96, top=_TOP + _OUTAGE + _BETWEEN, right=96, bottom=30)
    for axes in (outage, loss):
        axes.set_xlim(-0.7, len(runs) - 0.3)
        axes.set_xticks([])
        axes.grid(axis="y", color=colour("grid"), linewidth=1)
    _outage(canvas, outage, runs)
    _loss(canvas, loss, runs)
    _dates(loss, runs)
    return canvas


def _outage(canvas: Canvas, axes: Axes, runs: Sequence[Run]) -> None:
    keys = ("measured_seconds", "rto_seconds", "at_least_seconds", "rto_objective_seconds")
    known = [run[key] for run in runs for key in keys if run[key]]
    low, high = min(known, default=1.0), max(known, default=60.0)
    axes.set_yscale("log")
    axes.set_ylim(low / 4, high * 2)  # the lowest part is the lane of runs without a measurement
    marks = [each for each in _SECONDS if low <= each <= high * 2]
    lane = low / 2.7
    axes.set_yticks([lane, *marks], ["not known", *(short(each) for each in marks)])
    axes.set_yticks([], minor=True)
    for at, run in enumerate(runs):
        measured, total = run["measured_seconds"], run["rto_seconds"]
        if measured and total and total > measured:
            axes.plot([at, at], [measured, total], color=colour("allow-a"), linewidth=2)
            axes.plot([at], [measured], marker="o", markersize=3.5, color=colour("accent"), linewidth=0)
        if total is None and run["at_least_seconds"]:
            total = run["at_least_seconds"]
            axes.plot([at, at], [total, high * 1.7], color=colour("bad"), linewidth=1.5, linestyle=":")  # it went on
        _mark(axes, at, max(total, low / 1.5) if total is not None else lane, run["verdict"], len(runs))
    _objective(canvas, axes, [run["rto_objective_seconds"] for run in runs], "RTO")
    axes.set_ylabel("outage")


def _loss(canvas: Canvas, axes: Axes, runs: Sequence[Run]) -> None:
    known = [run[key] for run in runs for key in ("rpo_seconds", "rpo_objective_seconds") if run[key] is not None]
    high = max(known, default=0.0) or 1.0
    axes.set_ylim(-high * 0.12, high * 1.25)
    axes.set_yticks([0, high], [short(0), short(high)])
    for at, run in enumerate(runs):
        if run["rpo_seconds"] is not None:
            _mark(axes, at, run["rpo_seconds"], run["verdict"], len(runs))
    _objective(canvas, axes, [run["rpo_objective_seconds"] for run in runs], "RPO")
    axes.set_ylabel("loss")


def _mark(axes: Axes, at: float, value: float, verdict: str, count: int) -> None:
    name, shape, _character = MARKS[verdict]
    size = 8 if count <= 40 else 5
    axes.plot([at], [value], marker=shape, markersize=size, color=colour(name), markeredgecolor=colour(name), zorder=3)


def _objective(canvas: Canvas, axes: Axes, values: Sequence[float | None], what: str) -> None:
    """The objective as it stood in each run: a plan changes over time."""
    began = 0
    for at, value in enumerate(values):
        if at + 1 < len(values) and values[at + 1] == value:
            continue
        if value is not None and (value > 0 or axes.get_yscale() == "linear"):
            axes.plot([began - 0.5, at + 0.5], [value, value], color=colour("bad"), linewidth=1.5, zorder=2)
        began = at + 1
    last = values[-1] if values else None
    if last is not None and (last > 0 or axes.get_yscale() == "linear"):
        at = canvas.shift(axes, right=8)
        axes.text(len(values) - 0.5, last, f"{what} {short(last)}", color=colour("bad"), va="center", transform=at)


def _dates(axes: Axes, runs: Sequence[Run]) -> None:
    """The day under at most six runs."""
    every = max(1, -(-len(runs) // 6))
    shown = list(range(0, len(runs), every))
    axes.set_xticks(shown, [label(runs[at]["started"][:10], 10) or "?" for at in shown])
