# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The numbers: a forced loss is counted row by row, a missed objective fails the drill, and nothing is invented."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness import FAULTS, LAB, RUNS, Result, changed_plan, differences, lab, run_verb, sql, state, writable


def counted_again(result: Result, service: str, member: str, port: int, database: str) -> dict[str, object]:
    """The loss as another program counts it, from the ledger and the table read by psql."""
    run_id = result.report["run_id"]
    rows = sql(member, port, f"select seq from continuity_canary where run_id = '{run_id}'", database)
    ledger = RUNS / str(run_id) / "canary" / f"{service}.jsonl"
    command = [sys.executable, str(LAB / "count_loss.py"), "--ledger", str(ledger), "--rows", "-"]
    counted = subprocess.run(command, input=rows, capture_output=True, text=True, check=True)
    return dict(json.loads(counted.stdout))


def test_a_forced_loss_is_counted_row_by_row(healthy: None) -> None:
    """The standby got nothing for two seconds: what was acknowledged then is lost, and the report says how much."""
    result = run_verb("drill", "scope=accounts-db", f"fault={FAULTS}/primary_crashed_behind.yml")
    service = result.service("accounts-db")
    again = counted_again(result, "accounts-db", "db1", 5433, "accounts")
    lost = service["rpo"]["lost"]
    assert lost > 20, service["rpo"]
    assert lost == again["lost"], again
    assert [n for first, last in service["rpo"]["lost_rows"] for n in range(first, last + 1)] == again["lost_rows"]
    assert service["rpo"]["measured_seconds"] > 1
    assert service["verdict"] == "passed"
    assert result.rc == 0


def test_an_objective_below_the_measured_value_is_missed(healthy: None, tmp_path: Path) -> None:
    plan = changed_plan(
        tmp_path, ("rto: 15m", "rto: 1s"), ("detection: 60s", "detection: 0s"), ("decision: 5m", "decision: 0s")
    )
    result = run_verb("drill", "scope=payments", f"fault={FAULTS}/primary_crashed.yml", plan=plan)
    assert result.rc != 0
    assert result.report["verdict"] == "objective_missed", result.output
    rto = result.service("payments-db")["rto"]
    assert rto["measured_seconds"] > rto["objective_seconds"] == 1
    assert writable({"db1": 5432, "db2": 5432}) == ["db1"]


def test_a_replica_held_back_past_its_rpo_is_refused_with_both_numbers(healthy: None, tmp_path: Path) -> None:
    plan = changed_plan(tmp_path, ("rpo: 5m", "rpo: 1s"))
    fault = tmp_path / "behind.yml"
    included = f"  ansible.builtin.include_tasks: {FAULTS}/primary_crashed_behind.yml\n  vars: {{fault_seconds: 4}}\n"
    fault.write_text(f"- name: Four seconds behind\n{included}", encoding="utf-8")
    result = run_verb("drill", "scope=accounts-db", f"fault={fault}", plan=plan)
    assert result.rc != 0
    refusal = result.rules("accounts-db")["lag_over_rpo"]
    assert float(refusal["measured"].removesuffix(" s")) > 1
    assert refusal["limit"] == "1 s"
    # the drill cleans up: the old primary, never fenced, serves again
    assert writable({"db1": 5433, "db2": 5434}, "accounts") == ["db1"]


def test_a_canary_that_cannot_write_fails_the_drill_before_the_fault(healthy: None, tmp_path: Path) -> None:
    plan = changed_plan(tmp_path, ("database: accounts", "database: nowhere"))
    result = run_verb("drill", "scope=accounts-db", f"fault={FAULTS}/primary_crashed.yml", plan=plan)
    assert result.rc != 0
    assert result.report["verdict"] == "failed"
    assert "nowhere" in result.output
    assert writable({"db1": 5433, "db2": 5434}, "accounts") == ["db1"]


def test_without_a_canary_nothing_is_called_measured(healthy: None, tmp_path: Path) -> None:
    plan = changed_plan(tmp_path, ("      database: shop\n", "      database: nowhere\n"))
    result = run_verb("switchover", "scope=payments", "target_site=dc2", plan=plan)
    service = result.service("payments-db")
    assert service["verdict"] == "not_measured"
    assert service["rto"]["measured_seconds"] is None


def test_no_secret_is_in_any_output_or_file(healthy: None) -> None:
    secrets = [path.read_text(encoding="utf-8").strip() for path in (RUNS.parent / "lab" / "secrets").iterdir()]
    result = run_verb("switchover", "scope=accounts-db", "target_site=dc2", "-vvv", "--diff")
    assert result.rc == 0
    texts = [result.output] + [
        path.read_text(encoding="utf-8") for path in (RUNS / str(result.report["run_id"])).rglob("*") if path.is_file()
    ]
    assert len(texts) > 5
    for secret in secrets:
        assert not any(secret in text for text in texts)


def test_a_planned_exercise_needs_no_fault_and_is_allowed_in_production(healthy: None, tmp_path: Path) -> None:
    plan = changed_plan(tmp_path, ("environment: drill", "environment: production"))
    result = run_verb("drill", "scope=accounts-db", plan=plan)
    assert result.rc == 0, result.output
    stages = {stage["stage"]: stage for stage in result.service("accounts-db")["stages"]}
    assert stages["switchover"]["rpo"]["lost"] == stages["failback"]["rpo"]["lost"] == 0
    assert writable({"db1": 5433, "db2": 5434}, "accounts") == ["db1"]


def test_a_drill_of_a_service_that_is_down_does_not_become_the_real_thing(healthy: None) -> None:
    lab("fault", "primary_crashed", "--member", "db1", "--service", "accounts-db")
    before = state()
    result = run_verb("drill", "scope=accounts-db", f"fault={FAULTS}/primary_crashed.yml")
    assert result.rc != 0
    assert result.report["verdict"] == "refused", result.output
    assert differences(before) == ""
