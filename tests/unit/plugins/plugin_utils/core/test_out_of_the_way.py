# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that takes over from another must know that nothing of the other one goes on.

Where a member cannot be asked, a process may only sleep there, under a lease that cannot be taken from it. That member
must be proven out of the way, be fenced first, or be given up by a full word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

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

NOW = 1_000_000.0
SITES = {"db1": "dc1", "db2": "dc2", "db3": "dc3"}
ADDRESS = {"db1": "198.51.100.11", "db2": "203.0.113.11", "db3": "203.0.113.12"}
HERE: dict[str, Any] = {"reachable": True, "position": 9, "system_id": "7", "timeline": 1, "epoch": 4}
SERVES = {**HERE, "running": True, "role": "primary", "writable": True, "followers": {"db2": "async", "db3": "async"}}
FOLLOWS = {**HERE, "running": True, "role": "replica", "writable": False, "receiving": True, "lag_seconds": 0.0}
ALONE = {**FOLLOWS, "receiving": False, "lag_seconds": 1.0}
STOPPED = {**HERE, "running": False, "role": "none", "position": None}
SILENT: dict[str, Any] = {}

OFF = Evidence("db1", "power", "off", 3, True, 3, "off", NOW)
ON = dataclasses.replace(OFF, state="on", level=None)
CLOSED = dataclasses.replace(OFF, state="isolated", level=2, gives=2)
WORD = {
    "waive": ("old_primary_unfenced",),
    "reason": "pulled the plug",
    "confirm": "run-0",
    "confirm_refused_at": NOW - 60,
}


def decided(
    verb: str,
    *said: Evidence,
    db1: Mapping[str, Any] = MappingProxyType(SILENT),
    db2: Mapping[str, Any] = MappingProxyType(ALONE),
    db3: Mapping[str, Any] = MappingProxyType(ALONE),
    holds: str = "gone",
    left: float = 240.0,
    beside: tuple[EndpointView, ...] = (),
    min_level: int = 2,
    **request: Any,
) -> Decision:
    """What is decided while a run holds the claim: another one, which the operator typed, or this one's own past."""
    values = zip(SITES, (db1, db2, db3), strict=True)
    seen = {name: Observation(name, SITES[name], address=ADDRESS[name], **known) for name, known in values}
    evidence = {name: tuple(each for each in said if each.member == name) for name in SITES}
    named = next((name for name, one in seen.items() if one.is_primary), "db1")
    endpoint = EndpointView(
        "shop.example.", True, (ADDRESS[named],), 4, holds or None, "ann@ops", left if holds else 0.0
    )
    view = View(
        Service("shop", 300.0, SITES, "dc1", ("shop.example.",), ("power",), min_level),
        seen,
        (endpoint, *beside),
        evidence={name: each for name, each in evidence.items() if each},
    )
    asked = {"target_site": "dc2", "reason": "burnt down", "break_lease": "gone" if holds == "gone" else None} | request
    return decide(view, Request(verb, "run-1", NOW, **asked))


def unproven(decision: Decision) -> list[str]:
    """The members in whose way something may still sleep; nothing is done while there is one."""
    found = [refusal.measured.split()[0] for refusal in decision.refusals if refusal.rule == "holder_unproven"]
    assert not (found and decision.steps)
    return found


BOTH = pytest.mark.parametrize("holds", ["gone", "run-1"], ids=["another's claim", "its own from before"])


@BOTH
def test_a_silent_member_is_in_the_way_and_told_with_the_seconds_that_are_left(holds: str) -> None:
    decision = decided("failover", holds=holds)
    assert unproven(decision) == ["db1"]
    (told,) = [refusal for refusal in decision.refusals if refusal.rule == "holder_unproven"]
    assert "or wait 240 s" in told.hint and "db1" in told.message
    assert unproven(decided("failover", holds=holds, db3=SILENT, waive=("missing_candidate",))) == ["db1", "db3"]
    assert unproven(decided("failover", holds=holds, db1=STOPPED)) == []


@BOTH
@pytest.mark.parametrize(
    ("said", "min_level", "away"),
    [
        (OFF, 2, True),
        (OFF, 3, True),
        (CLOSED, 2, True),
        (CLOSED, 3, False),
        (dataclasses.replace(OFF, level=1, gives=None), 2, False),
        (dataclasses.replace(OFF, level=0, gives=None), 0, False),
        (dataclasses.replace(OFF, level=1, gives=None), 0, True),
        (dataclasses.replace(OFF, level=None, gives=None), 1, False),
        (dataclasses.replace(OFF, member="db3"), 2, False),
    ],
    ids=str,
)
def test_proof_is_of_that_member_and_as_strong_as_the_plan_asks_and_never_a_word(
    holds: str, said: Evidence, min_level: int, away: bool
) -> None:
    assert (unproven(decided("failover", said, holds=holds, min_level=min_level)) == []) is away


@BOTH
def test_of_what_several_fences_said_one_proof_is_enough(holds: str) -> None:
    deaf = Evidence("db1", "network", "unknown", None, False, None, "no answer", NOW)
    for said in ((OFF, deaf), (deaf, OFF)):
        assert unproven(decided("failover", *said, holds=holds)) == []


