# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plans that users read: those of the inventories, and the guide."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.inputs import INPUTS, SETTINGS
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import read_plan

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
INVENTORIES = sorted(path.parent for path in (ROOT / "inventories").glob("*/plan.yml"))
VERB = """
- name: Assess
  hosts: "{{ lookup('continuity.dr.whole_run', 'everything', verb='assess') }}"
  gather_facts: false
  tasks: []
"""


@pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: path.name)
def test_the_plan_and_its_machines_are_correct(tmp_path, run_ansible, inventory):
    (tmp_path / "verb.yml").write_text(VERB)
    without_keys = ("-e", "waive=arbiter_unreachable", "-e", "reason='no secrets here'")
    done = run_ansible("playbook", "-i", inventory, "verb.yml", *without_keys)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout
    assert "PLAY [Assess]" in done.stdout


def test_the_guide_begins_with_a_plan_that_loads():
    text = re.search(r"```yaml\n(plugin:.*?)```", GUIDE, re.DOTALL)[1]
    assert len(text.splitlines()) <= 25
    data, errors = read_plan(text)
    assert load_plan(data, errors).errors == []


@pytest.mark.parametrize("definition", sorted(SCHEMA["$defs"]))
def test_the_guide_explains_every_field(definition):
    for name in SCHEMA["$defs"][definition].get("properties", {}):
        assert re.search(rf"`(?:[a-z_\[\]]+\.)?{name}[`.]", GUIDE), f"docs/plan.md does not explain {definition}.{name}"


@pytest.mark.parametrize("name", INPUTS + SETTINGS)
def test_the_guide_explains_every_input(name):
    assert f"| `{name}` |" in GUIDE
