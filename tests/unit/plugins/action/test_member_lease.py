# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from fake_action import FakeConnection, made, over
from fake_member import FakeMember

from ansible_collections.continuity.dr.plugins.action.member_lease import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils import lease

MINE = {"service": "payments-db", "run_id": "run-a", "epoch": 8, "owner": "ann@ops"}
OTHERS = {**MINE, "run_id": "run-b", "owner": "bob@ops"}


@pytest.fixture
def hold(tmp_path, monkeypatch):
    """`hold(args)` runs the action against a member of stand-ins."""
    member = FakeMember(tmp_path)
    monkeypatch.setattr(lease, "STATE_DIRECTORY", str(member.state))

    def run(args, **task):
        return made(ActionModule, args, FakeConnection(over(member.environment)), **task).run(task_vars={})

    run.member = member
    return run


def test_a_lease_is_held_renewed_and_given_back(hold):
    assert {key: hold(MINE)[key] for key in ("changed", "held")} == {"changed": True, "held": True}
    assert hold(MINE)["changed"] is False
    assert {key: hold({**MINE, "state": "released"})[key] for key in ("changed", "held")} == {
        "changed": True,
        "held": False,
    }
    assert hold({**MINE, "state": "released"})["changed"] is False
    assert hold(OTHERS)["held"] is True


def test_another_run_is_refused_with_who_holds_it_and_what_to_do(hold):
    hold(MINE)
    result = hold(OTHERS)
    assert (result["failed"], result["changed"], result["refused"]) == (True, False, True)
    (refusal,) = result["refusals"]
    assert refusal["rule"] == "lease_held" and refusal["measured"].startswith("run-a by ann@ops, ")
    assert refusal["limit"] == "free, or held by run run-b" and "continuity_run_id" in result["msg"]


def test_an_older_epoch_is_refused(hold):
    hold(MINE)
    hold({**MINE, "state": "released"})
    assert [r["rule"] for r in hold({**OTHERS, "epoch": 7})["refusals"]] == ["stale_epoch"]


def test_check_mode_contacts_nobody(hold):
    result = made(ActionModule, MINE, FakeConnection(), check_mode=True).run(task_vars={})
    assert (result["changed"], result["held"]) == (False, False)


def test_a_state_directory_that_cannot_be_written_is_told_with_what_must_be(hold):
    (hold.member.state / "payments-db").mkdir()
    (hold.member.state / "payments-db" / "lease.new").mkdir()
    result = hold(MINE)
    assert (result["failed"], result["reason"]) == (True, "lease_failed")
    assert (
        "db1: the lease could not be written: " in result["msg"]
        and "must exist and belong to the login" in result["msg"]
    )


@pytest.mark.parametrize("wrong", [{"run_id": ""}, {"run_id": "a b"}, {"service": "../x"}])
def test_a_name_that_is_none_is_bad_input_and_contacts_nobody(wrong):
    result = made(ActionModule, {**MINE, **wrong}, FakeConnection()).run(task_vars={})
    assert (result["failed"], result["reason"]) == (True, "bad_input")
