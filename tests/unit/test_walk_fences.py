# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a walk rests on before it promotes, and what it may undo: the fence's proof, the lease, the target's word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_world
import pytest
from connection_plugin import FOLDER, install

NOT_NOW = {"TEST_REFUSING": "promote db2"}


@pytest.fixture
def walk(tmp_path, run_ansible):
    """Run a verb that fails for payments-db; returns what was done there, leases included, and how it ended."""

    def run(verb: str, **environment: str) -> tuple[list[str], dict[str, Any]]:
        words = [f"continuity.dr.{verb}", "-e", "scope=payments-db", "-e", "target_site=dc2"]
        environment = {**fake_world.ENVIRONMENT, **environment}
        done = run_ansible("playbook", "-i", "hosts.yml", "-i", "plan.yml", *words, **environment)
        assert done.returncode != 0, done.stdout
        acts = [" ".join(each[1:]) for each in fake_world.done(tmp_path, leases=True) if each[0] == "payments-db"]
        return acts, {"output": done.stdout, **_outcome(tmp_path)}

    return run


def _outcome(folder: Path) -> dict[str, Any]:
    (journal,) = folder.glob("runs/*/journal/payments-db.jsonl")
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    return [{**each["data"], "state": each["state"]} for each in entries if each["step"] == "outcome"][-1]


def test_the_target_loses_its_lease_before_the_old_primary_starts(tmp_path, walk):
    fake_world.lay(tmp_path, arms=True)
    acts, ended = walk("switchover", **NOT_NOW)
    taken = ["lease db1", "lease db2", "arm db2", "demote db1"]
    assert acts == [*taken, "unlease db2", "promote db1", "unlease db1", "unlease db2"], ended["output"]
    assert (ended["state"], ended["undone"]) == ("refused", True)


@pytest.mark.parametrize("said", [{"engine": {"promoting": True}}, {"role": "none", "running": False}], ids=str)
def test_the_old_primary_stays_down_unless_the_target_stays_a_replica(tmp_path, walk, said):
    fake_world.lay(tmp_path)
    acts, ended = walk("switchover", TEST_TARGET=json.dumps(said), **NOT_NOW)
    assert "demote db1" in acts and "promote db1" not in acts, ended["output"]
    # A run that stopped the primary and did not start it again did not refuse
    assert (ended["state"], ended["undone"], ended["promoted"]) == ("failed", False, False)


@pytest.mark.parametrize(("role", "started"), [("replica", True), ("primary", False)])
def test_a_stopped_target_counts_as_what_it_comes_back_as(tmp_path, walk, role, started):
    fake_world.lay(tmp_path)
    said = {"role": "none", "running": False, "comes_back_as": role}
    acts, ended = walk("switchover", TEST_TARGET=json.dumps(said), **NOT_NOW)
    assert ("promote db1" in acts, ended["undone"]) == (started, started), ended["output"]


@pytest.mark.parametrize(("disarmed", "started"), [("", False), ("true", True)])
def test_what_is_armed_may_have_promoted_unless_it_was_disarmed(tmp_path, walk, disarmed, started):
    fake_world.lay(tmp_path, arms=True)
    said = {"TEST_FAILING": "demote db1", "TEST_TARGET": '{"role": "primary"}', "TEST_DISARMED": disarmed}
    acts, ended = walk("switchover", **said)
    assert ("promote db1" in acts, ended["undone"]) == (started, started), ended["output"]


def test_a_walk_that_brought_a_member_back_did_not_refuse(tmp_path, walk):
    fake_world.lay(tmp_path, verifies=True)
    moved = {name: {"primary": "db2", "stopped": ["db1"]} for name in ("payments-db", "accounts-db")}
    (tmp_path / "world.json").write_text(json.dumps(moved))
    acts, ended = walk("rejoin", TEST_REFUSING="verify db2")
    assert "rejoin db1" in acts, ended["output"]
    assert ended["state"] == "failed", "refused means that nothing was changed, or that it was undone"


def test_after_a_promotion_nothing_is_undone_whatever_the_target_says(tmp_path, walk):
    fake_world.lay(tmp_path)
    # Its answer came from the promotion that was done; asking again names a replica, as by a server that restarts
    engine = tmp_path / "collections/ansible_collections/acme/dr/plugins/action/engine.py"
    text = engine.read_text()
    assert text.count("if host == primary:") == 1
    engine.write_text(text.replace("if host == primary:", "if host == primary and host != 'db2':"))
    acts, ended = walk("switchover", TEST_FAILING="rejoin db1")
    assert "promote db2" in acts and "promote db1" not in acts, ended["output"]
    assert (ended["state"], ended["undone"], ended["promoted"]) == ("failed", False, True)


