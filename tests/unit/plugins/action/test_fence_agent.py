# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time

import pytest
from ansible.errors import AnsibleConnectionFailure
from fake_action import FakeConnection, made, over

from ansible_collections.continuity.dr.plugins.action.fence_agent import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils import journal

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

    def do(state, check_mode=False, **args):
        values = {**ARGS, "agent": str(program), "state": state, **args}
        action = made(ActionModule, values, connection, check_mode=check_mode, delegate_to="localhost")
        return action.run(task_vars={"inventory_hostname": "payments-db"})

    do.program, do.power = program, program.with_name("fence_fake.power")
    return do


def calls(fence):
    return fence.program.with_name("fence_fake.calls").read_text(encoding="utf-8").split()


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
