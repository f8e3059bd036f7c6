# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/benchmarks.md and its plot, rendered from results.json and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import goals
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

{cache}
Where a machine is gone, the client waits 1 s for each connection to it, so those outages come in steps.

"""
#: What the case with the caching resolver shows, by the schema of the results: it was measured differently before.
CACHE = {
    1: """Beside other clients a resolver's cache is of any age; here one client alone fills it, some seconds before the
primary stops, so that case shows what was left of the TTL of 5 s. At worst it is the whole of it.""",
    2: """Behind a caching resolver a client learns of the new primary when the record's TTL of 5 s is over. Others keep
that cache full, and each repetition begins at an age of the record that is drawn by the run's seed: the outage is that
of a client which asks the name servers, or what is left of the TTL, between nothing and the whole 5 s. So its median
says little, and its maximum is what to expect. A move that was prepared with a `move_ttl` in
the plan lowers that maximum.""",
}
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
    head = HEAD.format(rounds=results["rounds"], cache=CACHE[results.get("schema", 1)])
    plotted = f"{head}![Outages of every case]({plot})"
    measured = [goals.table(results["cases"]), table(results), _parts(results), _controller(results)]
    return "\n".join([plotted, "", *(text for text in measured if text), _about(results)])


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
            more = [*_cost_of_one(results["cases"], floor), *_own_outages(results["cases"], floor)]
            text += [f"## {title}", "", COLUMNS, *lines, *more, ""]
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


def _own_outages(cases: Mapping[str, Any], floor: str) -> list[str]:
    """How long each of many services was away, whatever the whole command took."""
    counts = [case for case in cases.values() if case["floor"] == floor and "service_outage_seconds" in case]
    lines = [
        f"- {case['title']}: {seen['min']:.2f} to {seen['max']:.2f} s, median {seen['median']:.2f}"
        for case in counts
        if (seen := case["service_outage_seconds"])
    ]
    return (
        ["", "Each service's own outage, seen by a client of its own (5 rows a second):", "", *lines] if lines else []
    )


def _line(name: str, case: Mapping[str, Any], measure: str) -> str:
    """One row; what was not measured is a dash."""
    found = case.get(measure)
    numbers = [f"{found[key]:.2f}" for key in ("min", "median", "max")] if found else ["-"] * 3
    wall = f"{case['wall_seconds']['median']:.2f}" if "wall_seconds" in case else "-"
    ratio = "-" if case["ratio"] is None else f"{case['ratio']:.2f}"
    failed = sum("failed" in sample for sample in case["samples"])
    count = f"{found['n'] if found else 0}" + (f" ({failed} failed)" if failed else "")
    cells = [f"{case['title']} (`{name}`)", count, *numbers, ratio, wall, str(case.get("lost", "-"))]
    return f"| {' | '.join(cells)} |"


def _parts(results: Mapping[str, Any]) -> str:
    """The parts of the floor, and the phases that our own reports tell."""
    rows = [(case["title"], case["parts_ms"]) for case in results["cases"].values() if case.get("parts_ms")]
    if not rows:
        return ""
    lines = [f"- {title}: {', '.join(f'{part} {took:g}' for part, took in parts.items())}" for title, parts in rows]
    return "\n".join(["## Parts (ms, median)", "", *lines, ""])


def _controller(results: Mapping[str, Any]) -> str:
    """Processor and memory of the machine that Ansible runs on."""
    rows = [(name, case["controller"]) for name, case in results["cases"].items() if case.get("controller")]
    if not rows:
        return ""
    lines = [
        f"| `{name}` | {cost['cpu_seconds']:.2f} | {cost['largest_mb']:.0f} |"
        f" {format(cost['total_mb'], '.0f') if 'total_mb' in cost else '-'} |"
        for name, cost in rows
    ]
    head = [
        *("## The controller (median)", ""),
        "Processor seconds of `ansible-playbook` and its children, the peak of its largest process, and where many"
        " services were moved the peak of all of them together (shared pages once), looked at each second.",
        *("", "| case | CPU (s) | largest process (MB) | all processes (MB) |", "|---|---|---|---|"),
    ]
    return "\n".join([*head, *lines, ""])


def _about(results: Mapping[str, Any]) -> str:
    """What it was measured on."""
    about = results["machine"]
    loads = [
        one["load_average"] for case in results["cases"].values() for one in case["samples"] if "load_average" in one
    ]
    later = [
        f"- in a run of their own, {one['started']} to {one['finished']}, commit {one['commit']}:"
        f" {', '.join(one['cases'])}"
        for one in results.get("added", ())
    ]
    absent = [f"- {name} is not in the table: {why}" for name, why in results["not_installed"].items()]
    return "\n".join(
        [
            "## Measured on",
            "",
            f"- {results['started']} to {results['finished']}, order by seed {results['seed']}",
            *later,
            f"- {about['processor']}, {about['cores']} cores, {about['memory_mb']} MB, Linux {about['kernel']}",
            f"- load average before the samples: {min(loads, default=0):g} to {max(loads, default=0):g};"
            f" other programs at the start: {', '.join(about['running']) or 'none above 5 %'}",
            f"- {', '.join(f'{name} {value}' for name, value in about['versions'].items())}",
            *(f"- {name}: {value}" for name, value in results["peers"].items()),
            *absent,
            "",
        ]
    )
