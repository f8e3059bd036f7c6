# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Unreachable is not fenced. Only an operator who isolated the machine may say so, and it is written down."""

from __future__ import annotations

from collections.abc import Callable

from harness import Result


def test_the_machine_that_cannot_be_reached_is_named(refused: Callable[..., tuple[str, str]]) -> None:
    measured, limit = refused("old_primary_unfenced", "payments-db")
    assert measured.startswith("db1 cannot be reached")
    assert limit.startswith("proof that it takes no writes")


def test_a_dead_machine_costs_its_bound_of_three_seconds_once(said: dict[str, Result]) -> None:
    assert max(run.seconds for run in said.values()) < 9


def test_waived_by_name_with_a_reason_it_goes_on_and_the_report_says_so(
    verb: Callable[..., Result], said: dict[str, Result], answers: Callable[[str], set[str]]
) -> None:
    refused = said["second"].report["run_id"]
    word = ("waive=old_primary_unfenced", f"confirm={refused}", '{"reason": "powered off by hand"}')
    run = verb("failover", "scope=payments", "target_site=dc2", *word)
    assert run.rc == 0, run.output
    assert [waiver["rule"] for waiver in run.service("payments-db")["waivers"]] == ["old_primary_unfenced"]
    assert run.report["inputs"]["reason"] == "powered off by hand"
    assert answers("payments-db") == {"203.0.113.11"}
