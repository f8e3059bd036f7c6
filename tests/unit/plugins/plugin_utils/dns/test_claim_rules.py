# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may take a claim."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import (
    Claimant,
    decide_claim,
    held_by,
    is_usable,
    out_of_date,
    seconds_until_free,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import Guard, State

NOW = 1_000_000.0
ME = Claimant("run-me", "me@here", seconds=120)


def guard(run: str = "run-other", state: State = "claimed", left: int = 60, epoch: int = 7) -> Guard:
    return Guard(epoch, run, state, int(NOW) + left, "other@there")


def test_the_first_claim_has_epoch_one() -> None:
    decision = decide_claim(None, ME, NOW)
    assert decision.outcome == "claimed"
    assert decision.guard == Guard(1, "run-me", "claimed", int(NOW) + 120, "me@here")


@pytest.mark.parametrize(
    ("found", "observed", "outcome"),
    [
        (None, 0, "claimed"),
        (None, 3, "stale"),
        (guard(state="switched"), 7, "claimed"),
        (guard(state="switched"), 6, "stale"),  # another run came and went since this one looked
        (guard(state="released"), 6, "stale"),
        (guard(left=-31), 6, "stale"),
        (guard(run="run-me"), 7, "adopted"),  # cut off and started again
        (guard(run="run-me"), 6, "stale"),  # and somebody else was quicker to start it again
    ],
)
def test_a_claim_rests_on_what_was_observed(found: Guard | None, observed: int, outcome: str) -> None:
    decision = decide_claim(found, Claimant("run-me", "me@here", observed_epoch=observed), NOW)
    assert decision.outcome == outcome
    assert (decision.guard is None) == (outcome == "stale")


def test_what_was_overtaken_is_refused_with_both_epochs() -> None:
    refusal = out_of_date(guard(state="switched"), Claimant("run-me", "me@here", observed_epoch=6), "shop.example.")
    assert (refusal.rule, refusal.limit) == ("stale_epoch", "epoch 6, as observed")
    assert "epoch 7" in refusal.measured
    assert "run-other" in refusal.measured


@pytest.mark.parametrize("left", [60, 0, -30])
def test_a_live_claim_of_another_run_is_held(left: int) -> None:
    decision = decide_claim(guard(left=left), ME, NOW)
    assert (decision.outcome, decision.guard) == ("held", None)


def test_an_ended_claim_is_taken_with_the_next_epoch() -> None:
    found = guard(left=-31)
    decision = decide_claim(found, ME, NOW)
    assert decision.outcome == "claimed"
    assert decision.guard is not None
    assert decision.guard.epoch == 8
    assert decision.taken_over == found


@pytest.mark.parametrize("state", ["released", "switched"])
@pytest.mark.parametrize("run", ["run-me", "run-other"])
def test_a_closed_claim_is_followed_by_the_next_epoch(state: State, run: str) -> None:
    """Also for the same run: its failback is a promotion of its own."""
    decision = decide_claim(guard(run, state), ME, NOW)
    assert decision.outcome == "claimed"
    assert decision.guard is not None
    assert decision.guard.epoch == 8
    assert decision.taken_over is None


@pytest.mark.parametrize("left", [60, -3600])
def test_the_same_run_takes_up_its_claim_with_the_same_epoch(left: int) -> None:
    decision = decide_claim(guard("run-me", left=left), ME, NOW)
    assert decision.outcome == "adopted"
    assert decision.guard == Guard(7, "run-me", "claimed", int(NOW) + 120, "me@here")


@pytest.mark.parametrize("found", [None, guard("run-me"), guard("run-other", "switched")])
def test_the_epoch_is_above_what_the_members_know(found: Guard | None) -> None:
    """The guard may have been deleted by hand, or restored from an old copy of the zone."""
    decision = decide_claim(found, Claimant("run-me", "me@here", minimum_epoch=41), NOW)
    assert decision.outcome == "claimed"
    assert decision.guard is not None
    assert decision.guard.epoch == 42


def test_a_run_that_was_started_again_takes_the_next_epoch() -> None:
    """Whatever its first process left behind acts under the old one."""
    decision = decide_claim(guard("run-me"), Claimant("run-me", "me@here", observed_epoch=7), NOW)
    assert decision.guard is not None
    assert (decision.outcome, decision.guard.epoch) == ("adopted", 8)


@pytest.mark.parametrize(("named", "outcome"), [("run-other", "claimed"), ("run-third", "held"), (None, "held")])
def test_an_open_claim_is_broken_by_its_holders_name_only(named: str | None, outcome: str) -> None:
    decision = decide_claim(guard(), Claimant("run-me", "me@here", observed_epoch=7, break_run=named), NOW)
    assert decision.outcome == outcome
    assert (decision.guard.epoch if decision.guard else None) == (8 if outcome == "claimed" else None)
    assert decision.taken_over == (guard() if outcome == "claimed" else None)


def test_a_broken_claim_that_moved_on_is_stale() -> None:
    assert (
        decide_claim(guard(), Claimant("me", "me@here", observed_epoch=6, break_run="run-other"), NOW).outcome
        == "stale"
    )


def test_a_claim_near_its_end_is_not_usable() -> None:
    assert is_usable(guard("run-me", left=31), "run-me", NOW)
    assert not is_usable(guard("run-me", left=30), "run-me", NOW)
    assert not is_usable(guard("run-other", left=60), "run-me", NOW)
    assert not is_usable(guard("run-me", "switched", left=60), "run-me", NOW)
    assert not is_usable(None, "run-me", NOW)


def test_the_refusal_names_who_and_how_long() -> None:
    refusal = held_by(guard(left=12), "db.shop.example.", NOW)
    assert refusal.rule == "claim_held"
    assert "other@there" in refusal.message
    assert "run-other" in refusal.message
    assert "42 s" in refusal.message
    assert seconds_until_free(guard(left=12), NOW) == 42.0
    assert seconds_until_free(guard(state="released"), NOW) == 0.0
