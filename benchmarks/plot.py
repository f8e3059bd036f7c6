# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plot beside the page: every outage, medians as dots, min to max as lines, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
MEASURE = "outage_seconds"


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Write it; the same results give the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "continuity.dr"
    from matplotlib import pyplot

    cases = [case for case in results["cases"].values() if case["measure"] == MEASURE and MEASURE in case]
    cases.sort(key=lambda case: (case["floor"] == "floor_planned", -case[MEASURE]["median"]))
    figure, axes = pyplot.subplots(figsize=(10, 0.34 * len(cases) + 1.2), layout="constrained")
    for height, case in enumerate(cases):
        _draw_case(axes, height, case)
    axes.set_yticks(range(len(cases)), [case["title"] for case in cases], fontsize=8)
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    values = [case[MEASURE][key] for case in cases for key in ("min", "max")]
    axes.set_xlim(min(values, default=0.1) / 1.3, max(values, default=10.0) * 1.6)
    axes.set_xlabel("seconds without an acknowledged write: median, min to max (logarithmic)")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _draw_case(axes: Any, height: int, case: Mapping[str, Any]) -> None:
    seen, color = case[MEASURE], _color(case["title"])
    axes.plot([seen["min"], seen["max"]], [height, height], color=color, linewidth=3, alpha=0.45)
    axes.plot(seen["median"], height, "o", color=color)
    place = {"xytext": (6, -3), "textcoords": "offset points", "fontsize": 8}
    axes.annotate(f"{seen['median']:.2f}", (seen["max"], height), **place)


def _color(title: str) -> str:
    """The floor, the collection, everybody else."""
    if title.startswith("the floor"):
        return "#c0392b"
    return "#1f6f3f" if title.startswith("continuity.dr") else "#555555"
