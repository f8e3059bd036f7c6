# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes wrong on the way: undone before the promotion, finished after it, and no service waits for another."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from harness import FAULTS, changed_plan, inside, run_verb, sql, start_verb, wait_for_step, writable

MOVE = ("scope=accounts-db", "target_site=dc2")
PORTS = {"db1": 5433, "db2": 5434}


def test_a_target_that_dies_after_the_freeze_gives_the_service_back(healthy: None) -> None:
    """Before the promotion everything is undone: the old primary serves again and nothing was acknowledged and lost."""
    run_id = f"dies-{time.time_ns()}"
    process = start_verb("switchover", *MOVE, f"continuity_run_id={run_id}")
    wait_for_step(run_id, "accounts-db", "lease", "done", count=2)
    os.killpg(process.pid, signal.SIGSTOP)
    inside("db2", "systemctl kill --signal=KILL postgresql@15-accounts; sleep 1")
    os.killpg(process.pid, signal.SIGCONT)
    output, _errors = process.communicate(timeout=120)
    assert process.returncode != 0, output
    assert writable(PORTS, "accounts") == ["db1"]
    assert inside("db1", "systemctl show -p LoadState --value postgresql@15-accounts") == "loaded"
    assert inside("client", "dig +short accounts-db.shop.example.") == "198.51.100.11"
    # and a later run, with the target mended, moves it after all
    inside("db2", "systemctl reset-failed postgresql@15-accounts; systemctl start postgresql@15-accounts; sleep 1")
    assert run_verb("switchover", *MOVE).rc == 0
    assert writable(PORTS, "accounts") == ["db2"]


def test_a_killed_controller_is_continued_by_the_next_run(healthy: None) -> None:
    """SIGKILL between promotion and name server: the same run id goes on at once and does only what is left."""
    run_id = f"killed-{time.time_ns()}"
    process = start_verb("switchover", *MOVE, f"continuity_run_id={run_id}")
    wait_for_step(run_id, "accounts-db", "promote", "done")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    again = run_verb("switchover", *MOVE, f"continuity_run_id={run_id}")
    assert again.rc == 0, again.output
    assert writable(PORTS, "accounts") == ["db2"]
    assert inside("client", "dig +short accounts-db.shop.example.") == "203.0.113.11"
    assert sql("db2", 5434, "select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)") == "00000002"
    assert run_verb("switchover", *MOVE).changed == 0


SLOW_FENCE = """
- name: Fence | hang
  ansible.builtin.command: sleep 12
  delegate_to: localhost
  changed_when: false

- name: Fence | then fence after all
  ansible.builtin.include_role: {name: continuity.dr.fence_systemd, tasks_from: fence}
"""
RELEASE = """
- name: Release | as ever
  ansible.builtin.include_role: {name: continuity.dr.fence_systemd, tasks_from: release}
"""


def test_inside_a_wave_no_service_waits_for_the_fence_of_another(
    healthy: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both primaries are killed; one service's fence, a role of somebody else's, hangs. The other's outage stays short."""
    tasks = tmp_path / "roles" / "slow_fence" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "fence.yml").write_text(SLOW_FENCE, encoding="utf-8")
    (tasks / "release.yml").write_text(RELEASE, encoding="utf-8")
    monkeypatch.setenv("ANSIBLE_ROLES_PATH", str(tmp_path / "roles"))
    plan = changed_plan(tmp_path, ("    depends_on: [accounts]\n", ""))
    before, name, after = plan.read_text(encoding="utf-8").partition("  accounts-db:\n")
    plan.write_text(before + name + after.replace("continuity.dr.fence_systemd", "slow_fence"), encoding="utf-8")
    result = run_verb("drill", "scope=all", f"fault={FAULTS}/primary_crashed.yml", plan=plan, timeout=400)
    assert result.rc == 0, result.output
    outage = {name: result.service(name)["rto"]["measured_seconds"] for name in ("payments-db", "accounts-db")}
    assert outage["accounts-db"] > 12, outage
    assert outage["payments-db"] < 7, outage
