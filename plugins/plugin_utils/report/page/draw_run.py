# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One service over the time of a run: what its client saw on top, what was done meanwhile below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.drawing import (
    WIDTH,
    Canvas,
    colour,
    field,
    label,
    rows,
    ticks_of_seconds,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import short
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import seconds_of
from ansible_collections.continuity.dr.plugins.plugin_utils.report.text import away

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_STATES = {"done": "accent", "skipped": "idle", "refused": "warn", "failed": "bad", "started": "warn"}
_CLIENT_HEIGHT = 96
_NAMES_HEIGHT = 36  # of the stages, above their steps
_LEFT, _RIGHT = 110, 20  # margins of the time axis


@dataclass(frozen=True)
class _Bar:
    step: str
    stage: str
    state: str
    began: float
    seconds: float


def run_of(name: str, path: str, service: Mapping[str, Any], started: float) -> Canvas:
    """`started`: the run's begin; every time is shown as seconds after it."""
    bars = _bars(service, started)
    steps = list(dict.fromkeys(each.step for each in bars))
    client = service["client"]
    top = _CLIENT_HEIGHT + 26 if client else 0
    top += _NAMES_HEIGHT if len({each.stage for each in bars}) > 1 else 8
    canvas = Canvas(
        name,
        f"{label(service['service'], 60)} over the time of the run",
        ("Above: writes of the canary a second, acknowledged and refused; outages are shaded. " if client else "")
        + f"Below: when each of the steps {', '.join(label(step) for step in steps)} ran.",
        height=top + len(steps) * 22 + 40,
    )
    begin, end = _span(bars, service, started)
    below = canvas.axes(left=_LEFT, top=top, right=_RIGHT, bottom=40)
    _steps(below, _distinct(bars, (end - begin) / (WIDTH - _LEFT - _RIGHT)), steps)
    _stages(canvas, below, bars, begin, end)
    below.set_xlim(begin, end)
    ticks_of_seconds(below, end)
    below.set_xlim(begin, end)
    below.set_xlabel("since the run began")
    if client:
        above = canvas.axes(left=_LEFT, top=20, right=_RIGHT, bottom=canvas.height - 20 - _CLIENT_HEIGHT)
        _client(above, client, started)
        above.set_xlim(begin, end)
        _outages(above, path, service, started)
    return canvas


def _bars(service: Mapping[str, Any], started: float) -> list[_Bar]:
    found = []
    for stage in service["stages"] or [service]:
        for step in stage["steps"]:
            began = seconds_of(step["began"])
            if began is not None:
                took = step["seconds"] or 0.0
                found.append(_Bar(step["step"], stage["stage"], step["state"], began - started, took))
    return found


def _span(bars: Sequence[_Bar], service: Mapping[str, Any], started: float) -> tuple[float, float]:
    times = [0.0, *(each.began for each in bars), *(each.began + each.seconds for each in bars)]
    if client := service["client"]:
        first = (seconds_of(client["started"]) or started) - started
        times += [first, first + client["slice_seconds"] * len(client["acknowledged"])]
    ends = [seconds_of(stage["rto"]["ended"] or "") for stage in service["stages"] or [service]]
    return min(times), max(*times, *(end - started for end in ends if end is not None), 0.1)


def _distinct(bars: Sequence[_Bar], pixel: float) -> list[_Bar]:
    """Bars of one step that begin at the same pixel (which lasts so many seconds) as one: thousands take seconds."""
    found: dict[tuple[str, str, int], _Bar] = {}
    for each in bars:
        place = (each.step, each.state, int(each.began / pixel))
        first = found.setdefault(place, each)
        seconds = max(first.seconds, each.began + each.seconds - first.began)
        found[place] = replace(first, seconds=seconds)
    return list(found.values())


def _steps(axes: Axes, bars: Sequence[_Bar], steps: Sequence[str]) -> None:
    rows(axes, [label(step, 14) for step in steps])
    for each in bars:
        row, ink = steps.index(each.step), colour(_STATES.get(each.state, "accent"))
        axes.barh(row, each.seconds, left=each.began, height=0.5, color=ink, linewidth=0)
        axes.plot([each.began] * 2, [row - 0.25, row + 0.25], color=ink, linewidth=2.5, solid_capstyle="butt")


