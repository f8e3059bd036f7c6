# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Once the target may have been promoted, the old primary is never started again, whatever failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fake_world
import pytest

ENGINE = "collections/ansible_collections/acme/dr/plugins/action/engine.py"
PROMOTE = "collections/ansible_collections/acme/dr/roles/engine_file/tasks/promote.yml"
SAID = '        facts = {"arm"'


def replace(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def switchover(folder: Path, run_ansible: Any, **more: str) -> list[list[str]]:
    """What was done at the members of payments-db."""
    verb = ["continuity.dr.switchover", "-e", "scope=payments-db", "-e", "target_site=dc2"]
    done = run_ansible("playbook", "-i", "hosts.yml", "-i", "plan.yml", *verb, **{**fake_world.ENVIRONMENT, **more})
    assert done.returncode != 0, done.stdout
    return [each[1:] for each in fake_world.done(folder) if each[0] == "payments-db"]


def test_somebody_finished_the_promotion_meanwhile_and_a_later_step_fails(tmp_path, run_ansible):
    fake_world.lay(tmp_path)
    unchanged = '        unchanged = do == "promote" and member["host"] == "db2"\n'
    changed = ('said = {"changed": True,', 'said = {"changed": not unchanged,')
    replace(tmp_path / ENGINE, (SAID, unchanged + SAID), changed)
    acts = switchover(tmp_path, run_ansible, TEST_FAILING="rejoin db1")
    assert ["promote", "db2"] in acts and ["promote", "db1"] not in acts


def test_the_answer_of_a_promotion_is_lost_and_its_task_has_another_name(tmp_path, run_ansible):
    fake_world.lay(tmp_path)
    replace(tmp_path / PROMOTE, ("Promote | promote", "Make it the primary"))
    lost = '        if do == "promote" and member["host"] == "db2":\n            raise action.Unreachable("lost")\n'
    replace(tmp_path / ENGINE, (SAID, lost + SAID))
    acts = switchover(tmp_path, run_ansible)
    assert ["promote", "db2"] in acts and ["promote", "db1"] not in acts


@pytest.mark.parametrize("name", ["Demote | demote", "Stop it"])
def test_a_stop_that_fails_is_undone_whatever_its_task_is_called(tmp_path, run_ansible, name):
    fake_world.lay(tmp_path)
    replace(tmp_path / PROMOTE.replace("promote", "demote"), ("Demote | demote", name))
    assert ["promote", "db1"] in switchover(tmp_path, run_ansible, TEST_FAILING="demote db1")
