# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from fake_action import made

from ansible_collections.continuity.dr.plugins.action import drill_fault
from ansible_collections.continuity.dr.plugins.action.drill_fault import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils import journal, run
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Decision, Refusal

READY = Decision("shop", "assess", from_member="db1").to_dict()
REFUSED = Decision("shop", "assess", refusals=(Refusal("lag_unknown", "?", "!", "m"),)).to_dict()


@pytest.fixture
def begin(tmp_path):
    def start(environment="drill"):
        run.forget()
        return run.begin(
            verb="drill",
            inputs={},
            plan={"environment": environment},
            services={"shop": {}},
            runs_directory=str(tmp_path),
        )

    yield start
    run.forget()


@pytest.fixture
def at(monkeypatch):
    """`at(5.0)` sets the clock."""
    return lambda now: monkeypatch.setattr(drill_fault.time, "time", lambda: now)


def note(state, decision=READY, **facts):
    args = {"state": state, "service": "shop", "fault": "/lab/faults/primary_crashed.yml", "member": "db1"}
    variables = {"inventory_hostname": "shop", "ansible_facts": {"continuity_decision": decision, **facts}}
    return made(ActionModule, args, delegate_to=None).run(task_vars=variables)


def test_the_fault_is_kept_between_two_marks_and_counted_from_the_earlier(begin, at):
    begun = begin()
    at(100.0)
    before = note("injecting")
    assert before["fault"] == {"name": "primary_crashed", "member": "db1", "window_start": 100.0}
    at(103.0)
    after = note("injected", continuity_fault=before["ansible_facts"]["continuity_fault"])
    assert after["ansible_facts"]["continuity_fault"] == {
        "name": "primary_crashed",
        "member": "db1",
        "window_start": 100.0,
        "time": 100.0,
        "injected": 103.0,
    }
    at(160.0)
    healed = note("healed", continuity_fault=after["ansible_facts"]["continuity_fault"])
    assert healed["fault"]["healed"] == 160.0 and healed["fault"]["time"] == 100.0
    written = journal.read(journal.path_of(begun.directory, "shop"))
    assert [(e["step"], e["state"]) for e in written] == [("inject", "started"), ("inject", "done")] * 2 + [
        ("heal", "started"),
        ("heal", "done"),
    ]


def test_a_fault_without_its_first_mark_counts_from_now(begin, at):
    begin()
    at(103.0)
    assert note("injected")["fault"]["time"] == 103.0


@pytest.mark.parametrize("environment", ["production", None, "", "Drill"])
def test_no_fault_is_injected_outside_a_drill_environment(begin, environment):
    begun = begin(environment)
    result = note("injecting")
    assert (result["failed"], result["refused"]) == (True, True) and "ansible_facts" not in result
    (refusal,) = result["refusals"]
    assert (refusal["rule"], refusal["measured"], refusal["limit"]) == (
        "drill_on_production",
        str(environment),
        "environment: drill",
    )
    assert refusal["waivable"] is False
    assert [e["state"] for e in journal.read(journal.path_of(begun.directory, "shop"))] == ["started", "refused"]


def test_no_fault_is_injected_without_a_plan():
    run.forget()
    assert note("injecting")["refusals"][0]["rule"] == "drill_on_production"


@pytest.mark.parametrize(
    ("decision", "measured"),
    [
        (REFUSED, "lag_unknown"),
        ({"refused": False, "from_member": None}, "nothing was decided"),
        ({}, "nothing was decided"),
        (None, "nothing was decided"),
    ],
)
def test_no_fault_is_injected_into_a_service_that_could_not_be_recovered(begin, decision, measured):
    begin()
    result = note("injecting", decision)
    (refusal,) = result["refusals"]
    assert (refusal["rule"], refusal["measured"]) == ("baseline_refused", measured) and "shop" in refusal["message"]


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (
            {"msg": "Error executing command.", "rc": 2, "cmd": "docker kill db1", "stderr": "", "stdout": ""},
            "Error executing command. The program docker is not there. Install it where the task runs (docker kill",
        ),
        (
            {"msg": "[Errno 2] No such file or directory: b'docker'", "rc": 2, "cmd": ["docker", "kill", "db1"]},
            "b'docker'. The program docker is not there. Install it where the task runs (docker kill db1)",
        ),
        (
            {
                "msg": "non-zero return code",
                "rc": 1,
                "cmd": ["docker", "kill", "db1"],
                "stderr": "\nno such container\n",
            },
            "non-zero return code; no such container. The command was: docker kill db1. Run it by hand",
        ),
        ({"msg": "non-zero return code", "rc": 1, "cmd": "sh", "stdout": "lost"}, "; lost. The command was: sh."),
        ({"msg": "the path is missing"}, "failed: the path is missing. Mend it, then run the drill again"),
        ({"censored": "the output has been hidden"}, "failed: it said nothing. Mend it"),
        ({}, "failed: it said nothing. Mend it"),
    ],
)
def test_a_fault_that_failed_names_its_file_its_task_the_command_and_what_to_do(begin, failure, told):
    begun = begin()
    args = {"state": "failed", "service": "shop", "fault": "/lab/crashed.yml", "member": "db1"}
    args |= {"task": "Kill it", "failure": failure}
    result = made(ActionModule, args, delegate_to=None).run(task_vars={"inventory_hostname": "shop"})
    assert (result["failed"], result["reason"]) == (True, "fault_failed")
    assert result["msg"].startswith('/lab/crashed.yml: the task "Kill it" failed: ') and told in result["msg"]
    assert [(e["step"], e["state"]) for e in journal.read(journal.path_of(begun.directory, "shop"))][-1] == (
        "inject",
        "failed",
    )


def test_a_command_that_is_a_whole_script_is_cut(begin):
    begin()
    told = drill_fault.why_failed("f.yml", "t", {"msg": "no", "cmd": "sh -c " + "x\n" * 900})
    assert len(told) < 500 and "\n" not in told and "..." in told
