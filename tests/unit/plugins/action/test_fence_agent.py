# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time

import pytest
from ansible.errors import AnsibleConnectionFailure
from fake_action import FakeConnection, made, over

from ansible_collections.continuity.dr.plugins.action.fence_agent import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils import journal, run

AGENT = r"""#!/bin/sh
cat > "$0.in"; action=$(sed -n 's/^action=//p' "$0.in"); echo "$action" >> "$0.calls"
case $action in
  metadata) cat <<'END'
<resource-agent name="fence_fake"><parameters><parameter name="plug" required="1"/><parameter name="password"/>
<parameter name="lanplus"/></parameters><actions>
<action name="on"/><action name="off"/><action name="reboot"/><action name="status"/></actions></resource-agent>
END
    ;;
  status) if [ "$(cat "$0.power" 2>/dev/null)" = off ]; then echo "Status: OFF"; exit 2; else echo "Status: ON"; fi ;;
  *) [ -e "$0.stuck" ] || echo "$action" > "$0.power" ;;
esac
"""
ARGS = {
    "service": "payments-db",
    "member": "db1",
    "options": {"password": "hunter2-x", "lanplus": True},
    "timeout": 0.6,
    "devices": [{"plug": 7}],
}


@pytest.fixture
def fence(tmp_path):
    """`fence("fenced")` runs the action; `fence.program` is the agent's path."""
    program = tmp_path / "fence_fake"
    program.write_text(AGENT, encoding="utf-8")
    program.chmod(0o755)
    connection = FakeConnection(over({"PATH": "/usr/bin:/bin"}))

    def do(state, check_mode=False, facts=None, **args):
        values = {**ARGS, "agent": str(program), "state": state, **args}
        action = made(ActionModule, values, connection, check_mode=check_mode, delegate_to="localhost")
        return action.run(task_vars={"inventory_hostname": "payments-db", "ansible_facts": facts or {}})

    do.program, do.power = program, program.with_name("fence_fake.power")
    return do


def calls(fence):
    return fence.program.with_name("fence_fake.calls").read_text(encoding="utf-8").split()


def test_a_run_that_slept_past_its_claim_switches_nothing_off(fence):
    """Another run may have moved the service to this very member meanwhile."""
    late = fence("fenced", not_after=time.time() - 3)
    assert late["failed"] is True and late["changed"] is False
    assert [refusal["rule"] for refusal in late["refusals"]] == ["lease_expired"]
    assert "this run slept between its claim and the fence of db1" in late["msg"] and "off" not in calls(fence)
    assert fence("fenced", not_after=time.time() + 300)["changed"] is True
    # What it switched off it may switch on: the member comes up with its database held down
    assert fence("released", not_after=time.time() - 3)["state"] == "on"


def test_a_fence_is_a_proof_and_the_time_from_which_no_write_may_come(fence):
    before = time.time()
    result = fence("fenced")
    assert (result["changed"], result["fenced"], result["level"], result["state"]) == (True, True, 3, "off")
    assert result["evidence"] == "db1: level 3 by fence_agent: fence_fake 7 is off"
    assert before <= result["ansible_facts"]["continuity_fenced"]["db1"] <= time.time()
    assert result["ansible_facts"]["continuity_fence_evidence"]["db1 fence_agent"]["level"] == 3
    assert "lanplus=1" in fence.program.with_name("fence_fake.in").read_text(encoding="utf-8")
    again = fence("fenced")
    assert (again["changed"], again["level"]) == (False, 3)
    assert calls(fence).count("off") == 1


@pytest.fixture
def verb(tmp_path):
    """`verb()` begins a run in this process, as a verb does, in place of one before."""

    def begin(run_id="run-a"):
        run.forget()
        services, runs = {"payments-db": {"endpoints": []}}, str(tmp_path / "runs")
        run.begin(verb="failover", inputs={}, plan={}, services=services, run_id=run_id, runs_directory=runs)

    yield begin
    run.forget()


