# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from fake_action import made

from ansible_collections.continuity.dr.plugins.action.rights import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils import run

ENDPOINT = {"role": "continuity.dr.endpoint_rfc2136", "name": "a.shop.example.", "zone": "shop.example.", "type": "A"}
SERVICE = {
    "name": "a",
    "engine": {"role": "continuity.dr.engine_postgresql"},
    "members": [{"host": "db1", "cluster": "15/a"}, {"host": "db2", "cluster": "15/a"}],
    "endpoints": [ENDPOINT],
    "fences": [{"role": "acme.iron.fence_pdu", "name": "fence_pdu"}],
}


class Key(dict):
    """A key whose secret nobody has yet."""

    def __getitem__(self, name):
        assert name != "secret", "the secret was opened"
        return super().__getitem__(name)


class HostVars(dict):
    key: object = Key(name="{{ team }}", secret="{{ lookup('file', 'not/there') }}")

    def raw_get(self, name):
        return {"continuity_service": {"endpoints": [{"key": self.key}]}}


@pytest.fixture(autouse=True)
def begun():
    """A run of the verb, with one service."""
    run.forget()
    run.begin(verb="rights", inputs={}, plan={}, services={"a": SERVICE})
    yield
    run.forget()


@pytest.fixture
def write(tmp_path):
    """`write()` runs the step; its result."""

    def ran(hostvars=None, check_mode=False, **args):
        action = made(ActionModule, {"directory": str(tmp_path / "rights"), **args}, check_mode=check_mode)
        action._task.diff = True
        action._templar = SimpleNamespace(template=lambda text: text.replace("{{ team }}", "orders"))
        hosts = HostVars(
            {"db1": {"ansible_user": "me"}, "db2": {"ansible_user": "you"}} if hostvars is None else hostvars
        )
        return action.run(task_vars={"hostvars": hosts, "inventory_hostname": "a"}), action._display.text

    return ran


def test_it_writes_the_files_and_says_what_it_does_not_know(write, tmp_path):
    result, shown = write()
    assert result["changed"] is True and "failed" not in result
    written = [os.path.basename(path) for path in result["paths"]]
    assert written == ["a.pg_hba.conf", "a.sql", "db1.sudoers", "db2.sudoers", "shop.example.update-policy"]
    assert "\nme ALL=" in (tmp_path / "rights" / "db1.sudoers").read_text()
    assert "\nyou ALL=" in (tmp_path / "rights" / "db2.sudoers").read_text()
    assert "grant orders name a.shop.example. A;" in (tmp_path / "rights" / "shop.example.update-policy").read_text()
    assert result["unknown"] == [
        "services.a.fence fence_pdu: the role acme.iron.fence_pdu does not say; see its README"
    ]
    assert result["unknown"][0] in shown and result["paths"][0] in shown


def test_a_second_time_nothing_changes_and_a_changed_file_is_shown(write, tmp_path):
    write()
    again, _shown = write()
    assert again["changed"] is False and again["diff"] == []
    path = tmp_path / "rights" / "db1.sudoers"
    wanted = path.read_text()
    path.write_text("me ALL=(ALL) NOPASSWD: ALL\n")
    third, _shown = write()
    assert third["changed"] is True and [each["before_header"] for each in third["diff"]] == [str(path)]
    assert path.read_text() == wanted


def test_check_mode_writes_nothing(write, tmp_path):
    result, _shown = write(check_mode=True)
    assert result["changed"] is True and len(result["diff"]) == 5
    assert not (tmp_path / "rights").exists()


def test_a_login_may_be_given(write, tmp_path):
    write(hostvars={"db1": {}, "db2": {}}, login="ops")
    assert "\nops ALL=" in (tmp_path / "rights" / "db2.sudoers").read_text()


def test_every_machine_without_a_login_is_named_and_nothing_is_written(write, tmp_path):
    result, _shown = write(hostvars={"db1": {}, "db2": {"ansible_user": ""}})
    assert result["failed"] is True and result["reason"] == "bad_input"
    assert "db1: ansible_user is not set" in result["msg"] and "db2: ansible_user is not set" in result["msg"]
    assert not (tmp_path / "rights").exists()


def test_a_key_that_is_no_mapping_is_a_name_to_fill_in(write, tmp_path, monkeypatch):
    monkeypatch.setattr(HostVars, "key", "{{ vaulted_key }}")
    write()
    assert "grant NAME-OF-THE-KEY name" in (tmp_path / "rights" / "shop.example.update-policy").read_text()


def test_a_directory_that_cannot_be_written_is_named(write, tmp_path):
    (tmp_path / "rights").write_text("a file")
    result, _shown = write()
    assert result["failed"] is True and "rights_dir" in result["msg"]


def test_without_a_plan_there_is_nothing_to_write(write):
    run.forget()
    result, _shown = write()
    assert result["failed"] is True and result["reason"] == "no_plan"
