# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import dataclasses
import json
from types import MappingProxyType

import pytest
from fake_action import made

from ansible_collections.continuity.dr.plugins.action.outcome import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils import journal, run, spine
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    Decision,
    LastSeen,
    Observation,
    Refusal,
    Step,
)

MEMBERS = [{"host": "db1", "site": "dc1"}, {"host": "db2", "site": "dc2"}]
SERVICES = {
    "shop": {"members": MEMBERS, "depends_on": ["accounts", "not-in-this-run"]},
    "accounts": {"members": [], "depends_on": []},
}
MOVES = Decision("shop", "switchover", steps=(Step("lease", "db1"), Step("promote", "db2"), Step("point")), epoch=8)
REFUSED = Decision(
    "shop", "switchover", refusals=(Refusal("lag_unknown", "?", "!", "m"), Refusal("no_target", "?", "!", "m"))
)
NOTHING = Decision("shop", "switchover")


@pytest.fixture
def begun(tmp_path):
    run.forget()
    yield run.begin(verb="switchover", inputs={}, plan={}, services=SERVICES, runs_directory=str(tmp_path))
    run.forget()


def outcome(decision=None, accounts=MappingProxyType({"state": "done"}), check_mode=False, observed=None, **args):
    facts = {"continuity_decision": decision.to_dict()} if decision else {}
    facts |= {"continuity_endpoint_observed": observed} if observed else {}
    other = {"ansible_facts": {"continuity_outcome": dict(accounts)}} if accounts else {}
    variables = {"ansible_facts": facts, "hostvars": {"accounts": other}, "inventory_hostname": "shop"}
    action = made(ActionModule, {"state": "begun", "service": "shop", **args}, check_mode=check_mode, delegate_to=None)
    return action.run(task_vars=variables)


SEEN = Observation(
    "db2",
    "dc2",
    reachable=True,
    running=True,
    role="primary",
    followers={"db1": "sync"},
    timeline=2,
    position=9,
    asked=5.0,
)


@pytest.mark.parametrize(
    ("state", "seen", "kept"),
    [
        ("done", SEEN, LastSeen(5.0, "db2", 9, {"db1": "sync"}, 2)),
        ("done", dataclasses.replace(SEEN, role="replica"), None),
        ("done", Observation("db2", "dc2", asked=5.0), None),
        ("done", None, None),
        ("failed", SEEN, None),
        ("refused", SEEN, None),
    ],
    ids=["primary", "no primary", "unreachable", "nothing seen", "failed", "refused"],
)
def test_the_end_of_a_walk_keeps_the_primary_that_was_verified(begun, state, seen, kept):
    said = {"shop": json.loads(json.dumps(dataclasses.asdict(seen)))} if seen else {}
    variables = {"ansible_facts": {"continuity_observed": said}, "hostvars": {}, "inventory_hostname": "shop"}
    for check_mode in (True, False):
        assert spine.last_seen(begun, "shop") is None
        action = made(ActionModule, {"state": state, "service": "shop"}, check_mode=check_mode, delegate_to=None)
        action.run(task_vars=variables)
    assert spine.last_seen(begun, "shop") == kept


def lines(begun):
    return [(e["state"], e["data"]) for e in journal.read(journal.path_of(begun.directory, "shop"))]


def test_outside_a_run_it_says_whose_step_it_is():
    run.forget()
    result = outcome(MOVES)
    assert (result["failed"], result["reason"]) == (True, "no_run") and "shop is not in this run" in result["msg"]


def test_a_decision_with_steps_may_be_carried_out(begun):
    result = outcome(MOVES)
    assert (result["proceed"], result["changed"], result["outcome"]) == (True, False, {"state": "begun", "message": ""})
    walk = result["ansible_facts"]["continuity_walk"]
    assert (walk["steps"]["lease"], walk["steps"]["promote"], walk["steps"]["point"]) == (["db1"], "db2", True)
    assert walk["members"] == {"db1": MEMBERS[0], "db2": MEMBERS[1]} and walk["minimum_epoch"] == 7
    assert (walk["run_id"], walk["owner"], walk["directory"]) == (begun.run_id, begun.operator, begun.directory)
    assert walk["break_run"] == ""
    assert lines(begun) == [], "only an end is an outcome"


