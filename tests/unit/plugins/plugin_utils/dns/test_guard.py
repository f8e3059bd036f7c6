# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guard's text, and what a claim is worth by different clocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import (
    MARGIN_SECONDS,
    OWNER,
    RUN_ID,
    STATES,
    Guard,
    GuardUnreadable,
    clean_owner,
    parse_guard,
    standing,
    timestamp,
)

TEXT = "epoch=7 run=20261122T031500Z-3f9a state=claimed until=2026-11-22T03:17:00Z owner=user@host"
GUARDS = st.builds(
    Guard,
    epoch=st.integers(0, 10**12),
    run=st.from_regex(RUN_ID, fullmatch=True),
    state=st.sampled_from(STATES),
    until=st.integers(0, 4_000_000_000),
    owner=st.from_regex(OWNER, fullmatch=True).map(clean_owner),
    cached=st.integers(0, 4_000_000_000),
)


def test_the_text_is_the_agreed_one() -> None:
    guard = Guard(7, "20261122T031500Z-3f9a", "claimed", 1795317420, "user@host")
    assert guard.text() == TEXT
    assert parse_guard([TEXT]) == guard


@given(GUARDS)
def test_what_is_written_is_read(guard: Guard) -> None:
    assert parse_guard([guard.text()]) == guard
    assert len(guard.text()) <= 255


def test_a_lowered_time_to_live_is_noted_until_the_record_moves() -> None:
    noted = TEXT + " cached=2026-11-22T04:15:00Z"
    guard = parse_guard([noted])
    assert guard is not None
    assert (guard.cached, guard.text()) == (1795320900, noted)
    assert guard.ended("released", 5).cached == guard.cached
    assert guard.ended("switched", 5).cached == 0
    with pytest.raises(GuardUnreadable, match="cached is not a time"):
        parse_guard([TEXT + " cached=soon"])


def test_nothing_is_no_guard() -> None:
    assert parse_guard([]) is None


def test_words_of_a_later_version_are_let_through() -> None:
    found = parse_guard([TEXT + " note=x"])
    assert found is not None
    assert found.epoch == 7


@pytest.mark.parametrize(
    "texts",
    [
        [TEXT, TEXT.replace("epoch=7", "epoch=8")],
        ["v=spf1 -all"],
        [TEXT.replace("epoch=7", "epoch=-7")],
        [TEXT.replace("epoch=7", "epoch=seven")],
        [TEXT.replace("state=claimed", "state=open")],
        [TEXT.replace("2026-11-22T03:17:00Z", "2026-13-22T03:17:00Z")],
        [TEXT.replace("2026-11-22T03:17:00Z", "soon")],
        [TEXT.replace("run=20261122T031500Z-3f9a", "run=")],
        [TEXT.replace(" owner=user@host", "")],
        [""],
    ],
)
def test_what_is_no_guard_is_not_taken_for_one(texts: list[str]) -> None:
    with pytest.raises(GuardUnreadable):
        parse_guard(texts)


@pytest.mark.parametrize(
    ("given_owner", "kept"),
    [("ann@desk", "ann@desk"), ('a "b\\c=d\n', "a__b_c_d_"), ("", "unknown"), ("é" * 200, "_" * 88)],
)
def test_an_owner_is_made_fit_to_be_written(given_owner: str, kept: str) -> None:
    assert clean_owner(given_owner) == kept
    assert OWNER.fullmatch(kept)


def test_a_time_is_rounded_down() -> None:
    assert timestamp(59.999) == "1970-01-01T00:00:59Z"


@given(
    until=st.integers(0, 10**6),
    now=st.floats(0, 10**6),
    skew=st.floats(-2 * MARGIN_SECONDS, 2 * MARGIN_SECONDS),
)
def test_no_claim_is_usable_by_one_clock_and_expired_by_another(until: int, now: float, skew: float) -> None:
    assert (standing(until, now), standing(until, now + skew)) != ("usable", "expired")


def test_clocks_further_apart_than_twice_the_margin_are_not_safe() -> None:
    """The bound in the documentation is the real one, not a larger one."""
    until = 1000
    assert standing(until, until - MARGIN_SECONDS - 0.5) == "usable"
    assert standing(until, until + MARGIN_SECONDS + 0.5) == "expired"
