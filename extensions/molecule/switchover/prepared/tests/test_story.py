# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The time to live that users are told by every name server: before the move, after it, and where it is called off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import story
from harness import Result
from testinfra.host import Host

HOME, AWAY = "198.51.100.11", "203.0.113.11"


@pytest.fixture
def switchover(verb: Callable[..., Result], place: Path) -> Callable[..., Result]:
    """A switchover of accounts-db by the plan that has a time to live for moves."""
    return lambda *inputs: verb("switchover", "scope=accounts-db", *inputs, plan=story.plan_of(place))


def test_preparing_again_changes_nothing_and_says_from_when_on_to_move(said: dict[str, Result]) -> None:
    for mode, run in said.items():
        assert (run.rc, run.changed) == (0, 0), f"{mode}: {run.output}"
        assert run.missing("accounts-db.shop.example.: its time to live is 5 s around the move; move it") == []


def test_users_are_told_the_short_one_and_the_old_address(records: Callable[[str], set[str]]) -> None:
    assert records("accounts-db") == {f"5 {HOME}"}


def test_the_move_leaves_the_long_one_everywhere(
    switchover: Callable[..., Result], records: Callable[[str], set[str]], ask: Callable[..., str], db2: Host
) -> None:
    moved = switchover("target_site=dc2")
    assert moved.rc == 0, moved.output
    assert ask(db2, "select pg_is_in_recovery()", 5434) == "f"
    assert records("accounts-db") == {f"60 {AWAY}"}
    assert switchover("target_site=dc2").changed == 0


def test_a_move_back_that_was_not_prepared_says_until_when_clients_keep_the_old_address(
    switchover: Callable[..., Result], records: Callable[[str], set[str]]
) -> None:
    back = switchover("target_site=dc1")
    assert back.rc == 0, back.output
    assert back.missing("clients may keep the old address for 1m, until") == []
    assert records("accounts-db") == {f"60 {HOME}"}


def test_one_that_was_called_off_is_put_back_by_a_switchover_to_where_the_service_is(
    switchover: Callable[..., Result], records: Callable[[str], set[str]]
) -> None:
    assert switchover("prepare=true").changed == 1
    assert records("accounts-db") == {f"5 {HOME}"}
    off = switchover("target_site=dc1")
    assert (off.rc, off.changed) == (0, 1), off.output
    assert records("accounts-db") == {f"60 {HOME}"}
