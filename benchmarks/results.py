# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""results.json: every sample as it was taken, and the numbers that follow from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import figures


def case_entry(title: str, measure: str, floor: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """One case as it stands in the file, its ratio still open."""
    return {
        "title": title,
        "measure": measure,
        "floor": floor,
        **figures.summarise([sample for sample in samples if "failed" not in sample]),
        "samples": samples,
    }


def with_ratios(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The cases with each one's ratio to its floor in the same run."""
    return {name: {**case, "ratio": figures.ratio(cases, name)} for name, case in cases.items()}


def recomputed(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The same cases from their samples alone; equal to what the file says, or the file was touched."""
    anew = {
        name: case_entry(case["title"], case["measure"], case["floor"], list(case["samples"]))
        for name, case in cases.items()
    }
    return with_ratios(anew)


def problems(results: Mapping[str, Any], needed_peers: tuple[str, ...]) -> list[str]:
    """Why a run is not one to publish; empty when it is."""
    found = [
        f"{peer} could not be installed: {why}"
        for peer, why in results["not_installed"].items()
        if peer in needed_peers
    ]
    for name, case in results["cases"].items():
        failed = [sample["failed"] for sample in case["samples"] if "failed" in sample]
        if failed:
            found.append(f"{name}: {len(failed)} of {len(case['samples'])} repetitions failed: {failed[0][:300]}")
    return found


def above_bounds(cases_measured: Mapping[str, Mapping[str, Any]], bounds: Mapping[str, float]) -> list[str]:
    """One line for every bound that was passed, or that could not be checked; empty when all is well.

    >>> above_bounds({"a": {"ratio": 2.1}}, {"a": 2.0})
    ['a: 2.1 times its floor, the bound is 2']
    """
    found = []
    for name, bound in bounds.items():
        value = cases_measured.get(name, {}).get("ratio")
        if value is None:
            found.append(f"{name}: not measured, so the bound of {bound:g} could not be checked")
        elif value > bound:
            found.append(f"{name}: {value:g} times its floor, the bound is {bound:g}")
    return found


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Keep it, in one move: a run that is broken off leaves the last whole one."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    new.replace(path)


def read(path: Path) -> dict[str, Any]:
    """What was kept."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
