# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate in front of a promotion: fresh evidence, of every member, strong enough."""

from __future__ import annotations

import dataclasses

import pytest
from fake_action import made

from ansible_collections.continuity.dr.plugins.action import fence_proof
from ansible_collections.continuity.dr.plugins.action.fence_proof import ActionModule
from ansible_collections.continuity.dr.plugins.filter.proven import proven
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence

NOW, MONOTONIC = 155.0, 1000.0


@pytest.fixture(autouse=True)
def clocks(monkeypatch):
    monkeypatch.setattr(fence_proof.time, "time", lambda: NOW)
    monkeypatch.setattr(fence_proof.time, "monotonic", lambda: MONOTONIC)


def facts(*evidence):
    return {each.key: each.to_dict() for each in evidence}


def gate(*evidence, check_mode=False, **args):
    values = {"service": "shop", "members": ["db1"], "min_level": 2, "since": 100.0, **args}
    known = {"ansible_facts": {"continuity_fence_evidence": facts(*evidence)}}
    return made(ActionModule, values, check_mode=check_mode).run(task_vars=known)


OFF = Evidence("db1", "fence_agent", "off", 3, True, 3, "plug 1 is off", 150.0)
CLOSED = Evidence("db1", "fence_network", "isolated", 2, True, 2, "gw1 drops them", 150.0)


def test_fresh_evidence_opens_the_gate_and_is_told():
    assert gate(OFF)["evidence"] == ["db1: level 3 by fence_agent: plug 1 is off"]
    assert gate(CLOSED, OFF)["evidence"] == gate(OFF)["evidence"]
    assert gate(CLOSED)["evidence"] == ["db1: level 2 by fence_network: gw1 drops them"]


@pytest.mark.parametrize(
    ("evidence", "args"),
    [
        ((), {}),
        ((Evidence("db1", "fence_agent", "off", 3, True, 3, "", 99.0),), {}),  # before this walk
        ((Evidence("db1", "fence_agent", "off", 3, True, 3, "", None),), {}),
        ((Evidence("db1", "fence_agent", "on", None, True, 3, "it is on again", 150.0),), {}),
        ((Evidence("db1", "fence_agent", "unknown", None, False, None, "", 150.0),), {"min_level": 0}),
        ((CLOSED,), {"min_level": 3}),
        ((Evidence("db2", "fence_agent", "off", 3, True, 3, "", 150.0),), {}),  # another member
        ((OFF,), {"members": ["db1", "db3"]}),
    ],
)
def test_anything_less_keeps_it_shut(evidence, args):
    result = gate(*evidence, failures=["fence_agent: it is on"], **args)
    assert (result["failed"], result["reason"]) == (True, "not_fenced")
    assert "is not fenced" in result["msg"] and "fence_agent: it is on" in result["msg"]
    assert "Nothing was promoted" in result["msg"]


def test_the_gate_is_as_shut_in_check_mode():
    assert gate(check_mode=True)["reason"] == "not_fenced" and gate(check_mode=True)["failed"] is True
    assert gate(CLOSED, min_level=3, check_mode=True)["lacking"] == ["db1"]
    assert not gate(OFF, check_mode=True).get("failed")


def test_a_third_partys_claim_beyond_the_ladder_is_an_error():
    claimed = {"x": {**OFF.to_dict(), "state": "open"}}
    with pytest.raises(ValueError, match="claims level 3"):
        made(ActionModule, {"service": "s", "members": ["db1"], "since": 0.0}).run(
            task_vars={"ansible_facts": {"continuity_fence_evidence": claimed}}
        )


def test_the_filter_says_the_same():
    assert proven(facts(OFF), "db1", 3) and proven(facts(CLOSED), "db1", 2)
    assert not proven(facts(CLOSED), "db1", 3) and not proven(facts(OFF), "db2", 0) and not proven({}, "db1", 0)
    assert not proven(facts(Evidence("db1", "a", "on", None, True, 3, "", 150.0)), "db1", 0)


