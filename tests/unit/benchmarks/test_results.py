# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is published follows from the samples that are kept, and from nothing else."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cases, goals, guard, page, plot, results, verdict
from benchmarks.where import BOUNDS, CHECKOUT, PAGE, PLOT, RESULTS

README = CHECKOUT / "README.md"


def sample(outage: float, wall: float = 1.0, lost: int = 0) -> dict[str, Any]:
    return {"round": 1, "order": 1, "outage_seconds": outage, "wall_seconds": wall, "lost": lost, "load_average": 0.5}


@pytest.fixture
def run() -> dict[str, Any]:
    """A run as the benchmark writes it, of three cases."""
    return sample_run()


@pytest.fixture(params=["sample", "published"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """A run as it is read from a file: the sample, and what is published (make bench)."""
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


def test_each_goal_is_told_with_what_was_measured_and_its_limit(run: dict[str, Any]) -> None:
    text = page.render(run, "plot.svg")
    assert "| A planned move is no longer than 1.5 times the floor | 0.40 | 0.30 | **missed** |" in text
    assert "| and shorter than that of every peer | 0.40 | 0.60 | reached |" in text
    told = text.partition("Where the time goes where a goal was missed:")[2].partition("##")[0].strip().splitlines()
    assert [line.partition(":")[0] for line in told] == ["- A planned move is no longer than 1.5 times the floor"]
    assert "| A second run takes no longer than 1.6 times such a playbook | - | - | not measured |" in text


def test_the_goals_name_cases_that_there_are() -> None:
    ask = Asked(dict.fromkeys(cases.ALL, {}))
    for goal in goals.GOALS:
        assert goal.case in cases.ALL
        goal.judged(ask)
    assert {"floor_planned", "ansible_debug_playbook", "continuity_scale_1"} <= ask.names <= set(cases.ALL)


class Asked(dict[str, Any]):
    """Which cases were asked for; each has every measure."""

    def __init__(self, cases: dict[str, Any]) -> None:
        super().__init__(cases)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return {measure: {"median": 1.0} for measure in ("outage_seconds", "wall_seconds")}


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
    assert results.problems(run, ("patroni",)) == ["patroni: no case of it was measured"]
    text = page.render(run, "plot.svg")
    assert "repmgr is not in the table: no such package" in text
    assert "other is not in the table" in text


def test_a_later_run_stands_beside_an_earlier_one_and_the_page_says_so(run: dict[str, Any]) -> None:
    later = copy.deepcopy(run) | {"started": "days later", "finished": "done"}
    later["machine"]["versions"]["commit"] = "abc123"
    later["cases"] = results.with_ratios(
        {"one": results.case_entry("one more", "wall_seconds", "one", [{"round": 1, "order": 1, "wall_seconds": 2.0}])}
    )
    both = results.added(run, later)
    assert list(both["cases"]) == [*run["cases"], "one"]
    assert (both["started"], run.get("added")) == ("then", None)
    assert "- in a run of their own, days later to done, commit abc123: one" in page.render(both, "plot.svg")


def test_no_ratio_is_one_of_two_runs() -> None:
    kept = {"floor_planned": "floor_planned", "repmgr_switchover": "floor_planned"}
    assert results.apart({"many": "one", "one": "one"}, kept) == []
    assert results.apart({"many": "one"}, kept) == ["many: one is not measured with it"]
    again = results.apart({"floor_planned": "floor_planned"}, kept)
    assert again == ["floor_planned: it is the floor of repmgr_switchover, which would keep its earlier ratio"]


def test_where_the_time_goes_follows_from_the_samples(run: dict[str, Any]) -> None:
    parts = [{"fence": 100.0, "redirect": 20.0}, {"fence": 120.0, "redirect": 40.0}, {"fence": 300.0, "redirect": 30.0}]
    samples = [{**sample(0.5), "parts": each} for each in parts]
    run["cases"]["continuity_switchover"] = results.case_entry("ours", "outage_seconds", "floor_planned", samples)
    run["cases"] = results.with_ratios(run["cases"])
    text = page.render(run, "plot.svg")
    phases, rest = "the floor: Fence 0.12, redirect 0.03 s; ", "until the client writes again, 0.35 s (medians). "
    assert f"{phases}before and between them, {rest}" in text.replace("0.02,", "0.03,")
    assert f"(as of commit {goals.SPENT_AS_OF})." in text


def test_what_is_verified_after_the_first_write_is_no_part_of_the_outage_that_is_counted_to_it() -> None:
    """Without a window of the client's the phases begin with the run, and the last one ends long after it."""
    case = {"outage_seconds": {"median": 2.0}, "parts_ms": {"decide": 500.0, "verify": 900.0}}
    goal = goals.Goal("so", "x", "outage_seconds", lambda _cases: 1.0)
    (line,) = goals._spent(goal, case)
    assert "Decide 0.50 s; " in line and "writes again, 1.50 s" in line and "erify" not in line
    (line,) = goals._spent(goal, {**case, "parts_ms": {**case["parts_ms"], "client": 100.0}})
    assert "verify 0.90, client 0.10 s; " in line and "writes again, 0.50 s" in line


def test_many_services_are_told_with_each_ones_outage_and_what_the_controller_took(run: dict[str, Any]) -> None:
    cost = {"cpu_seconds": 12.0, "largest_mb": 80.4, "total_mb": 400.0}
    many = {"wall_seconds": 9.0, "outages": {"s01": 0.4, "s02": 0.2, "s03": 0.6}, "lost": 0, "controller": cost}
    again = {
        **many,
        "outages": {"s01": 1.0, "s02": 0.5, "s03": 0.5},
        "lost": 2,
        "controller": {**cost, "cpu_seconds": 14.0},
    }
    entry = results.case_entry("three services", "wall_seconds", "continuity_scale_1", [many, again])
    run["cases"] = results.with_ratios({**run["cases"], "continuity_scale_3": entry})
    text = page.render(run, "plot.svg")
    assert "- three services: 0.20 to 1.00 s, median 0.50" in text
    assert "| `continuity_scale_3` | 13.00 | 80 | 400 |" in text
    assert "`floor_planned` | 13" not in text
    assert results.problems(run, ()) == ["continuity_scale_3: 2 acknowledged rows lost in a planned move"]


def test_what_a_kill_lost_is_told_and_no_problem(run: dict[str, Any]) -> None:
    entry = results.case_entry("ours", "outage_seconds", "floor_killed", [sample(2.0, lost=1)])
    run["cases"] = results.with_ratios({**run["cases"], "continuity_failover_killed": entry})
    assert results.problems(run, ()) == []
    assert "(`continuity_failover_killed`) | 1 | 2.00 | 2.00 | 2.00 | - | 1.00 | 1 |" in page.render(run, "plot.svg")


def test_the_page_tells_of_the_cache_what_these_results_measured(run: dict[str, Any]) -> None:
    assert "one client alone fills it" in page.render(run, "plot.svg")
    assert "drawn by the run's seed" in page.render({**run, "schema": 2}, "plot.svg")


GOAL_LIMITS = {  # of a debug playbook of 1 s, a floor of 0.1 s, a peer of 0.5 s and one service in 2 s
    "continuity_switchover outage_seconds": [0.15, 0.5],
    "continuity_switchover lost": [0.0],
    "continuity_failover_killed outage_seconds": [2.0],
    "continuity_failover_host_gone outage_seconds": [5.0],
    "continuity_nothing_to_do wall_seconds": [1.6],
    "continuity_scale_50 wall_seconds": [16.0],
    "plan_of_5000_services wall_seconds": [3.0],
}


def test_each_goal_has_its_limit_from_the_same_run_and_is_reached_at_it_and_missed_above() -> None:
    known: dict[str, Any] = {
        "ansible_debug_playbook": {"wall_seconds": {"median": 1.0}},
        "floor_planned": {"outage_seconds": {"median": 0.1}},
        "floor_killed": {"outage_seconds": {"median": 0.05}},
        "repmgr_switchover": {"outage_seconds": {"median": 0.5}},
        "patroni_switchover": {"outage_seconds": {"median": 0.9}},
        "pg_auto_failover_switchover": {},
        "continuity_scale_1": {"wall_seconds": {"median": 2.0}},
    }
    limits: dict[str, list[float]] = {}
    for goal in goals.GOALS:
        at = goal.limit(known)
        limits.setdefault(f"{goal.case} {goal.measure}", []).append(round(at, 6))
        for value, state in ((at, "reached"), (at + 0.01, "**missed**")):
            own = {goal.measure: value if goal.measure == "lost" else {"median": value}}
            table = goals.table({**known, goal.case: own})
            assert f"| {goal.text} | {value:.2f} | {at:.2f} | {state} |" in table
    assert limits == GOAL_LIMITS


def test_a_planned_move_that_loses_rows_is_a_problem_and_misses_a_goal(run: dict[str, Any]) -> None:
    assert "| and loses nothing (rows) | 0.00 | 0.00 | reached |" in page.render(run, "plot.svg")
    samples = [sample(0.3), sample(0.3, lost=2), sample(0.3)]
    run["cases"]["continuity_switchover"] = results.case_entry("ours", "outage_seconds", "floor_planned", samples)
    run["cases"] = results.with_ratios(run["cases"])
    assert results.problems(run, ()) == ["continuity_switchover: 2 acknowledged rows lost in a planned move"]
    assert "| and loses nothing (rows) | 2.00 | 0.00 | **missed** |" in page.render(run, "plot.svg")


def test_a_case_that_always_failed_says_so_on_the_page(run: dict[str, Any]) -> None:
    failed = [{"round": 1, "order": 1, "failed": "NotServed: by nobody"}]
    run["cases"]["continuity_switchover"] = results.case_entry("ours", "outage_seconds", "floor_planned", failed)
    run["cases"] = results.with_ratios(run["cases"])
    text = page.render(run, "plot.svg")
    assert "| ours (`continuity_switchover`) | 0 (1 failed) | - | - | - | - | - | - |" in text
    assert "| A planned move is no longer than 1.5 times the floor | - | - | **failed** |" in text


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


def test_nothing_failed_and_every_bound_holds() -> None:
    published = results.read(RESULTS)
    assert results.problems(published, cases.NEEDED_PEERS) == []
    bounds = guard.read_bounds(BOUNDS)
    samples = {name: published["cases"][name]["samples"] for name in verdict.cases(bounds)}
    planned = [name for name in samples if cases.ALL[name].floor == "floor_planned"]
    assert verdict.missing(samples, bounds, guard.LEAST_ROUNDS, planned) == []
    assert [str(one) for one in verdict.judged(samples, bounds) if one.passed] == []


def test_results_page_and_plot_are_published_together_and_the_page_says_what_the_results_say() -> None:
    files = {RESULTS, PAGE, PLOT}
    there = {path for path in files if path.is_file()}
    assert there == files, "make bench writes all three"
    assert PAGE.read_text(encoding="utf-8") == page.render(results.read(RESULTS), PLOT.name)


#: The numbers in the README's sentence, in their order.
TOLD = (
    "continuity_switchover",
    "floor_planned",
    "pg_auto_failover_switchover",
    "repmgr_switchover",
    "patroni_switchover",
    "continuity_failover_killed",
    "playbook_tuned_killed",
    "patroni_failover_killed",
)


def test_the_readme_tells_what_was_measured() -> None:
    measured = results.read(RESULTS)["cases"]
    sentence = README.read_text(encoding="utf-8").partition("Measured beside others")[2].partition("\n\n")[0]
    told = re.findall(r"\b\d+\.\d\d\b", sentence)
    assert told == [f"{measured[name]['outage_seconds']['median']:.2f}" for name in TOLD]