def test_only_an_endpoint_that_answered_is_claimed_and_switched(begun):
    observed = {"a.example.": {"reachable": True}, "b.example.": {"reachable": False}, "c.example.": {}}
    assert outcome(MOVES, observed=observed)["ansible_facts"]["continuity_walk"]["answering"] == ["a.example."]
    assert outcome(MOVES)["ansible_facts"]["continuity_walk"]["answering"] == []


def test_what_an_earlier_stage_left_behind_is_gone(begun):
    facts = outcome(MOVES)["ansible_facts"]
    for name in ("armed", "demoted", "promoted", "rejoined", "endpoint_pointed", "claims", "fenced", "fence_evidence"):
        assert facts[f"continuity_{name}"] == {}, name
    assert facts["service_freezing"] == {}


def test_a_refused_decision_is_not_carried_out_and_ends_as_refused(begun):
    result = outcome(REFUSED)
    assert (result["proceed"], result["changed"]) == (False, False)
    assert result["outcome"] == {"state": "refused", "message": "lag_unknown, no_target"}
    ((state, data),) = lines(begun)
    assert state == "refused" and data["message"] == "lag_unknown, no_target" and data["stage"] == "switchover"


def test_a_goal_that_is_reached_is_done(begun):
    result = outcome(NOTHING)
    assert (result["proceed"], result["changed"], result["outcome"]["state"]) == (False, False, "done")
    assert [state for state, _data in lines(begun)] == ["done"]


def test_where_nothing_was_decided_nothing_is_done(begun):
    result = outcome()
    assert result["proceed"] is False and result["outcome"] == {"state": "refused", "message": "no decision was made"}


@pytest.mark.parametrize("state", ["failed", "refused"])
def test_a_service_is_refused_when_what_it_depends_on_did_not_arrive(begun, state):
    result = outcome(MOVES, accounts={"state": state})
    assert result["proceed"] is False and result["outcome"]["state"] == "refused"
    assert result["outcome"]["message"].startswith("it depends on accounts, which")
    assert [state for state, _data in lines(begun)] == ["refused"]


def test_a_dependency_that_arrived_or_is_not_in_this_run_blocks_nobody(begun):
    assert outcome(MOVES, accounts={"state": "done"})["proceed"] is True


def test_check_mode_tells_that_it_would_change_and_begins_nothing(begun):
    result = outcome(MOVES, check_mode=True)
    assert (result["changed"], result["proceed"]) == (True, False)
    assert outcome(NOTHING, check_mode=True)["changed"] is False
    assert outcome(REFUSED, check_mode=True)["changed"] is False


@pytest.mark.parametrize("state", ["done", "failed", "refused"])
def test_an_end_is_written_with_what_happened_and_what_to_run_next(begun, state):
    result = outcome(
        state=state, message="db2 did not leave recovery", next_command="ansible-playbook x", data={"undone": True}
    )
    assert result["changed"] is False and "failed" not in result
    assert result["ansible_facts"]["continuity_outcome"]["state"] == state
    ((written, data),) = lines(begun)
    assert written == state
    assert (data["message"], data["next_command"], data["undone"]) == (
        "db2 did not leave recovery",
        "ansible-playbook x",
        True,
    )


def test_further_facts_cannot_turn_a_failure_into_a_success(begun):
    result = outcome(state="failed", message="m", data={"state": "done", "message": "fine"})
    assert result["outcome"]["state"] == "failed" and result["outcome"]["message"] == "m"
    assert [state for state, _data in lines(begun)] == ["failed"]


def test_only_a_refused_run_gives_back_without_a_walk(begun):
    held = ("db1", "db2")
    given = {
        "refused": outcome(dataclasses.replace(REFUSED, gives_back=held)),
        "blocked": outcome(dataclasses.replace(MOVES, gives_back=held), accounts={"state": "failed"}),
        "carried out": outcome(dataclasses.replace(MOVES, gives_back=held)),
        "at its goal": outcome(dataclasses.replace(NOTHING, gives_back=held)),
        "check mode": outcome(dataclasses.replace(REFUSED, gives_back=held), check_mode=True),
        "holds nothing": outcome(REFUSED),
    }
    walks = {name: result["ansible_facts"]["continuity_walk"]["gives_back"] for name, result in given.items()}
    assert [name for name, members in walks.items() if members] == ["refused", "blocked"]
    assert walks["refused"] == walks["blocked"] == ["db1", "db2"]
