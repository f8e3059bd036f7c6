# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fault whose own command fails is named: its file, its task, the command, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_world
import pytest

COMMAND = "no-such-engine kill db1"
FAULT = """
- name: Pull the plug of {{ fault_member }}
  ansible.builtin.command: {argv: [no-such-engine, kill, "{{ fault_member }}"]}
  delegate_to: localhost
  changed_when: true
  when: fault_action == '%s'
"""


def drilled(folder: Path, run_ansible: Any, broken: str) -> tuple[dict[str, Any], list[list[str]], list[Any]]:
    """The service's part of the report, what was done, and the ends in its journal, where `broken` cannot be done."""
    fake_world.lay(folder)
    fault = folder / "pull_the_plug.yml"
    fault.write_text(FAULT % broken)
    words = ["scope=payments-db", "target_site=dc2", f"fault={fault}", "continuity_run_id=run-a"]
    options = [word for each in words for word in ("-e", each)]
    given = ["-i", "hosts.yml", "-i", "plan.yml", "continuity.dr.drill", *options]
    done = run_ansible("playbook", *given, **fake_world.ENVIRONMENT)
    assert done.returncode == 2, done.stdout
    (service,) = json.loads((folder / "runs/run-a/report.json").read_text())["services"]
    journal = (folder / "runs/run-a/journal/payments-db.jsonl").read_text().splitlines()
    ends = [(entry["step"], entry["state"]) for entry in map(json.loads, journal)]
    return {**service, "said": done.stdout}, fake_world.done(folder), ends


@pytest.mark.parametrize(("broken", "step"), [("inject", "inject"), ("heal", "heal")])
def test_the_command_of_a_fault_that_is_not_there_is_named(tmp_path, run_ansible, broken, step):
    service, acts, ends = drilled(tmp_path, run_ansible, broken)
    assert service["verdict"] == "failed"
    said = " ".join(service["said"].split())
    for words in (
        f'{tmp_path}/pull_the_plug.yml: the task "Pull the plug of db1" failed',
        "The program no-such-engine is not there",
        f"Install it where the task runs ({COMMAND}), then drill again",
    ):
        assert words in said, service["said"]
    assert (step, "failed") in ends
    if broken == "inject":
        assert acts == [], "what could not begin goes no further"
