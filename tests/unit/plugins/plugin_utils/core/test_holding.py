# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds a service, and when a typed run id takes it from them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    Decision,
    EndpointView,
    Observation,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

NAME = "shop.example."
SITES = {"db1": "dc1", "db2": "dc2", "db3": "dc2"}
HERE: dict[str, Any] = {"reachable": True, "running": True, "position": 9, "system_id": "7", "timeline": 1, "epoch": 4}
OFF = Evidence("db3", "power", "off", 3, True, 3, "off")


def lease(run: str = "gone", left: int = 200, acted: int | None = 60) -> dict[str, Any]:
    return {"run": run, "owner": "ann@ops", "seconds_left": left, "acted_seconds_ago": acted}


def view(*, claim: str | None = None, left: float = 240.0, **leases: Any) -> View:
    """A healthy service of three members; each may carry a lease, or `None` for a member that gives no answer."""
    db1 = Observation(
        "db1",
        "dc1",
        role="primary",
        writable=True,
        followers={"db2": "async", "db3": "async"},
        address="198.51.100.11",
        **HERE,
    )
    seen = {"db1": db1}
    for number, name in enumerate(("db2", "db3"), 11):
        seen[name] = Observation(
            name,
            "dc2",
            role="replica",
            writable=False,
            receiving=True,
            lag_seconds=0.0,
            upstream="db1:5432",
            address=f"203.0.113.{number}",
            **HERE,
        )
    for name, value in leases.items():
        silent = Observation(name, SITES[name], address=seen[name].address)
        seen[name] = silent if value is None else dataclasses.replace(seen[name], lease=value)
    service = Service("shop", 300.0, SITES, "dc1", (NAME,), ("power",))
    endpoint = EndpointView(
        NAME, True, ("198.51.100.11",), 4, claim, "ann@ops" if claim else None, left if claim else 0.0
    )
    return View(service, seen, (endpoint,))


def move(seen: View, run: str | None = "gone", **request: Any) -> Decision:
    known = {"verb": "switchover", "run_id": "run-new", "now": 1e9, "target_site": "dc2", "reason": "burnt"}
    return decide(seen, Request(**{**known, "break_lease": run, **request}))


def rules(decision: Decision) -> list[str]:
    return [refusal.rule for refusal in decision.refusals]


@pytest.mark.parametrize(
    "held", [{"claim": "gone"}, {"db1": lease()}, {"claim": "gone", "db1": lease(), "db2": lease(), "db3": lease()}]
)
def test_what_is_held_is_refused_with_the_way_on_and_broken_by_its_name(held: dict[str, Any]) -> None:
    refused = move(view(**held), run=None)
    assert set(rules(refused)) <= {"claim_held", "lease_held"}
    assert refused.steps == ()
    for refusal in refused.refusals:
        assert refusal.measured.startswith("gone by ann@ops")
        assert "-e continuity_run_id=gone" in refusal.hint
        assert "-e break_lease=gone -e \"reason='...'\"" in refusal.hint
    broken = move(view(**held))
    assert broken.steps
    assert [waiver.rule for waiver in broken.waivers] == rules(refused)
    assert rules(move(view(**held), reason="")) == ["reason_missing"]


@pytest.mark.parametrize("named", ["gone2", "gon", "ann@ops", "gone by"])
def test_no_other_name_breaks_it(named: str) -> None:
    assert rules(move(view(claim="gone", db2=lease()), named)) == ["claim_held", "lease_held"]


def test_of_two_holders_both_stand_in_the_way() -> None:
    assert rules(move(view(claim="gone", db2=lease("third")))) == ["lease_held"]
    assert rules(move(view(claim="third", db2=lease()))) == ["claim_held"]


def test_what_ended_meanwhile_needs_no_break() -> None:
    over = move(view(claim="gone", left=0.0, db1=lease(left=0)))
    assert over.steps
    assert not over.waivers


def test_ones_own_lease_stands_in_nobodys_way() -> None:
    assert move(view(claim="run-new", db1=lease("run-new", acted=1)), run=None).steps


@pytest.mark.parametrize(("acted", "refused"), [(0, True), (29, True), (30, False), (3000, False), (None, False)])
def test_a_run_that_lives_is_not_broken(acted: int | None, refused: bool) -> None:
    decision = move(view(claim="gone", db1=lease(), db2=lease(acted=acted)))
    assert rules(decision) == (["holder_alive"] if refused else [])
    assert move(view(claim="gone", db2=lease(acted=acted)), waive=("holder_alive",)).refused is refused