@BOTH
def test_a_member_that_will_be_fenced_is_fenced_behind_the_leases_and_before_the_promotion(holds: str) -> None:
    decision = decided("failover", ON, holds=holds)
    assert unproven(decision) == []
    assert [(step.name, step.member) for step in decision.steps[:5]] == [
        ("claim", None),
        ("lease", "db2"),
        ("lease", "db3"),
        ("fence", "db1"),
        ("promote", "db2"),
    ]


@BOTH
def test_the_fence_of_one_member_stands_for_no_other(holds: str) -> None:
    """db3 is stopped and will be fenced; of db1 nothing is known."""
    assert unproven(decided("failover", holds=holds, db3=STOPPED)) == ["db1"]


@BOTH
def test_what_is_switched_on_again_was_not_fenced_by_that(holds: str) -> None:
    """The device says off and proves nothing: a plug that was drawn by hand, and its step is a release."""
    said = dataclasses.replace(OFF, level=None)
    begun = {"db2": SERVES, "db3": FOLLOWS, "holds": holds}
    assert unproven(decided("rejoin", said, **begun)) == ["db1"]
    decision = decided("rejoin", OFF, **begun)
    assert unproven(decision) == [] and ("release", "db1") in [(step.name, step.member) for step in decision.steps]


@BOTH
@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"reason": " "}, False),
        ({"confirm": None}, False),
        ({"confirm": "run-1"}, False),
        ({"confirm_refused_at": None}, False),
        ({"waive": ()}, False),
        ({"waive": ("missing_candidate",)}, False),
        ({"waive": (), "min_level": 0}, True),
        ({"waive": (), "min_level": 0, "confirm": None}, False),
        ({"waive": (), "min_level": 0, "reason": ""}, False),
        ({"waive": (), "min_level": 1}, False),
    ],
    ids=str,
)
def test_a_word_counts_only_in_full(holds: str, change: dict[str, Any], counts: bool) -> None:
    decision = decided("failover", holds=holds, **(WORD | change))
    assert (unproven(decision) == []) is counts
    assert bool(decision.steps) is counts


@BOTH
@pytest.mark.parametrize("verb", ["failover", "switchover"])
def test_a_word_about_the_old_primary_is_none_about_another(holds: str, verb: str) -> None:
    """db1 is named as the primary, and answers; what the operator says of it says nothing of db3."""
    old = STOPPED if verb == "failover" else SERVES
    word = {**WORD, "waive": ("old_primary_unfenced", "missing_candidate")}
    begun: dict[str, Any] = {"db1": old, "db2": ALONE if verb == "failover" else FOLLOWS, "db3": SILENT}
    for min_level in (2, 0):
        assert unproven(decided(verb, holds=holds, min_level=min_level, **begun, **word)) == ["db3"]
    off = dataclasses.replace(OFF, member="db3")
    assert decided(verb, off, holds=holds, **begun, **word).steps


def test_a_run_that_holds_nothing_any_more_needs_no_proof_of_whoever_is_silent() -> None:
    begun: dict[str, Any] = {"db1": SERVES, "db2": FOLLOWS, "db3": SILENT, "waive": ("missing_candidate",)}
    assert decided("switchover", holds="", **begun).steps
    assert unproven(decided("switchover", holds="run-1", **begun)) == ["db3"]


@pytest.mark.parametrize(
    ("acted", "given"),
    [
        ((60, 60), True),
        ((None, 60), True),
        ((30, 30), True),
        ((5, 60), False),
        ((60, 5), False),
        ((None, 29), False),
        ((29, None), False),
    ],
)
def test_a_run_that_is_refused_gives_nothing_back_while_one_of_its_members_may_be_at_work(
    acted: tuple[int | None, int | None], given: bool
) -> None:
    db1, db2 = ({"run": "run-1", "owner": "me", "seconds_left": 200, "acted_seconds_ago": ago} for ago in acted)
    decision = decided("failover", holds="", db1=SERVES | {"lease": db1}, db2=FOLLOWS | {"lease": db2}, db3=FOLLOWS)
    assert [refusal.rule for refusal in decision.refusals] == ["primary_alive"]
    assert decision.gives_back == (("db1", "db2", "db3") if given else ())


@pytest.mark.parametrize(
    ("holds", "left", "given"), [("third", 5.0, False), ("third", 0.0, True), ("run-1", 5.0, True)]
)
def test_nothing_is_given_back_beside_the_claim_of_another_run_until_that_has_ended(
    holds: str, left: float, given: bool
) -> None:
    own = {"lease": {"run": "run-1", "owner": "me", "seconds_left": 200, "acted_seconds_ago": 60}}
    decision = decided("failover", holds=holds, left=left, db1=SERVES | own, db2=FOLLOWS, db3=FOLLOWS)
    assert decision.refused and decision.gives_back == (("db1", "db2", "db3") if given else ())
    free = EndpointView("reads.example.", True, (ADDRESS["db1"],), 4)
    both = decided("failover", holds=holds, left=left, beside=(free,), db1=SERVES | own, db2=FOLLOWS, db3=FOLLOWS)
    assert both.gives_back == decision.gives_back, "one endpoint of several is enough"
