# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role's `verify`, which ends a walk: a primary that was left masked is unmasked, any other is only looked at."""

from __future__ import annotations

import json

import pytest
from connection_plugin import install

UNIT = "postgresql@15-main.service"
ANSWER = """
environment = json.loads(os.environ["TEST_MEMBER"])
# The member keeps its state below the test's own directory
script = in_data.replace(b"/var/lib/continuity/", os.environ["TEST_STATE"].encode())
done = subprocess.run(["/bin/sh", "-s"], input=script, capture_output=True, env=environment, cwd="/")
return done.returncode, done.stdout, done.stderr
"""
PLAY = """
- hosts: db1
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: continuity.dr.engine_postgresql, tasks_from: verify}
      vars: {engine_service: shop, engine_member: "{{ member }}"}
"""


@pytest.fixture
def verify(machine, run_ansible, tmp_path, server):
    """Run it: the exit code, and the verbs of systemctl that changed the unit."""

    def run(**says):
        plugins = install(tmp_path, "fake_member", ANSWER)
        (tmp_path / "hosts.yml").write_text("all: {hosts: {db1: {ansible_connection: fake_member}}}")
        (tmp_path / "play.yml").write_text(PLAY)
        (tmp_path / "given.json").write_text(json.dumps({"member": machine.member()}))
        machine.says({**server("primary", **says), "position": 1, "history": ""})
        given = ["-i", "hosts.yml", "play.yml", "-e", "@given.json"]
        member = json.dumps(machine.environment)
        done = run_ansible(
            "playbook",
            *given,
            TEST_MEMBER=member,
            TEST_STATE=f"{machine.state}/",
            ANSIBLE_CONNECTION_PLUGINS=str(plugins),
        )
        return done.returncode, [argv[0] for argv in machine.ran("systemctl")], done.stdout

    return run


def test_a_primary_that_would_not_start_again_is_unmasked(machine, verify):
    machine.unit(UNIT, LoadState="masked", ActiveState="active")
    code, verbs, output = verify()
    assert (code, verbs) == (0, ["unmask"]), output
    assert machine.unit(UNIT)["LoadState"] == "loaded"


def test_any_other_is_only_looked_at(machine, verify):
    machine.unit(UNIT, LoadState="loaded", ActiveState="active")
    code, verbs, output = verify()
    assert (code, verbs) == (0, []), output


def test_one_that_takes_no_writes_fails_and_is_left_as_it_is(machine, verify):
    machine.unit(UNIT, LoadState="masked", ActiveState="active")
    code, verbs, output = verify(read_only=True)
    assert (code, verbs) == (2, []), output