def test_who_fenced_somebody_did_not_refuse(tmp_path, walk):
    fake_world.lay(tmp_path, fenced=True)
    acts, ended = walk("failover", TEST_DEAD="db1", TEST_FENCE="on off", **NOT_NOW)
    assert acts == ["prove db1", "lease db2", "fence db1", "prove db1", "unlease db2"], ended["output"]
    assert ended["state"] == "failed" and "a rule of the engine's own" in ended["message"]


@pytest.mark.parametrize("last", ["on", "unknown"])
def test_a_fence_that_holds_for_a_moment_only_promotes_nobody(tmp_path, walk, last):
    fake_world.lay(tmp_path, fenced=True)
    acts, ended = walk("failover", TEST_DEAD="db1", TEST_FENCE=f"on off {last}")
    assert "fence db1" in acts and "promote db2" not in acts, ended["output"]
    assert "db1 is not fenced" in ended["message"]


def test_a_device_that_cannot_be_asked_again_promotes_nobody(tmp_path, walk):
    """What it said at the end of its own step is still among the evidence, and new enough."""
    fake_world.lay(tmp_path, fenced=True)
    prove = tmp_path / "collections/ansible_collections/acme/dr/roles/fence_device/tasks/prove.yml"
    lost = "{msg: the device is lost}, when: ansible_facts.continuity_fenced is truthy"
    prove.write_text(prove.read_text() + f"- {{name: Lost, ansible.builtin.fail: {lost}}}\n")
    acts, ended = walk("failover", TEST_DEAD="db1", TEST_FENCE="on off off")
    assert "fence db1" in acts and "promote db2" not in acts, ended["output"]
    assert "fence_device: the device is lost" in ended["message"]


def test_what_was_read_back_before_the_walk_is_no_proof(tmp_path, walk):
    fake_world.lay(tmp_path, fenced=True)
    old = {"member": "db1", "source": "fence_device", "state": "off", "level": 3, "answers": True, "time": 1.0}
    fence = tmp_path / "collections/ansible_collections/acme/dr/roles/fence_device/tasks/fence.yml"
    keep = json.dumps({"continuity_fence_evidence": {"db1 yesterday": old}, "cacheable": True})
    fence.write_text(fence.read_text() + f"- name: Remember\n  ansible.builtin.set_fact: {keep}\n")
    acts, ended = walk("failover", TEST_DEAD="db1", TEST_FENCE="on off")
    assert "fence db1" in acts and "promote db2" not in acts, ended["output"]


@pytest.mark.parametrize(
    ("verb", "dead", "asked"),
    [
        ("assess", "", ["prove db1", "prove db2"]),
        ("switchover", "", []),
        ("failover", "", []),
        ("failover", "db1", ["prove db1"]),
    ],
)
def test_a_fence_is_asked_beforehand_only_where_somebody_wants_to_know(tmp_path, run_ansible, verb, dead, asked):
    fake_world.lay(tmp_path, fenced=True)
    words = [f"continuity.dr.{verb}", "--check", "-e", "scope=payments-db", "-e", "target_site=dc2"]
    environment = {**fake_world.ENVIRONMENT, "TEST_DEAD": dead, "TEST_FENCE": "off"}
    done = run_ansible("playbook", "-i", "hosts.yml", "-i", "plan.yml", *words, **environment)
    assert [" ".join(each[1:]) for each in fake_world.done(tmp_path)] == asked, done.stdout
    assert ("Look at members that give no answer" in done.stdout) == bool(asked)
    assert "deprecat" not in done.stdout.lower()


PROVE = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: continuity.dr.fence_systemd, tasks_from: prove}
      vars:
        fence_service: shop
        fence_member: {host: db1}
        fence_units: [shop.service]
        fence_ports: []
        fence_required: false
        fence_reachable: REACHABLE
"""
DEAD = """
open("asked", "w").close()
raise AnsibleConnectionFailure("no route to it")
"""


@pytest.mark.parametrize("reachable", [True, False])
def test_a_machine_that_gave_no_answer_is_not_asked_again_for_its_units(tmp_path, run_ansible, reachable):
    """Each question to a dead machine is three seconds of the outage."""
    install(tmp_path, "dead", DEAD)
    (tmp_path / "hosts.yml").write_text("all: {hosts: {db1: {ansible_connection: dead}}}\n")
    (tmp_path / "prove.yml").write_text(PROVE.replace("REACHABLE", str(reachable).lower()))
    done = run_ansible("playbook", "-i", "hosts.yml", "prove.yml", ANSIBLE_CONNECTION_PLUGINS=FOLDER)
    assert (tmp_path / "asked").exists() == reachable, done.stdout
    assert "Prove | read back that the units are masked and gone" in done.stdout
