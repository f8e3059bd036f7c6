# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/benchmarks.md and its plot, rendered from results.json and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.plot import draw

HEAD = """# Benchmarks

`make bench` measured this: one lab, one run, {rounds} repetitions of each case in turn, one client for all. The page is
rendered from `benchmarks/results.json`, which also keeps every sample; `benchmarks/README.md` tells what each case
does.

The client inserts one row per number, 100 a second, each committed by itself and never sent twice; a connection may
take 1 s, and after a failure it tries again 20 ms later. **Outage** is the longest time between two acknowledged rows.
**Lost** is what was acknowledged and is missing on the new primary, counted by another program. **Wall** is the time
that the command took. The **ratio** is the median over that of the floor in the same run (for walls: over a playbook
with one `debug` task): absolute times hold on this machine only, the ratio is what counts.

"""
COLUMNS = "| case | n | min | median | max | ratio | wall (median) | lost |\n|---|---|---|---|---|---|---|---|"
SCALE = "continuity_scale_"
GROUPS = (
    ("Planned: seconds without an acknowledged write", "outage_seconds", "floor_planned"),
    ("Unplanned: seconds without an acknowledged write", "outage_seconds", "floor_killed"),
    ("Many services in one command: wall time in seconds", "wall_seconds", "continuity_scale_1"),
    ("Commands that move nothing: wall time in seconds", "wall_seconds", "ansible_debug_playbook"),
)


def write(results: Mapping[str, Any], path: Path, plot: Path) -> None:
    """Write the page and, beside it, its plot."""
    path.write_text(render(results, plot.name), encoding="utf-8")
    draw(results, plot)


def render(results: Mapping[str, Any], plot: str) -> str:
    """The whole page."""
    head = HEAD.format(rounds=results["rounds"])
    return "\n".join([head + f"![Outages of every case]({plot})", "", table(results), _parts(results), _about(results)])


def table(results: Mapping[str, Any]) -> str:
    """Every case in its group."""
    text = []
    for title, measure, floor in GROUPS:
        lines = [
            _line(name, case, measure)
            for name, case in results["cases"].items()
            if case["measure"] == measure and case["floor"] == floor
        ]
        if lines:
            text += [f"## {title}", "", COLUMNS, *lines, *_cost_of_one(results["cases"], floor), ""]
    return "\n".join(text)


def _cost_of_one(cases: Mapping[str, Any], floor: str) -> list[str]:
    """What each further service costs, between the fewest and the most that were moved at once."""
    counts = {int(name.removeprefix(SCALE)): case for name, case in cases.items() if name.startswith(SCALE)}
    walls = {count: case["wall_seconds"]["median"] for count, case in counts.items() if "wall_seconds" in case}
    if not floor.startswith(SCALE) or len(walls) < 2:
        return []
    fewest, most = min(walls), max(walls)
    each = (walls[most] - walls[fewest]) / (most - fewest)
    return ["", f"Each further service costs {each:.2f} s (from {fewest} to {most})."]


def _line(name: str, case: Mapping[str, Any], measure: str) -> str:
    """One row; what was not measured is a dash."""
    found = case.get(measure)
    numbers = [f"{found[key]:.2f}" for key in ("min", "median", "max")] if found else ["-"] * 3
    wall = f"{case['wall_seconds']['median']:.2f}" if "wall_seconds" in case else "-"
    ratio = "-" if case["ratio"] is None else f"{case['ratio']:.2f}"
    count = found["n"] if found else 0
    cells = [f"{case['title']} (`{name}`)", str(count), *numbers, ratio, wall, str(case.get("lost", "-"))]
    return f"| {' | '.join(cells)} |"


def _parts(results: Mapping[str, Any]) -> str:
    """The parts of the floor, and the phases that our own reports tell."""
    rows = [(case["title"], case["parts_ms"]) for case in results["cases"].values() if case.get("parts_ms")]
    if not rows:
        return ""
    lines = [f"- {title}: {', '.join(f'{part} {took:g}' for part, took in parts.items())}" for title, parts in rows]
    return "\n".join(["## Parts (ms, median)", "", *lines, ""])


def _about(results: Mapping[str, Any]) -> str:
    """What it was measured on."""
    about = results["machine"]
    loads = [
        one["load_average"] for case in results["cases"].values() for one in case["samples"] if "load_average" in one
    ]
    absent = [f"- {name} is not in the table: {why}" for name, why in results["not_installed"].items()]
    return "\n".join(
        [
            "## Measured on",
            "",
            f"- {results['started']} to {results['finished']}, order by seed {results['seed']}",
            f"- {about['processor']}, {about['cores']} cores, {about['memory_mb']} MB, Linux {about['kernel']}",
            f"- load average before the samples: {min(loads, default=0):g} to {max(loads, default=0):g};"
            f" other programs at the start: {', '.join(about['running']) or 'none above 5 %'}",
            f"- {', '.join(f'{name} {value}' for name, value in about['versions'].items())}",
            *(f"- {name}: {value}" for name, value in results["peers"].items()),
            *absent,
            "",
        ]
    )
