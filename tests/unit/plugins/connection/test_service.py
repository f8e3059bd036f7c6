# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

PLAN = """
plugin: continuity.dr.plan
plan: {id: shop, environment: production}
sites:
  dc1: {use: preferred}
functions:
  payments: {tier: 1, objectives: {rto: 1h, rpo: 0s}}
services:
  payments-db: {function: payments, engine: {role: acme.dr.engine_x}, members: [db1]}
"""
# A stranger's playbook: every task would write to the controller, if the service host were local.
FOREIGN = """\
- name: Patch every machine
  hosts: all
  gather_facts: {facts}
  become: {become}
  tasks:
    - name: Write a file
      {task}
"""


@pytest.mark.parametrize(
    ("task", "facts", "become"),
    [
        ("ansible.builtin.command: touch {path}", False, False),
        ("ansible.builtin.raw: touch {path}", False, False),
        ("ansible.builtin.script: touch.sh", False, False),
        ("ansible.builtin.copy: {{content: x, dest: {path}}}", False, True),
        ("ansible.builtin.template: {{src: touch.sh, dest: {path}}}", False, False),
        ("ansible.builtin.fetch: {{src: touch.sh, dest: {path}}}", False, False),
        ("ansible.builtin.debug: {{msg: facts}}", True, False),
    ],
)
def test_a_playbook_for_all_hosts_touches_nothing_on_the_controller(tmp_path, run_ansible, task, facts, become):
    marker = tmp_path / "touched"
    (tmp_path / "touch.sh").write_text(f"touch {marker}\n")
    (tmp_path / "plan.yml").write_text(PLAN)
    play = FOREIGN.format(task=task.format(path=marker), facts=facts, become=become)
    (tmp_path / "site.yml").write_text(play)
    done = run_ansible("playbook", "-i", "plan.yml", "site.yml")
    assert done.returncode == 2, done.stdout
    assert "payments-db: this is a service, not a machine: nothing can run on it, and nothing did." in done.stdout
    assert "hosts: all:!continuity_services" in done.stdout
    assert not marker.exists()