STOPPED = Evidence("db1", "fence_systemd", "stopped", 3, True, 3, "masked and gone", 101.0)
#: Taken ten seconds ago.
LEASE = {"seconds": 270, "monotonic": MONOTONIC - 10.0}


@pytest.mark.parametrize("seen", [OFF, CLOSED], ids=lambda seen: seen.state)
@pytest.mark.parametrize(("asked", "opens"), [(140.0, True), (139.9, False), (120.0, False), (None, True)])
def test_what_tells_of_a_moment_counts_from_when_it_was_asked_for(seen, asked, opens):
    """It may be on again since. Who slept over an answer reads it late, and it is no newer for that."""
    result = gate(dataclasses.replace(seen, asked=asked))
    assert bool(result.get("failed")) is not opens
    if not opens:
        assert result["reason"] == "not_fenced" and result["lacking"] == ["db1"]
        assert f"was asked for {NOW - asked:.0f} s ago; allowed: 15 s" in result["msg"]
        assert not gate(dataclasses.replace(seen, asked=asked), max_age=60.0).get("failed")


def test_what_is_stopped_and_masked_on_its_machine_stays_so():
    result = gate(STOPPED, lease=LEASE)
    assert not result.get("failed") and result["lease_left"] is None


@pytest.mark.parametrize(("asked", "left"), [(150.0, 250), (155.0, 245), (140.0, 260)])
def test_the_promotion_is_told_how_much_of_its_lease_must_be_left(asked, left):
    """Ten seconds of 270 are over; from the question on fifteen may be."""
    result = gate(dataclasses.replace(OFF, asked=asked), lease=LEASE)
    assert result["lease_left"] == left
    assert result["ansible_facts"] == {"continuity_fence_gate": {"lease_left": left}}


def test_the_oldest_proof_of_all_counts_and_without_a_lease_nothing_can_be_told():
    other = Evidence("db3", "fence_agent", "off", 3, True, 3, "", 154.0, 142.0)
    assert gate(OFF, other, members=["db1", "db3"], lease=LEASE)["lease_left"] == 258
    assert gate(OFF)["lease_left"] is None


LOOK = {"vantage": "db2", "alive": False, "text": "db2 sees 198.51.100.11:5432 silent", "asked": 150.0}
ALIVE = {**LOOK, "alive": True, "text": "db2 sees 198.51.100.11:5432 alive"}


def test_on_an_operators_word_the_gate_is_open_while_nobody_gets_an_answer():
    result = gate(members=[], looks=[{"skipped": True}, LOOK], lease=LEASE)
    assert not result.get("failed") and result["lease_left"] == 250
    assert gate(members=[], looks=[{"skipped": True}], lease=LEASE)["lease_left"] is None


@pytest.mark.parametrize("look", [ALIVE, {**LOOK, "controller": {**ALIVE, "text": "localhost sees it alive"}}])
def test_a_member_that_answers_somebody_keeps_it_shut_whoever_gave_the_word(look):
    result = gate(members=[], looks=[LOOK, look], lease=LEASE)
    assert (result["failed"], result["reason"]) == (True, "primary_seen")
    assert "alive" in result["msg"] and "Nothing was promoted" in result["msg"]


def test_a_look_that_was_slept_over_is_none():
    result = gate(members=[], looks=[{**LOOK, "asked": 139.0}], lease=LEASE)
    assert (result["failed"], result["reason"]) == (True, "not_fenced") and "16 s ago; allowed: 15 s" in result["msg"]


def test_of_two_gates_the_one_counts_that_allows_less():
    values = {"service": "shop", "members": [], "since": 100.0, "looks": [LOOK], "lease": LEASE}
    for earlier, left in ((260, 260), (240, 250), (None, 250)):
        known = {"ansible_facts": {"continuity_fence_gate": {"lease_left": earlier}}}
        assert made(ActionModule, values).run(task_vars=known)["lease_left"] == left
