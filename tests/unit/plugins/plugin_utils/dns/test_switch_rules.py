# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a record may be moved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import Guard
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import (
    Expected,
    Seen,
    Wanted,
    decide_switch,
    serial_reached,
    server_state,
)

NAME = "db.shop.example."
NOW = 1_000_000.0
OLD, NEW = ("198.51.100.11",), ("203.0.113.11",)
MINE = Guard(7, "run-me", "claimed", int(NOW) + 60, "me@here")
WANTED = Wanted(NEW, Expected("set", OLD), 5, "run-me", 7)
SEEN = Seen(OLD, 5, OLD, guard=MINE, guard_stored=(f'"{MINE.text()}"',), serial=1000)


def rule(wanted: Wanted, seen: Seen) -> str:
    decision = decide_switch(wanted, seen, NAME, NOW)
    assert decision.action == "refused"
    assert decision.refusal is not None
    assert decision.refusal.measured
    assert decision.refusal.hint
    return decision.refusal.rule


def test_the_expected_value_under_the_own_claim_is_swapped() -> None:
    assert decide_switch(WANTED, SEEN, NAME, NOW).action == "swap"


def test_the_reached_goal_needs_nothing() -> None:
    done = replace(SEEN, values=NEW, guard=replace(MINE, state="switched"))
    assert decide_switch(WANTED, done, NAME, NOW).action == "already"


def test_a_reached_record_under_an_open_claim_still_closes_the_claim() -> None:
    assert decide_switch(WANTED, replace(SEEN, values=NEW), NAME, NOW).action == "swap"


def test_another_ttl_is_not_the_goal() -> None:
    done = replace(SEEN, values=NEW, ttl=3600, guard=replace(MINE, state="switched"))
    assert decide_switch(WANTED, done, NAME, NOW).action == "swap"
    assert decide_switch(replace(WANTED, ttl=None), done, NAME, NOW).action == "already"


@pytest.mark.parametrize("values", [OLD, NEW])
def test_a_later_epoch_refuses_even_where_the_record_is_right(values: tuple[str, ...]) -> None:
    later = Guard(8, "run-other", "switched", int(NOW), "other@there")
    assert rule(WANTED, replace(SEEN, values=values, guard=later)) == "stale_epoch"


@pytest.mark.parametrize(
    "guard",
    [
        None,
        replace(MINE, epoch=6),
        replace(MINE, run="run-other"),
        replace(MINE, state="released"),
    ],
)
def test_without_the_own_claim_nothing_moves(guard: Guard | None) -> None:
    assert rule(WANTED, replace(SEEN, guard=guard)) == "claim_missing"


def test_an_own_claim_past_its_time_still_moves_the_record() -> None:
    """The primary is promoted by now. That nobody took the claim is proven by the guard itself, not by a clock."""
    late = replace(MINE, until=int(NOW) - 3600)
    assert decide_switch(WANTED, replace(SEEN, guard=late), NAME, NOW).action == "swap"


@pytest.mark.parametrize(
    "seen",
    [
        replace(SEEN, values=("198.51.100.99",)),
        replace(SEEN, values=OLD + NEW),
        replace(SEEN, values=()),
        replace(SEEN, values=(), alias="elsewhere.example."),
    ],
)
def test_what_somebody_else_changed_is_a_conflict(seen: Seen) -> None:
    assert rule(WANTED, seen) == "conflict"


def test_a_conflict_shows_all_three_values() -> None:
    refusal = decide_switch(WANTED, replace(SEEN, values=("198.51.100.99",)), NAME, NOW).refusal
    assert refusal is not None
    assert "198.51.100.99" in refusal.measured
    assert OLD[0] in refusal.limit
    assert NEW[0] in refusal.limit


@pytest.mark.parametrize(
    ("expected", "values", "action"),
    [
        (Expected("absent"), (), "swap"),
        (Expected("absent"), OLD, "refused"),
        (Expected("any"), OLD, "swap"),
        (Expected("any"), (), "swap"),
        (Expected("set", OLD), (), "refused"),
    ],
)
def test_absent_and_any(expected: Expected, values: tuple[str, ...], action: str) -> None:
    assert decide_switch(replace(WANTED, expected=expected), replace(SEEN, values=values), NAME, NOW).action == action


def test_an_alias_is_a_conflict_also_for_any() -> None:
    assert rule(replace(WANTED, expected=Expected("any")), replace(SEEN, values=(), alias="x.example.")) == "conflict"


PLAIN = replace(WANTED, run_id=None, epoch=None)


@pytest.mark.parametrize(
    ("guard", "action"),
    [
        (None, "swap"),
        (replace(MINE, state="released"), "swap"),
        (replace(MINE, state="switched"), "swap"),
        (replace(MINE, until=int(NOW) - 31), "swap"),
        (replace(MINE, until=int(NOW) - 29), "refused"),
        (MINE, "refused"),
    ],
)
def test_without_claims_an_open_claim_of_a_run_is_respected(guard: Guard | None, action: str) -> None:
    decision = decide_switch(PLAIN, replace(SEEN, guard=guard), NAME, NOW)
    assert decision.action == action
    if decision.refusal:
        assert decision.refusal.rule == "claim_held"


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**31 - 1))
def test_serials_go_round(serial: int, step: int) -> None:
    later = (serial + step) % 2**32
    assert serial_reached(later, serial)
    assert serial_reached(serial, serial)
    assert not serial_reached(serial, later)


@pytest.mark.parametrize(
    ("rcode", "authoritative", "values", "serial", "state"),
    [
        ("NOERROR", True, NEW, 1001, "fresh"),
        ("NOERROR", True, NEW, 1002, "fresh"),
        ("NOERROR", True, OLD, 1001, "stale"),
        ("NOERROR", True, NEW, 1000, "stale"),  # it went there and back: only the serial tells
        ("NOERROR", True, NEW, None, "stale"),
        ("NXDOMAIN", True, (), 1001, "stale"),
        ("NOERROR", False, NEW, 1001, "lame"),
        ("REFUSED", False, (), None, "lame"),
        ("SERVFAIL", False, (), None, "servfail"),
        ("FORMERR", False, (), None, "servfail"),
        ("TIMEOUT", False, (), None, "unreachable"),
    ],
)
def test_what_a_server_is_worth(
    rcode: str, authoritative: bool, values: tuple[str, ...], serial: int | None, state: str
) -> None:
    assert server_state(rcode, authoritative, values, serial, NEW, 1001) == state
