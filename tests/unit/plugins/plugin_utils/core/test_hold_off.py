# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A second failover inside the hold-off is acknowledged, whatever the clocks and the members still tell."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.hold_off import last_moved, newest_record
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    Decision,
    EndpointView,
    Observation,
    Refusal,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

NOW = 1_795_317_300.0
HOLD_OFF = 1800.0
NAME = "shop.example."
HERE: dict[str, Any] = {"reachable": True, "position": 9, "system_id": "7", "timeline": 2, "epoch": 7}


def record(age: float | None = 252.0, epoch: int | None = 7, run: str = "run-old", **other: Any) -> dict[str, Any]:
    """A promotion record of db2, so many seconds old."""
    return {"member": "db2", "time": None if age is None else NOW - age, "epoch": epoch, "run_id": run, **other}


def view(here: Any = None, lost: Any = None, moved: Any = None, hold_off: float = HOLD_OFF, epoch: int = 7) -> View:
    """db2 was promoted and has crashed, db1 could take over again; who still tells of the promotion differs."""
    db1 = Observation(
        "db1",
        "dc1",
        running=True,
        role="replica",
        writable=False,
        receiving=False,
        lag_seconds=1.0,
        address="198.51.100.11",
        promotion=here,
        **HERE,
    )
    db2 = Observation(
        "db2",
        "dc2",
        running=False,
        role="none",
        writable=False,
        address="203.0.113.11",
        promotion=lost,
        engine={"control_state": "in production"},
        **HERE,
    )
    service = Service("shop", 300.0, {"db1": "dc1", "db2": "dc2"}, "dc1", (NAME,), hold_off_seconds=hold_off)
    endpoint = EndpointView(NAME, reachable=True, values=("203.0.113.11",), epoch=epoch, moved=moved)
    return View(service, {"db1": db1, "db2": db2}, (endpoint,))


def failover(seen: View, **request: Any) -> Decision:
    return decide(
        seen, Request(**{"verb": "failover", "run_id": "run-new", "now": NOW, "target_site": "dc1"} | request)
    )


def held_off(seen: View, **request: Any) -> list[Refusal]:
    return [refusal for refusal in failover(seen, **request).refusals if refusal.rule == "hold_off"]


@pytest.mark.parametrize(
    ("told", "by"),
    [
        ({"here": record()}, "the record on db1"),
        ({"lost": record()}, "the record on db2"),
        ({"moved": record()}, f"the claim beside {NAME}"),
    ],
    ids=["a copy", "its own", "the claim"],
)
def test_a_second_failover_is_refused_with_age_limit_and_the_way_on(told: dict[str, Any], by: str) -> None:
    (refusal,) = held_off(view(**told))
    assert refusal.measured == f"promoted 4m 12s ago by run run-old, epoch 7 ({by})"
    assert refusal.limit == "30m"
    assert "-e waive=hold_off -e \"reason='...'\"" in refusal.hint
    assert failover(view(**told)).steps == ()


def test_the_acknowledgement_names_what_it_acknowledges() -> None:
    decision = failover(view(here=record()), waive=("hold_off",), reason="db2 lost its disk")
    assert [step.name for step in decision.steps if step.name == "promote"] == ["promote"]
    (waiver,) = decision.waivers
    assert waiver.rule == "hold_off"
    assert "4m 12s ago by run run-old, epoch 7" in waiver.measured
    refused = failover(view(here=record()), waive=("hold_off",))
    assert [refusal.rule for refusal in refused.refusals] == ["reason_missing"]


@pytest.mark.parametrize(("age", "refused"), [(0.0, 1), (1799.9, 1), (1800.0, 0), (86400.0, 0)])
def test_the_hold_off_ends(age: float, refused: int) -> None:
    assert len(held_off(view(here=record(age)))) == refused


def test_what_was_never_moved_or_is_never_held_off_goes_on() -> None:
    assert failover(view()).steps
    assert failover(view(here=record(1.0), hold_off=0.0)).steps


def test_a_drill_pulls_its_own_trigger() -> None:
    assert failover(view(here=record(1.0)), drill=True).steps


