# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must be refused with a clear text and nothing changed: bad input, a service that cannot be moved safely."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import FAULTS, Result, changed_plan, differences, inside, lab, run_verb, sql, state

MOVE = ("scope=accounts-db", "target_site=dc2")


def refused(result: Result, rule: str, service: str = "accounts-db") -> tuple[str, str]:
    """Assert that one rule refused the service, and return its measured value and its limit."""
    assert result.rc != 0, result.output
    assert result.report["verdict"] == "refused", result.output
    found = result.rules(service)
    assert rule in found, sorted(found)
    assert rule in result.output
    assert result.changed == 0
    return str(found[rule]["measured"]), str(found[rule]["limit"])


@pytest.mark.parametrize(
    ("verb", "arguments", "text"),
    [
        ("switchover", ("scope=paymints", "target_site=dc2"), "paymints"),
        ("switchover", ("scope=payments", "target_site=dc9"), "dc9"),
        ("switchover", ("scope=payments", "source_site=dc1", "target_site=dc1"), "dc1"),
        ("failover", ("scope=payments", "target_site=dc2", "accept_data_loss=true"), "accept_data_loss"),
        ("failover", ("scope=payments", "target_site=dc2", "waive=everything"), "everything"),
        ("switchover", ("scope=payments", "target_site=dc2", "continuity_clam_seconds=60"), "continuity_clam_seconds"),
        ("switchover", ("scope=payments", "target_site=dc2", "--limit", "payments-db"), "--limit"),
        ("switchover", ("scope=payments", "target_site=dc2", "--tags", "x"), "--tags"),
        ("switchover", ("scope=payments", "target_site=dc2", "--skip-tags", "x"), "--skip-tags"),
        ("switchover", ("scope=payments", "target_site=dc2", "--start-at-task", "Decide"), "--start-at-task"),
    ],
)
def test_bad_input_is_refused_before_anything_is_contacted(verb: str, arguments: tuple[str, ...], text: str) -> None:
    result = run_verb(verb, *arguments)
    assert result.rc != 0
    assert text in result.output
    assert "TASK" not in result.output


def test_a_drill_with_a_fault_is_refused_on_a_production_plan(tmp_path: Path) -> None:
    plan = changed_plan(tmp_path, ("environment: drill", "environment: production"))
    result = run_verb("drill", "scope=payments", f"fault={FAULTS}/primary_crashed.yml", plan=plan)
    assert result.rc != 0
    assert "production" in result.output
    assert "TASK" not in result.output


def test_an_asynchronous_standby_does_not_prove_rpo_zero(healthy: None) -> None:
    sql("db1", 5432, "alter system set synchronous_standby_names = ''")
    sql("db1", 5432, "select pg_reload_conf()")
    before = state()
    for verb in ("assess", "switchover"):
        result = run_verb(verb, "scope=payments", "target_site=dc2")
        assert refused(result, "synchronous_unproven", "payments-db") == ("async", "sync")
    assert differences(before) == ""


def test_paused_replay_is_refused(healthy: None) -> None:
    sql("db2", 5434, "select pg_wal_replay_pause()")
    before = state()
    assert refused(run_verb("switchover", *MOVE), "replay_paused") == ("paused", "running")
    assert differences(before) == ""
    lab("fault", "primary_crashed", "--member", "db1", "--service", "accounts-db")
    assert refused(run_verb("failover", *MOVE), "replay_paused") == ("paused", "running")


def test_no_replica_is_refused(healthy: None) -> None:
    inside("db2", "systemctl stop postgresql@15-accounts")
    before = state()
    measured, limit = refused(run_verb("switchover", *MOVE), "no_replica")
    assert "stopped" in measured
    assert limit == "a running replica"
    assert differences(before) == ""


