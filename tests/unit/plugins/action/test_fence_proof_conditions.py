# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each condition of a proof alone: without it the gate in front of a promotion stays shut, whatever else is there."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from fake_action import made

from ansible_collections.continuity.dr.plugins.action import fence_proof
from ansible_collections.continuity.dr.plugins.action.fence_proof import ActionModule
from ansible_collections.continuity.dr.plugins.filter.proven import proven
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence, strongest

SINCE = 100.0
OFF = Evidence("db1", "fence_agent", "off", 3, True, 3, "plug 1 is off", 150.0)
CLOSED = Evidence("db1", "fence_network", "isolated", 2, True, 2, "gw1 drops them", 150.0)
OPEN = Evidence("db1", "fence_network", "open", None, True, 2, "c1 sees it alive", 150.0)


@pytest.fixture(autouse=True)
def five_seconds_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence_proof.time, "time", lambda: 155.0)


def gate(*evidence: Evidence, **args: Any) -> dict[str, Any]:
    values = {"service": "shop", "members": ["db1"], "min_level": 3, "since": SINCE, **args}
    facts = {"continuity_fence_evidence": {each.key: each.to_dict() for each in evidence}}
    return dict(made(ActionModule, values).run(task_vars={"ansible_facts": facts}))


def lacking(*evidence: Evidence, **args: Any) -> list[str]:
    """The members that are not proven to be out of the way; an open gate has none."""
    result = gate(*evidence, **args)
    assert bool(result.get("failed")) is ("lacking" in result)
    return list(result.get("lacking", []))


@pytest.mark.parametrize(
    "change",
    [
        {"member": "db2"},
        {"time": 99.9},
        {"time": None},
        {"level": None},
        {"level": 2},
        {"level": 0},
        {"state": "isolated", "level": 2},
    ],
    ids=str,
)
def test_one_condition_that_does_not_hold_is_no_proof(change: dict[str, Any]) -> None:
    assert lacking(OFF) == []
    assert lacking(dataclasses.replace(OFF, **change)) == ["db1"]


@pytest.mark.parametrize(
    ("level", "min_level", "opens"),
    [
        (3, 3, True),
        (2, 3, False),
        (2, 2, True),
        (1, 2, False),
        (1, 1, True),
        (0, 1, False),
        (1, 0, True),
        (0, 0, False),  # a word: whoever is taken at it has no fence step
    ],
)
def test_the_level_that_is_asked_for_is_enough_and_a_word_never_is(level: int, min_level: int, opens: bool) -> None:
    said = dataclasses.replace(OFF, level=level)
    assert (lacking(said, min_level=min_level) == []) is opens
    assert proven({said.key: said.to_dict()}, "db1", min_level) is opens


def test_what_was_read_back_at_the_very_beginning_of_the_walk_counts() -> None:
    assert lacking(dataclasses.replace(OFF, time=SINCE), max_age=60.0) == []


@pytest.mark.parametrize("members", [["db1", "db3"], ["db3", "db1"]])
def test_of_several_members_each_needs_a_proof_of_its_own(members: list[str]) -> None:
    other = dataclasses.replace(OFF, member="db3")
    assert lacking(OFF, other, members=members) == []
    assert lacking(OFF, members=members) == ["db3"]
    assert lacking(other, members=members) == ["db1"]
    assert lacking(OFF, dataclasses.replace(other, level=2), members=members) == ["db3"]
    assert lacking(OFF, dataclasses.replace(other, time=99.0), members=members) == ["db3"]
    assert lacking(members=members) == members


@pytest.mark.parametrize("weak", [OPEN, CLOSED, dataclasses.replace(CLOSED, level=0)], ids=str)
def test_of_what_several_fences_said_in_this_walk_the_strongest_counts_in_any_order(weak: Evidence) -> None:
    for said in ((OFF, weak), (weak, OFF)):
        assert strongest(said, SINCE) == {"db1": OFF}
        assert gate(*said)["evidence"] == ["db1: level 3 by fence_agent: plug 1 is off"]


@pytest.mark.parametrize("weak", [OPEN, CLOSED], ids=str)
def test_what_was_strong_before_this_walk_lends_nothing_to_what_is_said_now(weak: Evidence) -> None:
    before = dataclasses.replace(OFF, time=99.0)
    for said in ((before, weak), (weak, before)):
        assert lacking(*said) == ["db1"]
        assert strongest(said, SINCE) == {"db1": weak}


def test_a_word_is_more_than_nothing_and_less_than_any_device() -> None:
    word = dataclasses.replace(OFF, source="word", level=0)
    for said in ((OPEN, word), (word, OPEN)):
        assert strongest(said, SINCE) == {"db1": word}
    first = dataclasses.replace(CLOSED, source="fence_first")
    assert strongest((first, CLOSED), SINCE) == {"db1": first}, "of two that are as strong the first"


def test_the_gate_says_what_those_said_that_are_not_enough_and_of_nobody_else() -> None:
    result = gate(OFF, dataclasses.replace(CLOSED, member="db3"), members=["db1", "db3"], failures=["fence_x: deaf"])
    assert result["msg"].startswith(
        "db3 is not fenced: nothing of level 3 was read back. fence_x: deaf. db3: level 2 by "
    )
    assert "db1" not in result["msg"]
    assert "No fence said anything" in gate(members=["db3"])["msg"]
    works = gate(OPEN)["msg"]
    assert "read back. db1: fence_network works and could prove level 2: c1 sees it alive" in works


@pytest.mark.parametrize(
    "known", [{}, {"ansible_facts": {}}, {"ansible_facts": {"continuity_fence_evidence": {}}}], ids=str
)
def test_where_no_fence_left_anything_the_gate_is_shut_and_says_so(known: dict[str, Any]) -> None:
    result = made(ActionModule, {"service": "shop", "members": ["db1"], "since": SINCE}).run(task_vars=known)
    assert (result["failed"], result["reason"], result["lacking"]) == (True, "not_fenced", ["db1"])
