# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes wrong on the way: undone before the promotion, finished after it, and no service waits for another."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from harness import (
    FAULTS,
    RUNS,
    Result,
    changed_plan,
    differences,
    inside,
    journal,
    lab,
    run_verb,
    sql,
    start_verb,
    state,
    wait_for_step,
    writable,
)

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


def test_a_stop_that_hangs_on_a_silent_standby_gives_the_service_back(healthy: None) -> None:
    """What the primary sends is dropped: it cannot end its shutdown in time. It is ended, started again, and serves."""
    run_id = f"silent-{time.time_ns()}"
    process = start_verb("switchover", *MOVE, f"continuity_run_id={run_id}")
    wait_for_step(run_id, "accounts-db", "lease", "done", count=2)
    os.killpg(process.pid, signal.SIGSTOP)
    lab("fault", "standby_held_back", "--member", "db2", "--service", "accounts-db")
    sql("db1", 5433, "insert into continuity_canary values ('by-hand', 1)", "accounts")
    os.killpg(process.pid, signal.SIGCONT)
    output, _errors = process.communicate(timeout=180)
    assert process.returncode != 0, output
    assert "stop_failed" in output
    assert writable(PORTS, "accounts") == ["db1"]
    assert sql("db1", 5433, "select count(*) from continuity_canary where run_id = 'by-hand'", "accounts") == "1"
    assert inside("client", "dig +short accounts-db.shop.example.") == "198.51.100.11"


def test_a_rejoin_that_was_cut_off_is_cloned_beside_the_old_data(healthy: None) -> None:
    """Half a rewind is no database: the member is copied anew, and the old data is kept until somebody looked."""
    assert run_verb("assess", "scope=accounts-db").rc == 0
    lab("fault", "primary_crashed", "--member", "db1", "--service", "accounts-db")
    assert run_verb("failover", *MOVE).rc == 0
    inside("db1", "runuser -u continuity -- touch /var/lib/continuity/accounts-db/rejoining")
    result = run_verb("rejoin", "scope=accounts-db")
    assert result.rc == 0, result.output
    done = [line for line in _journal(result) if (line["step"], line["state"]) == ("rejoin", "done")]
    methods = [line["data"]["method"] for line in done]
    assert methods == ["clone"]
    assert inside("db1", "ls -d /var/lib/postgresql/15/accounts.kept")
    assert sql("db2", 5434, "select application_name, state from pg_stat_replication") == "db1|streaming"
    assert run_verb("rejoin", "scope=accounts-db").changed == 0
    # a second time the kept data is in the way, and nothing is thrown away
    inside("db1", "systemctl stop postgresql@15-accounts")
    inside("db1", "runuser -u continuity -- touch /var/lib/continuity/accounts-db/rejoining")
    again = run_verb("rejoin", "scope=accounts-db")
    assert again.rc != 0
    assert "kept_data_present" in again.output
    assert inside("db1", "ls -d /var/lib/postgresql/15/accounts.kept")


def _journal(result: Result) -> list[dict[str, Any]]:
    return journal(str(result.report["run_id"]), "accounts-db")


def test_a_site_is_left_in_the_order_of_dependencies(healthy: None) -> None:
    """Everything in one site is dead; what others depend on moves first."""
    assert run_verb("assess", "scope=all").rc == 0
    for service in ("payments-db", "accounts-db"):
        lab("fault", "primary_crashed", "--member", "db1", "--service", service)
    result = run_verb("failover", "source_site=dc1")
    assert result.rc == 0, result.output
    run_id = str(result.report["run_id"])
    ended = [entry["time"] for entry in journal(run_id, "accounts-db") if entry["step"] == "outcome"]
    begun = [entry["time"] for entry in journal(run_id, "payments-db") if entry["step"] == "claim"]
    assert ended[0] < begun[0]
    assert writable(PORTS, "accounts") == writable({"db1": 5432, "db2": 5432}, "shop") == ["db2"]
    assert run_verb("failover", "source_site=dc1").changed == 0


def test_what_depends_on_a_failed_service_is_refused_with_the_reason(healthy: None) -> None:
    assert run_verb("assess", "scope=all").rc == 0
    for service in ("payments-db", "accounts-db"):
        lab("fault", "primary_crashed", "--member", "db1", "--service", service)
    inside("db2", "systemctl stop postgresql@15-accounts")
    result = run_verb("failover", "source_site=dc1")
    assert result.rc != 0
    assert "no_replica" in result.rules("accounts-db")
    assert "it depends on accounts-db" in result.output
    assert writable({"db1": 5432, "db2": 5432}, "shop") == []


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


