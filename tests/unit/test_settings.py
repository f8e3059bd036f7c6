# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whole verbs under the settings that users have: none of them bypasses a guard or changes what is done."""

from __future__ import annotations

import json
import re
from pathlib import Path

import fake_world
import pytest
import yaml

from ansible_collections.continuity.dr.plugins.plugin_utils.action import CONNECT_SECONDS

ROOT = Path(__file__).resolve().parents[2]

MOVED = [
    [service, step, member]
    for service in ("accounts-db", "payments-db")
    for step, member in (("demote", "db1"), ("promote", "db2"), ("rejoin", "db1"))
]


@pytest.fixture
def verb(tmp_path, run_ansible):
    """Run a verb of the collection in a world of files; returns exit code, output, what was done and the report."""
    fake_world.lay(tmp_path)

    def run(name, *arguments, sources=("hosts.yml", "plan.yml"), **environment):
        inventory = [word for source in sources for word in ("-i", source)]
        done = run_ansible(
            "playbook", f"continuity.dr.{name}", *inventory, *arguments, **{**fake_world.ENVIRONMENT, **environment}
        )
        reports = sorted(tmp_path.glob("runs/*/report.json"))
        report = json.loads(reports[-1].read_text()) if reports else None
        return done.returncode, done.stdout, fake_world.done(tmp_path), report

    return run


TO_DC2 = ("-e", "scope=all", "-e", "target_site=dc2")
#: What a repository of playbooks may say for all its hosts.
FOR_ALL = """
ansible_become: true
ansible_become_user: nobody
ansible_connection: local
ansible_host: 127.0.0.9
continuity_verb: assess
continuity_stage: assess
service_name: another
scope: accounts-db
"""


def test_no_setting_changes_what_is_done(tmp_path, verb):
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(FOR_ALL)
    code, output, done, report = verb(
        "switchover",
        *TO_DC2,
        ANSIBLE_STRATEGY="free",
        ANSIBLE_GATHERING="implicit",
        ANSIBLE_INJECT_FACT_VARS="false",
        ANSIBLE_HASH_BEHAVIOUR="merge",
        ANSIBLE_JINJA2_NATIVE="true",
        ANSIBLE_BECOME="true",
        ANSIBLE_FORKS="1",
        ANSIBLE_FORCE_HANDLERS="true",
        ANSIBLE_DISPLAY_OK_HOSTS="false",
        ANSIBLE_DISPLAY_SKIPPED_HOSTS="false",
    )
    assert (code, done) == (0, MOVED), output
    assert {service["verdict"] for service in report["services"]} == {"not_measured"}  # there is no canary
    assert re.search(r"^payments-db +[0-9.]+s  promote db2: done [0-9.]+s +RTO 1h: back after [0-9.]+s$", output, re.M)


UNDONE = [*MOVED[:3], ["payments-db", "demote", "db1"], ["payments-db", "promote", "db1"]]


@pytest.mark.parametrize(
    "settings",
    [
        # A debugger would wait for somebody at the terminal while the primary is stopped, and end the run without one
        {"ANSIBLE_STRATEGY": "debug", "ANSIBLE_ENABLE_TASK_DEBUGGER": "true"},
        {"ANSIBLE_STRATEGY": "free", "ANSIBLE_ANY_ERRORS_FATAL": "true"},
    ],
    ids=lambda settings: settings["ANSIBLE_STRATEGY"],
)
def test_no_setting_keeps_a_failed_step_from_being_undone_and_reported(verb, settings):
    code, output, done, report = verb("switchover", *TO_DC2, TEST_FAILING="promote db2", **settings)
    assert (code, done) == (2, UNDONE), output
    assert report["verdict"] == "failed" and output.count("\nservice      way") == 1  # one report for all services
    assert "debug)>" not in output


@pytest.mark.parametrize(("broken", "expected"), [("TEST_DEAD", []), ("TEST_DYING", [MOVED[0]])])
def test_a_member_that_is_dead_or_dies_ends_its_service_and_not_the_record(verb, broken, expected):
    """Ansible would drop the service, which is alive, because of the machine that a task was delegated to."""
    code, output, done, report = verb("switchover", *TO_DC2, ANSIBLE_ANY_ERRORS_FATAL="true", **{broken: "db2"})
    assert (code, done) == (2, expected), output
    ended = {service["service"]: service["verdict"] for service in report["services"]}
    assert ended == {"accounts-db": "failed" if expected else "refused", "payments-db": "refused"}
    assert "unreachable=1" not in output


def test_what_an_earlier_stage_observed_is_not_decided_from_again(verb):
    """The baseline saw the primary where the failback wants it; nobody has seen it since it moved."""
    code, output, done, report = verb("drill", "-e", "scope=accounts", TEST_BLIND="true")
    assert (code, done) == (2, MOVED[:3]), output
    assert "accounts-db: nothing to do" not in output and "failback: REFUSED" in output
    assert report["verdict"] in ("failed", "refused")


def test_check_mode_without_a_terminal_decides_and_does_nothing(tmp_path, verb):
    before = (tmp_path / "world.json").read_text()
    code, output, done, _report = verb("switchover", *TO_DC2, "--check", "--diff")
    assert (code, done, (tmp_path / "world.json").read_text()) == (0, [], before), output
    words = " ".join(output.split())
    assert "payments-db: switchover db1 -> db2: claim, lease db1, lease db2, demote db1, promote db2" in words
    assert "demote db1: " not in output.replace("demote db1, promote", "")


PLAYBOOKS = sorted(path for path in (ROOT / "playbooks").rglob("*.yml") if path.parent.name != "tasks")


def plays(path):
    return yaml.safe_load(path.read_text())


def test_a_dead_machine_costs_three_seconds_and_a_look_at_it_one():
    """What docs/failover.md promises of dead machines; a longer wait is a longer outage."""
    observe, ask = plays(ROOT / "playbooks" / "steps" / "observe.yml")
    (act,) = plays(ROOT / "playbooks" / "steps" / "act.yml")
    assert [play["vars"]["ansible_ssh_timeout"] for play in (observe, ask, act)] == [3, 3, 3]
    assert CONNECT_SECONDS == 3.0
    (look,) = (task for task in ask["tasks"][0]["block"] if "continuity.dr.fence_vantage" in task)
    assert look["continuity.dr.fence_vantage"]["timeout"] == 1


def test_no_service_waits_for_a_step_of_another():
    (act,) = plays(ROOT / "playbooks" / "steps" / "act.yml")
    assert act["strategy"] == "ansible.builtin.host_pinned"


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_play_names_its_strategy_and_no_debugger(path):
    for play in plays(path):
        if "ansible.builtin.import_playbook" in play:
            continue
        assert play["strategy"].startswith("ansible.builtin."), "ANSIBLE_STRATEGY would choose it"
        assert play["debugger"] == "never", "ANSIBLE_ENABLE_TASK_DEBUGGER would wait for somebody"
        assert play["gather_facts"] is False, "ANSIBLE_GATHERING would choose it"