def test_within_a_run_an_agent_is_asked_once_what_it_is_and_each_time_what_the_device_says(fence, verb):
    verb()
    facts = fence("proven", required=False)["ansible_facts"]
    assert calls(fence) == ["metadata", "status"]
    fenced = fence("fenced", facts=facts)
    assert (fenced["changed"], fenced["level"], calls(fence).count("metadata")) == (True, 3, 1)
    fence.power.write_text("on", encoding="utf-8")
    again = fence("proven", facts=fenced["ansible_facts"])
    assert (again["failed"], again["reason"], calls(fence).count("metadata")) == (True, "not_fenced", 1)


@pytest.mark.parametrize("later", ["another run", "the same run, started again", "another member", "no run"])
def test_what_was_compared_holds_for_this_process_of_this_run_and_this_fence(fence, verb, later):
    verb()
    facts = fence("proven", required=False)["ansible_facts"]
    if later == "no run":
        run.forget()
    elif later != "another member":
        verb("run-b" if later == "another run" else "run-a")
    fence("proven", required=False, facts=facts, member="db2" if later == "another member" else "db1")
    assert calls(fence).count("metadata") == 2


def test_an_agent_whose_device_said_nothing_is_compared_again(fence, verb):
    verb()
    fence.program.write_text(AGENT.replace('else echo "Status: ON"; fi', "fi"), encoding="utf-8")
    facts = fence("proven", required=False)["ansible_facts"]
    assert facts["continuity_fence_evidence"]["db1 fence_agent"]["state"] == "unknown"
    fence("proven", required=False, facts=facts)
    assert calls(fence).count("metadata") == 2


def test_a_device_that_stays_on_is_an_error_and_no_fact(fence):
    fence.program.with_name("fence_fake.stuck").touch()
    result = fence("fenced")
    assert (result["failed"], result["reason"], result["fenced"], result["level"]) == (True, "not_fenced", False, None)
    assert "db1 is not fenced: fence_fake 7 is on" in result["msg"] and "ansible_facts" not in result
    assert "off" in calls(fence)


def test_a_look_fails_only_where_the_proof_is_asked_for(fence):
    result = fence("proven")
    assert (result["failed"], result["reason"]) == (True, "not_fenced")
    asked = fence("proven", required=False)
    assert (asked["fenced"], asked["state"], asked["changed"]) == (False, "on", False)
    evidence = asked["ansible_facts"]["continuity_fence_evidence"]["db1 fence_agent"]
    assert (evidence["level"], evidence["gives"], evidence["answers"]) == (None, 3, True)
    assert "continuity_fenced" not in asked["ansible_facts"]
    assert "off" not in calls(fence)


def test_check_mode_asks_and_switches_nothing(fence):
    result = fence("fenced", check_mode=True)
    assert (result["changed"], result["fenced"], result["state"]) == (True, False, "on")
    assert "off" not in calls(fence)
    fence("fenced")
    assert fence("fenced", check_mode=True)["changed"] is False


def test_a_release_switches_on(fence):
    fence("fenced")
    assert fence("released", check_mode=True)["changed"] is True
    result = fence("released")
    assert (result["changed"], result["state"], result["level"]) == (True, "on", None)
    fence("fenced")
    fence.program.with_name("fence_fake.stuck").touch()
    assert fence("released")["reason"] == "not_released"


def test_a_wrong_option_is_named_without_its_value(fence):
    result = fence("fenced", options={"pasword": "hunter2-x"})
    assert (result["failed"], result["reason"], result["fenced"]) == (True, "bad_agent", False)
    assert 'did you mean "password"' in result["msg"] and "hunter2" not in result["msg"]
    assert set(calls(fence)) == {"metadata"}


def test_a_host_of_the_agent_that_cannot_be_reached_proves_nothing():
    def lost(*_):
        raise AnsibleConnectionFailure("no route to host")

    args = {**ARGS, "agent": "fence_fake", "state": "fenced"}
    result = made(ActionModule, args, FakeConnection(lost)).run(task_vars={})
    assert (result["failed"], result["fenced"], result["level"]) == (True, False, None)
    assert "gave no answer" in result["msg"]


def test_a_fence_and_its_release_are_journaled_without_secrets_and_a_look_is_not(fence, fence_journal):
    path = fence_journal(fence)
    written = journal.read(path)
    assert written[1]["data"]["evidence"].startswith("db1: level 3") and written[0]["data"]["member"] == "db1"
    assert "hunter2" not in path.read_text(encoding="utf-8")
