# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A healthy primary was moved: seen from its machines, from a user's machine, and from the name servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import Result
from testinfra.host import Host


def test_the_new_primary_takes_writes_on_a_new_timeline(ask: Callable[..., str], db2: Host) -> None:
    assert ask(db2, "select pg_is_in_recovery()") == "f"
    assert ask(db2, "select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)") == "00000002"


def test_the_old_primary_follows_synchronously_and_refuses_writes(
    ask: Callable[..., str], db1: Host, db2: Host
) -> None:
    assert ask(db1, "select pg_is_in_recovery()") == "t"
    assert ask(db2, "select application_name, state, sync_state from pg_stat_replication") == "db1|streaming|sync"
    with pytest.raises(AssertionError, match="read-only"):
        ask(db1, "create table t (n int)")


def test_the_old_primary_is_not_masked_any_more(db1: Host) -> None:
    assert db1.service("postgresql@15-payments").is_running
    assert db1.check_output("systemctl show -p LoadState --value postgresql@15-payments.service") == "loaded"


def test_every_name_server_and_every_user_finds_the_new_primary(answers: Callable[[str], set[str]]) -> None:
    assert answers("payments-db") == {"203.0.113.11"}


def test_the_other_service_was_left_alone(ask: Callable[..., str], db1: Host) -> None:
    assert ask(db1, "select pg_is_in_recovery()", 5433) == "f"


def test_nothing_acknowledged_was_lost_and_the_outage_was_short(last_report: Callable[[str], dict]) -> None:
    service = last_report("switchover")["services"][0]
    assert service["verdict"] == "passed"
    assert service["rpo"]["lost"] == 0
    assert service["rpo"]["acknowledged"] > 100
    # What careful users have today takes 3.6 s
    assert 0 < service["rto"]["measured_seconds"] < 3.6


def test_a_replica_stopped_by_hand_is_the_one_change_of_the_next_run(
    verb: Callable[..., Result], by_hand: Callable[..., str]
) -> None:
    by_hand("db1", "systemctl stop postgresql@15-payments")
    again = verb("switchover", "scope=payments", "target_site=dc2")
    assert (again.rc, again.changed) == (0, 1), again.output
    assert verb("switchover", "scope=payments", "target_site=dc2").changed == 0
