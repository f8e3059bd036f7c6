# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Somebody else's value is not overwritten; the promotion stands, and the operator is told what is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import story
from harness import Result
from testinfra.host import Host


@pytest.fixture
def run(place: Path) -> Result:
    """What the run said at its end."""
    return story.kept(place, "first")


def test_the_run_fails_and_names_both_values(run: Result) -> None:
    assert run.rc == 2, run.output
    assert run.report["verdict"] == "failed"
    refusal = run.rules("accounts-db")["conflict"]
    assert refusal["measured"] == "now 203.0.113.99"
    assert refusal["limit"] == "expected 198.51.100.11, or already 203.0.113.11"
    assert f"measured: {refusal['measured']}; limit: {refusal['limit']}" in run.output


def test_their_value_is_kept_at_every_name_server(answers: Callable[[str], set[str]]) -> None:
    assert answers("accounts-db") == {"203.0.113.99"}


def test_what_was_promoted_stays_promoted(ask: Callable[..., str], db1: Host, db2: Host) -> None:
    assert ask(db2, "select pg_is_in_recovery()", 5434) == "f"
    assert db1.run("ss -Hltn sport = :5433").stdout == ""


def test_the_next_run_sees_their_value_and_finishes(
    verb: Callable[..., Result], answers: Callable[[str], set[str]]
) -> None:
    again = verb("switchover", "scope=accounts-db", "target_site=dc2")
    assert again.rc == 0, again.output
    assert answers("accounts-db") == {"203.0.113.11"}
    assert verb("switchover", "scope=accounts-db", "target_site=dc2").changed == 0
