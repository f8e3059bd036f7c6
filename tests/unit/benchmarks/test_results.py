# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is published follows from the samples that are kept, and from nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import page, plot, results
from benchmarks.where import BOUNDS, PAGE, PLOT, RESULTS


def sample(outage: float, wall: float = 1.0, lost: int = 0) -> dict[str, Any]:
    return {"round": 1, "order": 1, "outage_seconds": outage, "wall_seconds": wall, "lost": lost, "load_average": 0.5}


@pytest.fixture
def run() -> dict[str, Any]:
    """A run as the benchmark writes it, of three cases."""
    return sample_run()


@pytest.fixture(params=["sample", *(["published"] if RESULTS.is_file() else [])])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """A run as it is read from a file: the sample, and what is published where something is (make bench)."""
    path = RESULTS
    if request.param == "sample":
        path = tmp_path / "results.json"
        path.write_text(json.dumps(sample_run()), encoding="utf-8")
    return results.read(path)


def sample_run() -> dict[str, Any]:
    entries = {
        "floor_planned": results.case_entry(
            "the floor", "outage_seconds", "floor_planned", [sample(0.2), sample(0.1), sample(0.3)]
        ),
        "peer_switchover": results.case_entry(
            "a peer", "outage_seconds", "floor_planned", [sample(0.5, 3.0), sample(0.9, 4.0), sample(0.6, 5.0)]
        ),
        "continuity_switchover": results.case_entry(
            "this collection", "outage_seconds", "floor_planned", [sample(0.3), sample(0.4), sample(0.5)]
        ),
    }
    return {
        "rounds": 3,
        "seed": 1,
        "started": "then",
        "finished": "later",
        "machine": {
            "cores": 2,
            "memory_mb": 1024,
            "kernel": "6.1",
            "processor": "one",
            "running": [],
            "versions": {"python": "3.13"},
        },
        "peers": {"peer": "peer 1.0"},
        "not_installed": {},
        "cases": results.with_ratios(entries),
    }


def test_the_table_shows_median_min_max_and_the_ratio(run: dict[str, Any]) -> None:
    assert "| a peer (`peer_switchover`) | 3 | 0.50 | 0.60 | 0.90 | 3.00 | 4.00 | 0 |" in page.render(run, "plot.svg")


def test_a_number_that_does_not_follow_from_the_samples_is_found(run: dict[str, Any]) -> None:
    assert results.recomputed(run["cases"]) == run["cases"]
    touched = copy.deepcopy(run)
    touched["cases"]["peer_switchover"]["outage_seconds"]["median"] = 0.4
    assert results.recomputed(touched["cases"]) != touched["cases"]


def test_a_repetition_that_failed_is_told_and_not_counted(run: dict[str, Any]) -> None:
    samples = [*run["cases"]["peer_switchover"]["samples"], {"round": 4, "order": 2, "failed": "NotServed: by nobody"}]
    run["cases"]["peer_switchover"] = results.case_entry("a peer", "outage_seconds", "floor_planned", samples)
    assert run["cases"]["peer_switchover"]["outage_seconds"]["n"] == 3
    assert results.problems(run, ()) == ["peer_switchover: 1 of 4 repetitions failed: NotServed: by nobody"]


def test_a_peer_that_is_needed_and_absent_is_a_problem_and_named_on_the_page(run: dict[str, Any]) -> None:
    run["not_installed"] = {"repmgr": "no such package", "other": "no such package either"}
    assert results.problems(run, ("repmgr",)) == ["repmgr could not be installed: no such package"]
    text = page.render(run, "plot.svg")
    assert "repmgr is not in the table: no such package" in text
    assert "other is not in the table" in text


def test_a_bound_is_passed_or_cannot_be_checked(run: dict[str, Any]) -> None:
    bounds = {"peer_switchover": 3.0, "floor_planned": 0.9, "nobody": 2.0}
    assert results.above_bounds(run["cases"], bounds) == [
        "floor_planned: 1 times its floor, the bound is 0.9",
        "nobody: not measured, so the bound of 2 could not be checked",
    ]


def test_the_cost_of_a_further_service_is_told(run: dict[str, Any]) -> None:
    for count, wall in ((1, 4.0), (10, 7.0), (50, 28.5)):
        one = {"round": 1, "order": 1, "wall_seconds": wall, "parts": {}, "load_average": 0.5}
        run["cases"][f"continuity_scale_{count}"] = results.case_entry(
            f"{count} services", "wall_seconds", "continuity_scale_1", [one]
        )
    run["cases"] = results.with_ratios(run["cases"])
    text = page.render(run, "plot.svg")
    assert "Each further service costs 0.50 s (from 1 to 50)." in text
    assert "| 50 services (`continuity_scale_50`) | 1 | 28.50 | 28.50 | 28.50 | 7.12 | 28.50 | - |" in text


def test_the_plot_is_the_same_for_the_same_results(run: dict[str, Any], tmp_path: Path) -> None:
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    plot.draw(run, first)
    plot.draw(run, second)
    assert first.read_bytes() == second.read_bytes()
    assert b"peer" in first.read_bytes()


def test_the_numbers_follow_from_the_samples(written: dict[str, Any]) -> None:
    assert results.recomputed(written["cases"]) == written["cases"]


def test_nothing_failed_and_every_bound_holds(written: dict[str, Any]) -> None:
    assert results.problems(written, ("repmgr", "patroni")) == []
    assert results.above_bounds(written["cases"], results.read(BOUNDS)) == []


def test_results_page_and_plot_are_published_together_and_the_page_says_what_the_results_say() -> None:
    files = {RESULTS, PAGE, PLOT}
    there = {path for path in files if path.is_file()}
    assert there in (set(), files), "make bench writes all three"
    if there:
        assert PAGE.read_text(encoding="utf-8") == page.render(results.read(RESULTS), PLOT.name)