def test_a_run_that_only_finishes_is_no_second_failover() -> None:
    """db2 was promoted a second ago, by a run that was cut off before it sent the clients there."""
    half = view(here=record(1.0), lost=record(1.0))
    new = dataclasses.replace(half.observed["db2"], running=True, role="primary", writable=True)
    half = dataclasses.replace(
        half,
        observed={**half.observed, "db2": new},
        endpoints=(dataclasses.replace(half.endpoints[0], values=("198.51.100.11",)),),
    )
    decision = failover(half, target_site="dc2")
    assert not decision.refusals
    assert "point" in [step.name for step in decision.steps]
    assert "promote" not in [step.name for step in decision.steps]


@pytest.mark.parametrize("verb", ["switchover", "failback", "rejoin", "assess"])
def test_what_is_planned_is_not_held_off(verb: str) -> None:
    healthy = view(here=record(1.0), lost=record(1.0), moved=record(1.0))
    new = dataclasses.replace(
        healthy.observed["db2"], running=True, role="primary", writable=True, followers={"db1": "async"}
    )
    follower = dataclasses.replace(healthy.observed["db1"], receiving=True, lag_seconds=0.0, lag_bytes=0)
    healthy = dataclasses.replace(healthy, observed={"db1": follower, "db2": new})
    decision = decide(healthy, Request(verb, "run-new", NOW, target_site=None if verb == "rejoin" else "dc1"))
    assert not decision.refusals


def test_a_record_from_the_future_is_said_and_refused() -> None:
    (refusal,) = held_off(view(here=record(-723.0)))
    assert "at 2026-11-22T03:27:03Z, 12m 3s ahead of this controller's clock (two clocks differ)" in refusal.measured
    assert "-" not in refusal.measured.partition("ahead")[0].partition("Z, ")[2]


@pytest.mark.parametrize("time", [None, "yesterday", True, float("nan"), float("inf"), -5.0, 1e300])
def test_a_time_that_cannot_be_read_is_not_long_ago(time: Any) -> None:
    (refusal,) = held_off(view(here={**record(), "time": time}))
    assert "at a time that cannot be read, by run run-old, epoch 7" in refusal.measured


def test_the_newest_epoch_counts_whatever_the_clocks_said() -> None:
    """An old record whose controller was a day ahead holds nothing off, and hides nothing either."""
    ahead = record(-86400.0, epoch=3, run="run-ahead")
    assert not held_off(view(here=ahead, lost=record(7200.0)))
    (refusal,) = held_off(view(here=ahead, lost=record(60.0)))
    assert "1m ago by run run-old, epoch 7" in refusal.measured


def test_the_members_copy_is_the_newest_record() -> None:
    found = newest_record(view(here=record(60.0, epoch=8), lost=record(10.0, epoch=7)))
    assert found is not None
    assert found["epoch"] == 8
    assert newest_record(view()) is None
    assert newest_record(view(here={**record(), "epoch": "9"}, lost=record(epoch=1)))["epoch"] == 1


AGES = st.one_of(st.none(), st.floats(-1e6, 1e6))
RECORDS = st.one_of(st.none(), st.builds(record, age=AGES, epoch=st.one_of(st.none(), st.integers(0, 9))))


@settings(max_examples=300)
@given(RECORDS, RECORDS, RECORDS, st.integers(0, 9))
def test_no_clock_gets_a_young_promotion_past_the_hold_off(here: Any, lost: Any, moved: Any, epoch: int) -> None:
    """Against the rule written down anew: of the newest epoch, and of those without, none may be younger."""
    seen = view(here, lost, moved, epoch=epoch)
    told = [(r["epoch"], r["time"]) for r in (here, lost) if r] + ([(epoch, moved["time"])] if moved else [])
    newest = max((e for e, _time in told if e is not None), default=None)
    young = any(e in (None, newest) and (t is None or NOW - t < HOLD_OFF) for e, t in told)
    assert bool(held_off(seen)) is young
    assert (last_moved(seen) is None) is (not told)
