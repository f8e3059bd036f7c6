# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the samples to medians and ratios. Pure: no clock, no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.figures import summary


def compared(seconds: Mapping[str, float]) -> dict[str, float]:
    """One sample with what is compared: everything but the verification, which bare pgBackRest does not do.

    >>> compared({"wall": 10.0, "verification": 4.0})
    {'wall': 10.0, 'verification': 4.0, 'compared': 6.0}
    """
    return {**seconds, "compared": seconds["wall"] - seconds.get("verification", 0.0)}


def entry(title: str, floor: str, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One case: each of its parts over all samples, which stay beside them. What failed is told and not counted."""
    measured = [compared(sample["seconds"]) for sample in samples if "failed" not in sample]
    names = list(dict.fromkeys(name for seconds in measured for name in seconds))
    parts = {name: summary([seconds[name] for seconds in measured]) for name in names}
    return {"title": title, "floor": floor, "seconds": parts, "samples": list(samples)}


def with_ratios(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Each case with its medians over those of its floor, part by part."""
    return {name: {**case, "ratios": _ratios(case, cases[case["floor"]])} for name, case in cases.items()}


def _ratios(case: Mapping[str, Any], floor: Mapping[str, Any]) -> dict[str, float]:
    ours, theirs = case["seconds"], floor["seconds"]
    return {
        name: round(ours[name]["median"] / theirs[name]["median"], 3)
        for name in ("compared", "copy", "recovery")
        if name in ours and name in theirs
    }


def recomputed(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The same cases from their samples alone; equal to what the file says, or the file was touched."""
    return with_ratios({name: entry(case["title"], case["floor"], case["samples"]) for name, case in cases.items()})


def problems(cases: Mapping[str, Mapping[str, Any]], goals: Mapping[str, float]) -> list[str]:
    """Why a run is not as it should be: what failed, and each goal that was missed or could not be compared."""
    found = []
    for name, case in cases.items():
        failed = [sample["failed"] for sample in case["samples"] if "failed" in sample]
        if failed:
            found.append(f"{name}: {len(failed)} of {len(case['samples'])} repetitions failed: {failed[0][:300]}")
    for name, goal in goals.items():
        ratio = cases[name]["ratios"].get("compared") if name in cases else None
        if ratio is None:
            found.append(f"{name}: not measured, so its goal of {goal:g} could not be checked")
        elif ratio > goal:
            found.append(f"{name}: {ratio:g} times its floor, the goal is {goal:g}")
    return found
