# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate in front of a promotion: fresh evidence, of every member, strong enough."""

from __future__ import annotations

import pytest
from fake_action import made

from ansible_collections.continuity.dr.plugins.action.fence_proof import ActionModule
from ansible_collections.continuity.dr.plugins.filter.proven import proven
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence


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
