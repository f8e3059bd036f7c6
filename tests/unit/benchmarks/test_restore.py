# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is published of restores and backups follows from the samples that are kept, and from nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import results
from benchmarks.restore import GOALS, PAGE, RESULTS, figures, page

VERBS: dict[str, float] = results.read(GOALS)["verbs"]


def sample(number: int, wall: float, copied: float, proof: float | None = None) -> dict[str, Any]:
    more = {} if proof is None else {"verification": proof}
    seconds = {"wall": wall, "copy": copied, "recovery": 2.0, **more}
    return {"round": number, "order": 1, "load_average": 0.5, "seconds": seconds}


def sample_run() -> dict[str, Any]:
    entries = {
        "bare_restore": figures.entry("by hand", "bare_restore", [sample(1, 10.0, 8.0), sample(2, 12.0, 10.0)]),
        "continuity_restore": figures.entry(
            "the verb", "bare_restore", [sample(1, 17.0, 9.0, 5.0), sample(2, 18.0, 9.0, 6.0)]
        ),
        "bare_backup": figures.entry("by hand", "bare_backup", [{**sample(1, 0, 0), "seconds": {"wall": 4.0}}]),
        "continuity_backup": figures.entry("the verb", "bare_backup", [{**sample(1, 0, 0), "seconds": {"wall": 5.0}}]),
    }
    return {
        "rounds": 2,
        "started": "then",
        "finished": "later",
        "size_bytes": 5 << 30,
        "repository_bytes": 3 << 30,
        "log_bytes": 1 << 29,
        "machine": {
            "cores": 2,
            "memory_mb": 1024,
            "kernel": "6.1",
            "processor": "one",
            "load_average": [0.1, 0.2, 0.3],
            "running": [],
            "versions": {"pgbackrest": "2.45"},
        },
        "settings": ["process-max=2"],
        "cases": figures.with_ratios(entries),
    }


@pytest.fixture(params=["sample", *(["published"] if RESULTS.is_file() else [])])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """A run as it is read from a file: the sample, and what is published where something is (make bench-restore)."""
    path = RESULTS
    if request.param == "sample":
        path = tmp_path / "restore.json"
        path.write_text(json.dumps(sample_run()), encoding="utf-8")
    return results.read(path)


def test_the_verification_is_shown_and_not_compared() -> None:
    cases = sample_run()["cases"]
    assert cases["continuity_restore"]["seconds"]["compared"] == {"min": 12.0, "median": 12.0, "max": 12.0, "n": 2}
    assert cases["continuity_restore"]["ratios"] == {"compared": 1.091, "copy": 1.0, "recovery": 1.0}
    assert cases["continuity_backup"]["ratios"] == {"compared": 1.25}
    text = page.render(sample_run(), VERBS["continuity_restore"])
    assert "| the verb (`continuity_restore`) | 2 | 12.0 | 12.0 | 12.0 | 1.09 | 9.0 | 2.0 | 5.5 | 17.5 |" in text


def test_medians_and_ratios_follow_from_the_samples(written: dict[str, Any]) -> None:
    assert figures.recomputed(written["cases"]) == written["cases"]


@pytest.mark.parametrize("part", ["wall", "copy", "verification"])
def test_a_sample_that_was_touched_is_found(part: str) -> None:
    touched = copy.deepcopy(sample_run()["cases"])
    touched["continuity_restore"]["samples"][0]["seconds"][part] -= 1.0
    assert figures.recomputed(touched) != touched


def test_every_repetition_went_well_and_the_database_is_big_enough(written: dict[str, Any]) -> None:
    assert figures.problems(written["cases"], {}) == []
    assert written["size_bytes"] >= 5 << 30


def test_a_repetition_that_failed_and_a_goal_that_was_missed_are_told() -> None:
    cases = sample_run()["cases"]
    failed = [*cases["continuity_restore"]["samples"], {"round": 3, "order": 1, "failed": "VerbFailed: no"}]
    cases["continuity_restore"] = figures.entry("the verb", "bare_restore", failed)
    assert figures.problems(figures.with_ratios(cases), {"continuity_restore": 1.0, "bare": 2.0}) == [
        "continuity_restore: 1 of 3 repetitions failed: VerbFailed: no",
        "continuity_restore: 1.091 times its floor, the goal is 1",
        "bare: not measured, so its goal of 2 could not be checked",
    ]


@pytest.mark.parametrize(("goal", "said"), [(1.15, "reached, 1.09"), (1.05, "**missed**, 1.09")])
def test_the_page_says_whether_the_goal_was_reached(goal: float, said: str) -> None:
    text = page.render(sample_run(), goal)
    assert f"The goal of {goal:g} for a restore: {said}." in text
    assert "Of the 1.0 s more, the copy with the questions before it takes 0.0, the recovery 0.0, and Ansible" in text


def test_a_busy_machine_is_told() -> None:
    run = sample_run()
    assert "Other programs were busy" not in page.render(run, 1.15)
    run["cases"]["bare_backup"]["samples"][0]["load_average"] = 2.5
    assert "(load average 0.5 to 2.5 on 2 cores)" in page.render(run, 1.15)


def test_where_everything_failed_there_is_a_page_and_no_number() -> None:
    run = sample_run()
    nothing = figures.entry("the verb", "bare_restore", [{"round": 1, "load_average": 0.5, "failed": "VerbFailed: no"}])
    run["cases"] = figures.with_ratios({**run["cases"], "continuity_restore": nothing})
    text = page.render(run, 1.15)
    assert "| the verb (`continuity_restore`) | 0 | - | - | - | - | - | - | - | - |" in text
    assert "| `continuity_restore` | 1 | 0.5 | failed |" in text and "restore: not measured." in text
    assert figures.problems(run["cases"], VERBS)[-1].endswith("its goal of 1.15 could not be checked")


def test_results_and_page_are_published_together_and_the_page_says_what_the_results_say() -> None:
    assert RESULTS.is_file() == PAGE.is_file(), "make bench-restore writes both"
    if RESULTS.is_file():
        assert PAGE.read_text(encoding="utf-8") == page.render(results.read(RESULTS), VERBS["continuity_restore"])
