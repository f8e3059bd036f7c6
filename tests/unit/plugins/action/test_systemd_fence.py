# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time

import pytest
from ansible.errors import AnsibleConnectionFailure
from fake_action import FakeConnection, made, over
from fake_member import FakeMember

from ansible_collections.continuity.dr.plugins.action.systemd_fence import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils import journal, lease

UNIT, OTHER = "postgresql@15-main.service", "pooler.service"
ARGS = {"service": "payments-db", "units": [UNIT], "ports": [], "timeout": 1}


@pytest.fixture
def fence(tmp_path, monkeypatch):
    """`fence("fenced")` runs the action against a member whose unit is active."""
    member = FakeMember(tmp_path)
    monkeypatch.setattr(lease, "STATE_DIRECTORY", str(member.state))
    member.unit(UNIT, ActiveState="active")

    def do(state, check_mode=False, **args):
        action = made(
            ActionModule,
            {**ARGS, "state": state, **args},
            FakeConnection(over(member.environment)),
            check_mode=check_mode,
        )
        return action.run(
            task_vars={"ansible_facts": {"continuity_fenced": {"db9": 1.0}}, "inventory_hostname": "payments-db"}
        )

    do.member = member
    return do


def test_a_fence_is_a_proof_and_the_time_from_which_no_write_may_come(fence):
    before = time.time()
    result = fence("fenced")
    assert (result["changed"], result["fenced"], result["level"]) == (True, True, 3)
    assert result["evidence"] == f"{UNIT} is masked, inactive, 0 processes"
    windows = result["ansible_facts"]["continuity_fenced"]
    assert windows["db9"] == 1.0 and before <= windows["db1"] <= time.time()
    assert fence("fenced")["changed"] is False
    assert fence("proven")["changed"] is False


@pytest.mark.parametrize("state", ["fenced", "proven"])
def test_what_is_not_proven_is_an_error_and_no_fact(fence, state):
    fence.member.hook(UNIT, "mask", "exit 1")
    result = fence(state)
    assert (result["failed"], result["reason"], result["fenced"]) == (True, "not_fenced", False)
    assert (
        "db1 is not fenced: postgresql@15-main.service is loaded" in result["msg"]
        and "Nothing was promoted" in result["msg"]
    )
    assert "ansible_facts" not in result


def test_an_answer_that_says_nothing_is_no_fence():
    for answer in (b"", b"@@unit x masked inactive 0\n"):
        connection = FakeConnection(lambda *_, answer=answer: (0, answer, b"sudo: a password is required"))
        result = made(ActionModule, {**ARGS, "state": "fenced"}, connection).run(task_vars={})
        assert result["failed"] is True and "nothing was read back" in result["msg"]


def test_without_a_unit_nothing_is_waited_for():
    connection = FakeConnection(lambda *_: (0, b"", b""))
    for state in ("fenced", "released"):
        result = made(ActionModule, {**ARGS, "units": [], "state": state}, connection).run(task_vars={})
        assert (result["failed"], result["reason"]) == (True, "bad_input") and "name at least one" in result["msg"]
    told = made(ActionModule, {**ARGS, "units": [], "state": "proven", "required": False}, connection)
    assert told.run(task_vars={})["fenced"] is False


def test_a_machine_that_cannot_be_reached_is_not_fenced():
    def lost(*_):
        raise AnsibleConnectionFailure("no route to host")

    result = made(ActionModule, {**ARGS, "state": "fenced"}, FakeConnection(lost)).run(task_vars={})
    assert (result["failed"], result["reachable"], result["reason"]) == (True, False, "unreachable")
    assert "fenced" not in result


def test_the_proof_of_one_unit_is_not_that_of_the_other(fence):
    fence.member.unit(OTHER, ActiveState="active")
    fence.member.hook(OTHER, "show", "exit 1")
    result = fence("fenced", units=[UNIT, OTHER])
    assert result["failed"] is True and f"{OTHER} is unknown" in result["msg"]


def test_a_release_unmasks_and_a_unit_that_stays_masked_is_an_error(fence):
    fence("fenced")
    result = fence("released")
    assert (result["changed"], result["fenced"], result["level"]) == (True, False, None)
    assert fence("released")["changed"] is False
    fence("fenced")
    fence.member.hook(UNIT, "unmask", "exit 1")
    refused = fence("released")
    assert (refused["failed"], refused["reason"]) == (True, "not_released") and "is still fenced" in refused["msg"]


def test_check_mode_tells_what_would_change_and_only_looks(fence):
    assert fence("fenced", check_mode=True)["changed"] is True
    assert fence("released", check_mode=True)["changed"] is False
    assert fence.member.commands == []
    fence("fenced")
    assert fence("fenced", check_mode=True)["changed"] is False
    assert fence("released", check_mode=True)["changed"] is True


def test_a_machine_that_boots_is_tried_until_its_systemd_answers(fence):
    real, tries = over(fence.member.environment), []

    def booting(command, script):
        tries.append(script)
        if len(tries) == 1:
            raise AnsibleConnectionFailure("connection refused")
        return (1, b"", b"Failed to connect to bus") if len(tries) == 2 else real(command, script)

    def do(**args):
        action = made(ActionModule, {**ARGS, "state": "fenced", **args}, FakeConnection(booting))
        return action.run(task_vars={})

    assert do()["reason"] == "unreachable"
    tries.clear()
    assert do(answer_within=20)["fenced"] is True and len(tries) == 3


def test_without_the_lease_of_the_run_nothing_is_stopped(fence):
    for state in ("fenced", "released"):
        result = fence(state, run_id="run-a", epoch=8)
        assert [refusal["rule"] for refusal in result["refusals"]] == ["lease_lost"]
    assert fence.member.commands == []


def test_a_fence_and_its_release_are_journaled_and_a_look_is_not(fence, fence_journal):
    written = journal.read(fence_journal(fence))
    assert written[1]["data"]["evidence"].startswith(UNIT)