def test_a_member_that_cannot_be_asked_may_carry_on_for_it() -> None:
    decision = move(view(claim="gone", db3=None), waive=("missing_candidate",))
    assert rules(decision) == ["holder_unproven"]
    assert "wait 240 s" in decision.refusals[0].hint
    proven = dataclasses.replace(view(claim="gone", db3=None), evidence={"db3": (OFF,)})
    assert move(proven, waive=("missing_candidate",)).steps
    weak = dataclasses.replace(
        proven,
        service=dataclasses.replace(proven.service, min_level=3),
        evidence={"db3": (dataclasses.replace(OFF, state="isolated", level=2),)},
    )
    assert rules(move(weak, waive=("missing_candidate",))) == ["holder_unproven"]


def test_a_run_that_is_continued_needs_every_member_as_well() -> None:
    """Its first process may only sleep, with a lease where this one cannot see it."""
    mine = {"run_id": "gone", "waive": ("missing_candidate",)}
    assert rules(move(view(claim="gone", db3=None), None, **mine)) == ["holder_unproven"]
    assert rules(move(view(db1=lease(acted=0), db3=None), None, **mine)) == ["holder_unproven"]
    assert move(view(claim="gone", db1=lease(acted=0), db3=lease(acted=0)), None, **mine).steps
    assert move(view(claim="gone", left=0.0, db1=lease(left=0), db3=None), None, **mine).steps
    proven = dataclasses.replace(view(claim="gone", db3=None), evidence={"db3": (OFF,)})
    assert move(proven, None, **mine).steps


def lost_site() -> View:
    """dc1 is lost with the controller whose run was at work."""
    seen = view(claim="gone", db1=None, db2=lease(), db3=lease())
    alone = {
        name: dataclasses.replace(o, receiving=False, lag_seconds=1.0) if o.reachable else o
        for name, o in seen.observed.items()
    }
    return dataclasses.replace(seen, observed=alone)


def test_a_lost_site_with_its_controller_is_left_once_it_is_proven_off_or_on_ones_word() -> None:
    request = {"verb": "failover"}
    assert rules(move(lost_site(), **request)) == ["old_primary_unfenced", "holder_unproven"]
    off = dataclasses.replace(lost_site(), evidence={"db1": (dataclasses.replace(OFF, member="db1"),)})
    assert move(off, **request).steps
    able = Evidence("db1", "power", "on", None, True, 3, "on")
    assert move(dataclasses.replace(lost_site(), evidence={"db1": (able,)}), **request).steps, "it is fenced first"
    word = {**request, "waive": ("old_primary_unfenced",)}
    assert move(lost_site(), **word, confirm="run-0", confirm_refused_at=1e9 - 60).steps
    assert "holder_unproven" in rules(move(lost_site(), **word, confirm="run-0", confirm_refused_at=1e9 - 9999))


RUNS = st.sampled_from(["gone", "third", "run-new"])
LEASES = st.one_of(st.builds(lease, RUNS, st.sampled_from([0, 5]), st.sampled_from([None, 5, 60])), st.none())


@settings(max_examples=200)
@given(
    st.one_of(st.none(), RUNS), st.dictionaries(st.sampled_from(sorted(SITES)), LEASES), st.sampled_from(["gone", None])
)
def test_no_step_is_taken_beside_a_live_holder(claim: str | None, leases: dict[str, Any], named: str | None) -> None:
    """Steps stand only where all that lives is one's own, or is the named run's, quiet, and every member is asked."""
    decision = move(view(claim=claim, **leases), named, waive=("missing_candidate",))
    if not decision.steps:
        return
    others = {each["run"] for each in leases.values() if each and each["seconds_left"] > 0} | {claim}
    others -= {"run-new", None}
    assert others <= {named}
    own = [each for each in leases.values() if each and each["seconds_left"] > 0 and each["run"] == "run-new"]
    assert not (others or own or claim == "run-new") or None not in leases.values()
    if others:
        live = [each for each in leases.values() if each["run"] == "gone" and each["seconds_left"] > 0]
        assert all((each["acted_seconds_ago"] or 60) >= 30 for each in live)


