# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role `lease` itself, by ansible-playbook, at a real name server and on members that are directories."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dns_named
import pytest
import yaml
from under_fire import SERVICE, mine

TOP = Path(__file__).resolve().parents[3]

#: A member's connection: the local shell, whose scripts find the member's own directory and clock.
CONNECTION = '''
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: member
short_description: a member of the test
description: [a directory]
options:
  home: {description: [of the member], required: true, vars: [{name: member_home}], type: str}
"""

class Connection(Local):
    transport = "member"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        home = self.get_option("home").encode()
        moved = {b"/var/lib/continuity/": home + b"/state/", b"/proc/uptime": home + b"/uptime",
                 b"/proc/sys/kernel/random/boot_id": home + b"/boot_id"}
        for old, new in moved.items():
            in_data = in_data.replace(old, new) if in_data else in_data
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
'''

#: What a walk does around it: give back what was taken when anything fails.
PLAY = """
- hosts: shop
  gather_facts: false
  connection: local
  vars:
    lease_service: shop
    lease_run_id: "{{ run }}"
    lease_owner: test
    lease_endpoints: "{{ endpoints }}"
    lease_members: [db1, db2]
    lease_minimum_epoch: 0
    lease_observed_epochs: {}
    lease_seconds: 300
    lease_break: "{{ named }}"
    lease_promotion: "{{ promotion }}"
    claims: "{{ ansible_facts.continuity_claims | default({}) }}"
    lease_epoch: "{{ claims.values() | map(attribute='epoch') | max | default(1) }}"
  tasks:
    - block:
        - ansible.builtin.import_role: {name: continuity.dr.lease, tasks_from: acquire}
        - ansible.builtin.meta: end_play
          when: keep | bool
        - ansible.builtin.import_role: {name: continuity.dr.lease, tasks_from: release}
      rescue:
        - ansible.builtin.import_role: {name: continuity.dr.lease, tasks_from: release}
        - ansible.builtin.fail: {msg: "{{ ansible_failed_result.msg | default(ansible_failed_result) }}"}
"""


@pytest.fixture
def play(fire: Any, tmp_path: Path, run_ansible: Any) -> Any:
    """`play("run-a", keep=True)`: one run of the role; returns the finished process."""
    (tmp_path / "connection_plugins").mkdir()
    (tmp_path / "connection_plugins" / "member.py").write_text(CONNECTION)
    (tmp_path / "play.yml").write_text(PLAY)
    members = {name: {"ansible_connection": "member", "member_home": str(fire.home / name)} for name in fire.members}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"shop": {}, **members}}}))
    key = {"name": "continuity", "algorithm": "hmac-sha256", "secret": dns_named.SECRETS["continuity"]}
    endpoint = {"name": fire.name, "zone": "shop.example.", "type": "A", "servers": ["127.0.0.1"]}
    endpoint |= {"port": fire.port, "key": key}

    def run(run_id: str, *, keep: bool = False, named: str = "", promotion: dict[str, Any] | None = None) -> Any:
        given = {"run": run_id, "keep": keep, "named": named, "promotion": promotion or {}, "endpoints": [endpoint]}
        (tmp_path / "given.yml").write_text(yaml.safe_dump(given))
        return run_ansible(
            "playbook",
            "-i",
            "hosts.yml",
            "play.yml",
            "-e",
            "@given.yml",
            ANSIBLE_CONNECTION_PLUGINS=str(tmp_path / "connection_plugins"),
        )

    return run


def test_a_run_takes_all_breaks_by_name_and_gives_back_what_it_took_in_part(play: Any, fire: Any) -> None:
    held = play("run-a", keep=True)
    assert held.returncode == 0, held.stdout
    assert [re.findall("run=(.*)", fire.state(member, "lease")) for member in fire.members] == [["run-a"], ["run-a"]]
    assert fire.act("db2", mine("run-a", 1)).rc == 0
    refused = play("run-b")
    assert refused.returncode != 0
    assert "claim_held" in refused.stdout
    fire.pass_time(60)
    fire.release("db2", mine("run-a", 1))
    fire.acquire("db2", mine("run-c", 1))
    partial = play("run-b", named="run-a")
    assert partial.returncode != 0
    assert "lease_held" in partial.stdout
    assert (fire.state("db1", "lease"), "run=run-c" in fire.state("db2", "lease")) == ("", True)
    fire.release("db2", mine("run-c", 1))
    record = {"member": "db2", "epoch": 3, "run_id": "run-b", "time": 5.0}
    done = play("run-b", promotion=record)
    assert done.returncode == 0, done.stdout
    assert [fire.state(member, "lease") for member in fire.members] == ["", ""]
    assert all('"epoch": 3' in fire.state(member, "promotion") for member in fire.members)
    assert fire.act("db1", mine("run-a", 1)).refused in ("stale_epoch", "lease_lost")
    assert [effect.run for effect in fire.effects()] == ["run-a"]


def test_a_walk_hands_the_role_what_it_needs() -> None:
    walk = (TOP / "roles" / "service" / "tasks" / "_walk.yml").read_text(encoding="utf-8")
    given = yaml.safe_load(walk)[0]["vars"]
    assert given["lease_break"] == "{{ __service_walk.break_run }}"
    assert given["lease_promotion"] == "{{ __service_record }}"
    assert SERVICE not in given


RECORD = """
- hosts: localhost
  gather_facts: false
  vars_files: ["{{ vars_file }}"]
  vars:
    observed: {member: db1, epoch: 2}
    promoted: {promotion: {member: db2, epoch: 3}, timeline: 7, position: 9, system_id: "1", changed: true}
  tasks:
    - ansible.builtin.set_fact: {continuity_decision: {promotion: "{{ observed }}"}, cacheable: true}
    - ansible.builtin.assert: {that: "__service_record == observed"}
    - ansible.builtin.set_fact: {continuity_promoted: {changed: true, restarted: true}, cacheable: true}
    - ansible.builtin.assert: {that: "__service_record == observed"}
    - ansible.builtin.set_fact: {continuity_promoted: "{{ promoted }}", cacheable: true}
    - ansible.builtin.assert:
        that: "__service_record == {'member': 'db2', 'epoch': 3, 'timeline': 7, 'position': 9, 'system_id': '1'}"
    - ansible.builtin.set_fact: {continuity_decision: {}, continuity_promoted: {}, cacheable: true}
    - ansible.builtin.assert: {that: "__service_record == {}"}
"""


def test_members_are_given_the_record_of_this_walk_else_the_one_that_was_observed(
    run_ansible: Any, tmp_path: Path
) -> None:
    (tmp_path / "record.yml").write_text(RECORD)
    done = run_ansible("playbook", "record.yml", "-e", f"vars_file={TOP}/roles/service/vars/main.yml")
    assert done.returncode == 0, done.stdout
