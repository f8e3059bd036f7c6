# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/benchmarks_restore.md, rendered from restore.json and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What of pgBackRest's settings decides how long it takes
SETTINGS = ("archive-async", "compress-type", "process-max", "start-fast")
HEAD = """# Restore and backup beside bare pgBackRest

`make bench-restore` measured this, {rounds} repetitions of each case in turn, on one machine and without SSH. The page
is rendered from `benchmarks/restore.json`, which also keeps every sample; `benchmarks/README.md` tells how it is made.

A backup of {size:.1f} GiB ({repository:.1f} in the repository) and {log:.2f} GiB of later log are restored by hand
(`pgbackrest restore`, then a server that recovers to the archive's end) and by the verb, from the same set, each with a
cold repository. The verb then verifies what it restored: every row counted and dumped, every page checked. That is
shown by itself and is not compared, since by hand nothing is verified. **Compared** is the wall time of the whole
command without the verification; what it has besides copy and recovery is Ansible, its questions and the report. The
**ratio** is the median over that of the line by hand: absolute times hold on this machine only. What is not
copied costs the same few seconds whatever the size, so smaller databases have a larger ratio.

"""
#: Which of the parts each table shows, with the part's title
TABLES = {
    "restore": (
        "Restore: seconds",
        {"copy": "copy", "recovery": "recovery", "verification": "verification", "wall": "all"},
    ),
    "backup": ("Backup: seconds", {"wall": "all"}),
}


def render(results: Mapping[str, Any], goal: float) -> str:
    """The whole page."""
    sizes = {name: results[f"{name}_bytes"] / 2**30 for name in ("size", "repository", "log")}
    head = HEAD.format(rounds=results["rounds"], **sizes)
    return "\n".join([head + _judged(results, goal), tables(results), _raw(results), _about(results)])


def _judged(results: Mapping[str, Any], goal: float) -> str:
    """Whether the goal was reached, and whether the machine was free to tell."""
    ratio = results["cases"]["continuity_restore"]["ratios"].get("compared")
    word = "not measured" if ratio is None else "reached" if ratio <= goal else "**missed**"
    lines = [f"The goal of {goal:g} for a restore: {word}{'' if ratio is None else f', {ratio:.2f}'}.{_spent(results)}"]
    least, most = _loads(results)
    if most > results["machine"]["cores"]:
        lines.append(
            f"Other programs were busy on this machine (load average {least:g} to {most:g} on"
            f" {results['machine']['cores']} cores): the ratios are less certain than on one that does nothing else."
        )
    return "\n".join([*lines, ""])


def _spent(results: Mapping[str, Any]) -> str:
    """Where the seconds go that the verb takes more than the line by hand; nothing where they were not measured."""
    bare, ours = (results["cases"][f"{who}_restore"]["seconds"] for who in ("bare", "continuity"))
    parts = ("compared", "copy", "recovery")
    if not all(part in seconds for part in parts for seconds in (bare, ours)):
        return ""
    whole, copy, recovery = (ours[part]["median"] - bare[part]["median"] for part in parts)
    return (
        f" Of the {whole:.1f} s more, the copy with the questions before it takes {copy:.1f}, the recovery"
        f" {recovery:.1f}, and Ansible, the decision and the report {whole - copy - recovery:.1f} (of medians)."
    )


def _loads(results: Mapping[str, Any]) -> tuple[float, float]:
    """The lowest and the highest load before a sample."""
    loads = [sample["load_average"] for case in results["cases"].values() for sample in case["samples"]]
    return min(loads), max(loads)


def tables(results: Mapping[str, Any]) -> str:
    """Restores and backups, each beside its floor."""
    text = []
    for kind, (title, parts) in TABLES.items():
        text += [
            f"## {title}",
            "",
            f"| case | n | compared: min | median | max | ratio | {' | '.join(parts.values())} |",
        ]
        text.append(f"|---|---|---|---|---|---|{'---|' * len(parts)}")
        cases = {name: case for name, case in results["cases"].items() if name.endswith(f"_{kind}")}
        text += [*(_line(name, case, list(parts)) for name, case in cases.items()), ""]
    return "\n".join(text)


def _line(name: str, case: Mapping[str, Any], parts: list[str]) -> str:
    """One case: what is compared, then the median of each part; what was not measured is a dash."""
    seconds, ratio = case["seconds"], case["ratios"].get("compared")
    whole = seconds.get("compared")
    cells = [f"{case['title']} (`{name}`)", str(whole["n"] if whole else 0)]
    cells += [f"{whole[key]:.1f}" if whole else "-" for key in ("min", "median", "max")]
    cells.append("-" if ratio is None else f"{ratio:.2f}")
    cells += [f"{seconds[part]['median']:.1f}" if part in seconds else "-" for part in parts]
    return f"| {' | '.join(cells)} |"


def _raw(results: Mapping[str, Any]) -> str:
    """Every sample, in the order in which it was taken."""
    lines = ["## Raw times", "", "| case | round | load before | seconds |", "|---|---|---|---|"]
    for name, case in results["cases"].items():
        for sample in case["samples"]:
            said = ", ".join(f"{part} {value:.1f}" for part, value in sample.get("seconds", {}).items())
            told = said or "failed"
            lines.append(f"| `{name}` | {sample['round']} | {sample['load_average']:g} | {told} |")
    return "\n".join([*lines, ""])


def _about(results: Mapping[str, Any]) -> str:
    """What it was measured on."""
    about = results["machine"]
    return "\n".join(
        [
            "## Measured on",
            "",
            f"- {results['started']} to {results['finished']}",
            f"- {about['processor']}, {about['cores']} cores, {about['memory_mb']} MB, Linux {about['kernel']}",
            f"- load average at the start: {', '.join(f'{value:g}' for value in about['load_average'])};"
            f" other programs: {', '.join(about['running']) or 'none above 5 %'}",
            f"- {', '.join(f'{name} {value}' for name, value in about['versions'].items())}",
            f"- pgBackRest with `{'`, `'.join(results['settings'])}`",
            "",
        ]
    )