@pytest.mark.parametrize("held", [{"claim": "run-a"}, {"db2": lease("run-a")}, {"db1": lease("run-a", acted=2)}])
@pytest.mark.parametrize(("verb", "site"), [("switchover", "dc1"), ("failover", "dc1"), ("rejoin", None)])
def test_a_run_that_was_cut_off_at_its_end_gives_back_what_it_holds(
    held: dict[str, Any], verb: str, site: str | None
) -> None:
    """Its goal is reached; without this the next verb would be kept out until claim and leases have ended."""
    again = {"run": None, "verb": verb, "target_site": site, "run_id": "run-a"}
    decision = move(view(**held), **again)
    assert not decision.refused, rules(decision)
    names = [step.name for step in decision.steps]
    assert names == ["claim", "lease", "lease", "lease", *(["point"] if site else []), "verify"]
    assert move(view(), **again).goal_reached
    # Of another run nothing is taken, and what has ended needs nobody
    assert not move(view(**held), **{**again, "run_id": "run-b"}).steps
    assert move(view(db2=lease("run-a", left=0)), **again).goal_reached


@pytest.mark.parametrize("verb", ["switchover", "failover", "rejoin"])
def test_it_gives_back_as_well_where_it_is_told_the_site_that_is_left_already(verb: str) -> None:
    """The record was switched, and the claim closed with it: nothing names that site any more, but the leases live."""
    left = {"run": None, "verb": verb, "target_site": None, "source_site": "dc2", "run_id": "run-a"}
    assert move(view(), **left).goal_reached
    decision = move(view(db1=lease("run-a"), db2=lease("run-a")), **left)
    assert not decision.refused, rules(decision)
    assert {step.member for step in decision.steps if step.name == "lease"} == {"db1", "db2", "db3"}
    assert move(view(db1=lease("run-a")), **{**left, "run_id": "run-b"}).goal_reached, "another run's are left alone"


def test_while_a_member_gives_no_answer_what_is_held_ends_by_itself_unless_it_is_proven_off() -> None:
    again = {"run": None, "verb": "failover", "target_site": "dc1", "run_id": "run-a"}
    silent = view(db2=lease("run-a"), db3=None)
    decision = move(silent, **again)
    assert decision.goal_reached, (rules(decision), decision.steps)
    off = move(dataclasses.replace(silent, evidence={"db3": (OFF,)}), **again)
    assert [step.member for step in off.steps if step.name == "lease"] == ["db1", "db2"], rules(off)
    on = Evidence("db3", "power", "on", None, True, 3, "on")
    assert move(dataclasses.replace(silent, evidence={"db3": (on,)}), **again).goal_reached


def test_an_assessment_tells_of_a_lease_that_would_refuse_the_move() -> None:
    """It alone may stand in the way: the claim of a run that was cut off is closed with the move of the record."""
    decision = move(view(db2=lease("run-a")), None, verb="assess")
    assert rules(decision) == ["lease_held"]
    assert "-e continuity_run_id=run-a" in decision.refusals[0].hint
    assert not move(view(db2=lease("run-a", left=0)), None, verb="assess").refused


MINE = "run-new"


def refused_alone(seen: View, **request: Any) -> Decision:
    """A failover while the primary lives: refused, whoever holds what."""
    return decide(seen, Request("failover", MINE, 1e9, target_site="dc2", **request))


@pytest.mark.parametrize(
    "held", [{"claim": MINE}, {"db2": lease(MINE)}, {"claim": MINE, "db1": lease(MINE, acted=None)}]
)
def test_a_refused_run_gives_back_what_is_its_own(held: dict[str, Any]) -> None:
    decision = refused_alone(view(**held))
    assert decision.refused and decision.steps == ()
    assert decision.gives_back == ("db1", "db2", "db3")


@pytest.mark.parametrize(
    "held",
    [
        {},
        {"claim": "gone"},
        {"claim": MINE, "left": 0.0},
        {"db1": lease("gone")},
        {"db1": lease(MINE), "db2": lease("gone")},
        {"claim": "gone", "db2": lease(MINE)},
        {"claim": MINE, "db2": lease(MINE, acted=29)},
        {"claim": MINE, "db3": None},
    ],
    ids=["nothing", "another's", "it ended", "another's lease", "both", "both ways", "a moment ago", "out of sight"],
)
def test_a_refused_run_leaves_what_is_not_its_own_or_may_be_at_work(held: dict[str, Any]) -> None:
    for request in ({}, {"break_lease": "gone", "reason": "burnt"}):
        decision = refused_alone(view(**held), **request)
        assert decision.refused and decision.gives_back == ()


@pytest.mark.parametrize("word", ["promoting", "rejoining", "long_work"])
def test_what_goes_on_without_its_controller_keeps_its_lease(word: str) -> None:
    seen = view(claim=MINE, db2=lease(MINE))
    busy = dataclasses.replace(seen.observed["db3"], engine={word: True})
    decision = refused_alone(dataclasses.replace(seen, observed={**seen.observed, "db3": busy}))
    assert decision.refused and decision.gives_back == ()