def test_a_replica_of_another_cluster_is_refused(unchanged: None, tmp_path: Path) -> None:
    plan = changed_plan(tmp_path, ("cluster: 15/accounts\n      port: 5433", "cluster: 15/accounts\n      port: 5433"),
                        ("        port: 5434\n        data_directory: /srv/postgresql/accounts\n",
                         "        port: 5432\n        cluster: 15/payments\n"))  # fmt: skip
    unused = {
        "payments-db:\n    function": "unused-db:\n    function",
        "name: payments-db.shop": "name: unused-db.shop",
        "      port: 5432\n      replication": "      port: 5439\n      replication",
    }
    text = plan.read_text(encoding="utf-8")
    for old, new in unused.items():
        text = text.replace(old, new)
    plan.write_text(text, encoding="utf-8")
    measured, _limit = refused(run_verb("switchover", *MOVE, plan=plan), "other_cluster")
    assert "db1=" in measured
    assert "db2=" in measured


def test_a_wrong_key_is_refused_before_anything_is_stopped(unchanged: None, tmp_path: Path) -> None:
    plan = changed_plan(tmp_path, ("secrets/tsig_continuity'", "secrets/tsig_stranger'"))
    measured, _limit = refused(run_verb("switchover", *MOVE, plan=plan), "endpoint_problem")
    assert "key" in measured


def test_a_wrong_zone_is_refused(unchanged: None, tmp_path: Path) -> None:
    plan = changed_plan(
        tmp_path,
        (
            "accounts-db.shop.example.\n        zone: shop.example.",
            "accounts-db.other.example.\n        zone: other.example.",
        ),
    )
    result = run_verb("switchover", *MOVE, plan=plan)
    assert result.rc != 0
    assert {"arbiter_unreachable", "endpoint_problem"} & set(result.rules("accounts-db"))


def test_lag_over_rpo_is_refused_with_both_numbers(healthy: None, tmp_path: Path) -> None:
    plan = changed_plan(tmp_path, ("rpo: 5m", "rpo: 2s"))
    assert run_verb("assess", "scope=accounts-db", plan=plan).rc == 0
    lab("fault", "standby_held_back", "--member", "db2", "--service", "accounts-db")
    sql("db1", 5433, "insert into continuity_canary values ('by-hand', 1)", "accounts")
    inside("db1", "sleep 4")
    lab("fault", "primary_crashed", "--member", "db1", "--service", "accounts-db")
    before = state()
    measured, limit = refused(run_verb("failover", *MOVE, plan=plan), "lag_over_rpo")
    assert float(measured.removesuffix(" s")) > 2
    assert limit == "2 s"
    assert differences(before) == ""


def test_unknown_lag_is_not_zero_lag(healthy: None, tmp_path: Path) -> None:
    lab("fault", "primary_crashed", "--member", "db1", "--service", "accounts-db")
    inside("db2", "systemctl restart postgresql@15-accounts")
    result = run_verb("failover", *MOVE, f"continuity_runs_dir={tmp_path}")
    assert result.rc != 0
    assert "lag_unknown" in result.output


def test_an_unreachable_primary_is_not_fenced(healthy: None) -> None:
    assert run_verb("assess", "scope=all").rc == 0
    lab("fault", "member_killed", "--member", "db1")
    result = run_verb("failover", "scope=payments", "target_site=dc2")
    measured, _limit = refused(result, "old_primary_unfenced", "payments-db")
    assert "db1" in measured
    # one look at a dead machine costs one bound of 3 s
    assert result.seconds < 9
    waived = ("waive=old_primary_unfenced", '{"reason": "the machine was powered off by hand"}')
    result = run_verb("failover", "scope=payments", "target_site=dc2", *waived)
    assert result.rc == 0, result.output
    assert [waiver["rule"] for waiver in result.service("payments-db")["waivers"]] == ["old_primary_unfenced"]


def test_a_machine_that_dies_under_a_warm_connection_costs_its_bound_once(healthy: None) -> None:
    assert run_verb("assess", "scope=all").rc == 0
    lab("fault", "member_paused", "--member", "db1")
    result = run_verb("assess", "scope=all")
    lab("heal", "member_paused", "--member", "db1")
    assert result.rc != 0
    assert "db1 (dc1): unreachable" in str(result.report["services"])
    assert result.seconds < 9