def _stages(canvas: Canvas, axes: Axes, bars: Sequence[_Bar], begin: float, end: float) -> None:
    """A line where a stage begins, and its name where there is room for it: before the line if not after it."""
    starts: dict[str, float] = {}
    for each in bars:
        starts.setdefault(each.stage, each.began)
    if len(starts) < 2:
        return
    pixel = (end - begin) / (WIDTH - _LEFT - _RIGHT)
    free = [begin, begin]  # two lines of names: short stages follow each other closely
    for stage, at in starts.items():
        axes.axvline(at, color=colour("line"), linewidth=1, zorder=0.5)
        name = label(stage, 14)
        long = (7.0 * len(name) + 6) * pixel
        side = "left" if at + long <= end + _RIGHT * pixel else "right"
        first = at if side == "left" else at - long
        level = next((number for number, until in enumerate(free) if first >= until), None)
        if level is not None:
            place = canvas.shift(axes, right=2 if side == "left" else -2, up=5 + 14 * level)
            axes.text(at, -0.5, name, ha=side, fontsize=11, color=colour("muted"), transform=place)
            free[level] = first + long


def _client(axes: Axes, client: Mapping[str, Any], started: float) -> None:
    length, first = client["slice_seconds"], (seconds_of(client["started"]) or started) - started
    edges = [first + length * number for number in range(len(client["acknowledged"]) + 1)]
    rate = {key: [count / length for count in client[key]] for key in ("acknowledged", "refused", "in_doubt")}
    axes.stairs(rate["acknowledged"], edges, fill=True, color=colour("good"), linewidth=0)
    failed = [refused + doubt for refused, doubt in zip(rate["refused"], rate["in_doubt"], strict=True)]
    axes.stairs([-each for each in failed], edges, fill=True, color=colour("bad"), linewidth=0)
    good, bad = max(rate["acknowledged"]), max(failed)
    most = good or bad
    axes.set_ylim(-max(bad, most * 0.3) * 1.05, max(good, most * 0.3) * 1.05)
    axes.axhline(0, color=colour("line"), linewidth=1)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([0, good or -bad], ["0", f"{most:.0f}/s"])


def _outages(axes: Axes, path: str, service: Mapping[str, Any], started: float) -> None:
    """Each outage as far as the drawing reaches: one that the operator dates back may have begun long before it."""
    several = bool(service["stages"])
    begin, end = axes.get_xlim()
    pixel = (end - begin) / (WIDTH - _LEFT - _RIGHT)
    for number, stage in enumerate(service["stages"] or [service]):
        rto, seconds = stage["rto"], away(stage["rto"])
        since = seconds_of(rto["started"] or "")
        if since is None or seconds is None:
            continue
        first, last = max(since - started, begin), min(since - started + seconds, end)
        if first >= last:
            continue
        axes.axvspan(first, last, color=colour("bad"), alpha=0.14, linewidth=0)
        key, middle, side = "measured_seconds", (first + last) / 2, "center"
        if rto["measured_seconds"] is None:
            axes.axvline(last, color=colour("bad"), linewidth=1, linestyle=":")  # it went on
            key, middle, side = "at_least_seconds", min(max(middle, begin + 60 * pixel), end - 60 * pixel), "left"
            _above(axes, middle - 4 * pixel, "at least", "right")
        elif middle > end - 30 * pixel or middle < begin + 30 * pixel:
            side = "right" if middle > end - 30 * pixel else "left"
        of = f"{path}.stages.{number}" if several else path
        _above(axes, middle, short(seconds), side).set_gid(field(f"{of}.rto.{key}"))


def _above(axes: Axes, at: float, text: str, side: Any) -> Text:
    return axes.text(at, 1.03, text, ha=side, va="bottom", transform=axes.get_xaxis_transform())