def test_a_planned_drill_whose_dwell_fails_still_brings_the_service_home(healthy: None) -> None:
    """What was moved away comes back, however the stage in between went; the drill has failed all the same."""
    run_id = f"dwell-{time.time_ns()}"
    process = start_verb("drill", "scope=accounts-db", "dwell=20s", f"continuity_run_id={run_id}")
    wait_for_step(run_id, "accounts-db", "outcome", "done")
    # the canary was set up, started and measured; now it watches the dwell
    wait_for_step(run_id, "accounts-db", "canary", "started", count=4)
    inside("db1", "systemctl stop postgresql@15-accounts")  # so that there is nowhere to go back to without the rejoin
    inside("db2", "systemctl restart postgresql@15-accounts")
    output, _errors = process.communicate(timeout=240)
    assert process.returncode != 0, output
    assert "it did not serve without interruption for the dwell of 20s" in output
    report = json.loads((RUNS / run_id / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "failed"
    stages = {stage["stage"]: stage["outcome"] for stage in report["services"][0]["stages"]}
    assert (stages["switchover"], stages["rejoin"], stages["failback"]) == ("failed", "done", "done"), output
    assert writable(PORTS, "accounts") == ["db1"]
    assert sql("db1", 5433, "select application_name, state from pg_stat_replication") == "db2|streaming"
    assert inside("client", "dig +short accounts-db.shop.example.") == "198.51.100.11"


@pytest.mark.parametrize("fault", [(), (f"fault={FAULTS}/primary_crashed.yml",)], ids=["planned", "fault"])
def test_a_drill_does_not_move_a_service_that_is_not_where_it_looks(healthy: None, fault: tuple[str, ...]) -> None:
    """Its primary is in the other site already: nothing would be exercised, and nothing is broken or moved "back"."""
    assert run_verb("switchover", *MOVE).rc == 0
    before = state()
    result = run_verb("drill", "scope=accounts-db", "source_site=dc1", *fault)
    assert result.rc != 0
    assert result.report["verdict"] == "refused", result.output
    assert "nothing_to_exercise" in result.output
    assert result.changed == 0
    assert differences(before) == ""


def test_a_drill_of_a_service_without_endpoint_and_canary_moves_it_and_back(healthy: None, tmp_path: Path) -> None:
    """Nothing sends clients and nothing measures: it is moved there and back, and never called passed."""
    plan = changed_plan(tmp_path)
    head, name, accounts = plan.read_text(encoding="utf-8").partition("  accounts-db:\n")
    engine, _endpoints, rest = accounts.partition("    endpoints:\n")
    fence = rest[rest.index("    fence:\n") : rest.index("    canary:\n")]
    plan.write_text(head + name + engine + fence, encoding="utf-8")
    result = run_verb("drill", "scope=accounts-db", plan=plan)
    assert result.report["verdict"] == "not_measured", result.output
    assert result.rc != 0
    stages = {stage["stage"]: stage["outcome"] for stage in result.service("accounts-db")["stages"]}
    assert (stages["switchover"], stages["failback"]) == ("done", "done"), result.output
    assert writable(PORTS, "accounts") == ["db1"]


SECOND_ENDPOINT = """\
      - role: continuity.dr.endpoint_rfc2136
        name: payments-db.shop.example.
        zone: shop.example.
        type: A
        servers: [{server}]
        authoritative: [{server}]
        ttl: 5s
        key: *key
"""


def two_endpoints(directory: Path, server: str) -> Path:
    """A plan whose accounts-db has a second name, lent by the other service, at a name server of its own."""
    directory.mkdir()
    plan = changed_plan(directory, ("name: payments-db.shop.example.", "name: unused-db.shop.example."))
    head, name, accounts = plan.read_text(encoding="utf-8").partition("  accounts-db:\n")
    second = SECOND_ENDPOINT.format(server=server) + "    fence:\n"
    plan.write_text(head + name + accounts.replace("    fence:\n", second), encoding="utf-8")
    return plan


def test_of_two_endpoints_the_silent_one_is_switched_by_the_next_run(healthy: None, tmp_path: Path) -> None:
    """Its name server does not answer and is waived by name: the other is claimed and switched, it is found later."""
    silent, answering = (
        two_endpoints(tmp_path / "silent", "198.51.100.62"),
        two_endpoints(tmp_path / "both", "198.51.100.153"),
    )
    assert run_verb("assess", "scope=accounts-db", plan=answering).rc == 0
    lab("fault", "primary_crashed", "--member", "db1", "--service", "accounts-db")
    refused = run_verb("failover", *MOVE, plan=silent)
    assert list(refused.rules("accounts-db")) == ["arbiter_unreachable"]
    waived = ("waive=arbiter_unreachable", '{"reason": "its name server is down"}')
    result = run_verb("failover", *MOVE, *waived, plan=silent)
    service = result.service("accounts-db")
    assert [each["name"] for each in service["degradations"]] == ["endpoint_not_switched"], result.output
    assert "payments-db.shop.example." in service["degradations"][0]["message"]
    assert result.report["verdict"] == "degraded"
    assert writable(PORTS, "accounts") == ["db2"]
    assert inside("client", "dig +short accounts-db.shop.example.") == "203.0.113.11"
    assert inside("ns0", "dig +short @198.51.100.153 payments-db.shop.example.") == "198.51.100.11"
    again = run_verb("failover", *MOVE, *waived, plan=silent)
    assert (again.changed, again.report["verdict"]) == (0, "degraded") and again.rc != 0, again.output
    assert "not switched: payments-db.shop.example." in again.output
    result = run_verb("failover", *MOVE, plan=answering)
    assert result.rc == 0, result.output
    assert inside("ns0", "dig +short @198.51.100.153 payments-db.shop.example.") == "203.0.113.11"
    assert run_verb("failover", *MOVE, plan=answering).changed == 0


def test_after_a_rejoin_a_failover_at_rpo_zero_needs_no_assess(healthy: None) -> None:
    """The rejoin itself saw the new primary with its synchronous standby: that proves the next failover."""
    port = {"db1": 5432, "db2": 5432}
    assert run_verb("assess", "scope=payments").rc == 0
    lab("fault", "primary_crashed", "--member", "db1", "--service", "payments-db")
    assert run_verb("failover", "scope=payments", "target_site=dc2").rc == 0
    result = run_verb("rejoin", "scope=payments")
    assert result.rc == 0, result.output
    lab("fault", "primary_crashed", "--member", "db2", "--service", "payments-db")
    result = run_verb("failover", "scope=payments", "target_site=dc1")
    assert result.rc == 0, result.output
    assert any("synchronous" in line["text"] for line in result.service("payments-db")["evidence"])
    assert writable(port) == ["db1"]


SLOW_FENCE = """
- name: Fence | hang
  ansible.builtin.command: sleep 12
  delegate_to: localhost
  changed_when: false

- name: Fence | then fence after all
  ansible.builtin.include_role: {name: continuity.dr.fence_systemd, tasks_from: fence}
"""
AS_EVER = """
- name: As ever
  ansible.builtin.include_role: {{name: continuity.dr.fence_systemd, tasks_from: {entry}}}
"""


def test_inside_a_wave_no_service_waits_for_the_fence_of_another(
    healthy: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both primaries are killed; one service's fence, somebody else's role, hangs. The other's outage stays short."""
    tasks = tmp_path / "roles" / "slow_fence" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "fence.yml").write_text(SLOW_FENCE, encoding="utf-8")
    for entry in ("prove", "release"):
        (tasks / f"{entry}.yml").write_text(AS_EVER.format(entry=entry), encoding="utf-8")
    monkeypatch.setenv("ANSIBLE_ROLES_PATH", str(tmp_path / "roles"))
    plan = changed_plan(tmp_path, ("    depends_on: [accounts]\n", ""))
    before, name, after = plan.read_text(encoding="utf-8").partition("  accounts-db:\n")
    plan.write_text(before + name + after.replace("continuity.dr.fence_systemd", "slow_fence"), encoding="utf-8")
    result = run_verb("drill", "scope=all", f"fault={FAULTS}/primary_crashed.yml", plan=plan, timeout=400)
    assert result.rc == 0, result.output
    outage = {name: result.service(name)["rto"]["measured_seconds"] for name in ("payments-db", "accounts-db")}
    assert outage["accounts-db"] > 12, outage
    assert outage["payments-db"] < 7, outage


def test_the_link_between_the_sites_is_cut_and_healed_by_its_fault(healthy: None) -> None:
    """What the fault file promises: no packet between the members, while the controller still reaches both."""
    probe = "timeout 2 bash -c '</dev/tcp/203.0.113.132/5432' 2>/dev/null && echo open || echo cut"
    assert inside("db1", probe) == "open"
    lab("fault", "link_cut", "--site", "dc1")
    assert inside("db1", probe) == "cut"
    assert run_verb("assess", "scope=accounts-db").report
    lab("heal", "link_cut", "--site", "dc1")
    assert inside("db1", probe) == "open"
