# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""results.json: every sample as it was taken, and the numbers that follow from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import figures

OURS, KILLED = "continuity_", "floor_killed"


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
        if name.startswith(OURS) and case["floor"] != KILLED and case.get("lost"):
            found.append(f"{name}: {case['lost']} acknowledged rows lost in a planned move")
    missing = [peer for peer in needed_peers if not any(name.startswith(peer) for name in results["cases"])]
    return found + [f"{peer}: no case of it was measured" for peer in missing if peer not in results["not_installed"]]


def added(kept: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """A later run's cases beside those of an earlier one; the page says which and when. See ``apart``."""
    about = {
        "cases": list(run["cases"]),
        "started": run["started"],
        "finished": run["finished"],
        "commit": run["machine"]["versions"]["commit"],
    }
    return {**kept, "cases": {**kept["cases"], **run["cases"]}, "added": [*kept.get("added", ()), about]}


def apart(floors: Mapping[str, str], kept: Mapping[str, str]) -> list[str]:
    """Why cases, each with its floor, cannot be added to those that are kept: no ratio may be one of two runs.

    >>> apart({"many": "one", "one": "one", "move": "by_hand"}, {"many": "one"})
    ['move: by_hand is not measured with it']
    >>> apart({"one": "one"}, {"many": "one", "one": "one"})
    ['one: it is the floor of many, which would keep its earlier ratio']
    """
    alone = [f"{name}: {floor} is not measured with it" for name, floor in floors.items() if floor not in floors]
    return alone + [
        f"{floor}: it is the floor of {name}, which would keep its earlier ratio"
        for name, floor in kept.items()
        if floor in floors and name not in floors
    ]


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Keep it, in one move: a run that is broken off leaves the last whole one."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    new.replace(path)


def read(path: Path) -> dict[str, Any]:
    """What was kept."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
