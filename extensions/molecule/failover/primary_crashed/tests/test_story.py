# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A killed primary was failed over: fenced for good, its standby serves, users are sent there."""

from __future__ import annotations

from collections.abc import Callable

from harness import Result
from testinfra.host import Host

SSHD = "timeout 1 bash -c '</dev/tcp/198.51.100.11/22'"


def test_the_standby_is_primary_and_takes_writes(ask: Callable[..., str], db2: Host) -> None:
    assert ask(db2, "select pg_is_in_recovery()") == "f"


def test_no_commit_waits_for_the_dead_standby(ask: Callable[..., str], db2: Host) -> None:
    assert ask(db2, "show synchronous_standby_names") == ""
    write = "create table if not exists story (n int); insert into story values (1); select 1"
    assert ask(db2, f"set statement_timeout = '3s'; {write}") == "1"


def test_the_old_primary_is_fenced_also_over_a_reboot(db1: Host, by_hand: Callable[..., str]) -> None:
    state = "systemctl show -p LoadState,ActiveState --value postgresql@15-payments.service"
    assert db1.check_output(state).split() == ["masked", "failed"]
    by_hand("db1", "systemctl start postgresql@15-payments || true")
    assert db1.check_output(state).split()[0] == "masked"
    assert db1.run("ss -Hltn sport = :5432").stdout == ""


def test_the_fence_survives_a_reboot(db1: Host, controller: Host) -> None:
    controller.check_output("docker restart continuity-lab-db1")
    controller.check_output(f"for turn in $(seq 60); do {SSHD} 2>/dev/null && exit 0; sleep 0.5; done; exit 1")
    state = "systemctl show -p LoadState,ActiveState --value postgresql@15-payments.service"
    assert db1.check_output(state).split() == ["masked", "inactive"]
    # the other service of the machine, never fenced, comes back by itself
    active = "systemctl is-active postgresql@15-accounts.service"
    assert db1.check_output(f"for turn in $(seq 40); do {active} -q && break; sleep 0.5; done; {active}") == "active"


def test_users_are_sent_to_the_new_primary(answers: Callable[[str], set[str]]) -> None:
    assert answers("payments-db") == {"203.0.113.11"}


def test_the_report_names_the_lifted_protection_and_the_next_command(last_report: Callable[[str], dict]) -> None:
    service = last_report("failover")["services"][0]
    assert service["protection"]["lifted"] is True
    assert not service["protection"].get("restored")
    assert "continuity.dr.rejoin" in service["next_command"]
    assert any("masked" in str(line) for line in service["evidence"])


def test_a_record_set_back_by_hand_is_the_one_change_of_the_next_run(
    verb: Callable[..., Result], dns_by_hand: Callable[..., None]
) -> None:
    dns_by_hand("payments-db", "198.51.100.11")
    again = verb("failover", "scope=payments", "target_site=dc2")
    assert (again.rc, again.changed) == (0, 1), again.output
    assert verb("failover", "scope=payments", "target_site=dc2").changed == 0
