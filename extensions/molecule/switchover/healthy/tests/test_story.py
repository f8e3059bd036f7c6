# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A healthy primary was moved: seen from its machines, from a user's machine, and from the name servers."""

from __future__ import annotations

from collections.abc import Callable

from harness import Result
from testinfra.host import Host

PSQL = (
    "sudo -n -u postgres /usr/lib/postgresql/15/bin/psql -XAtq -v ON_ERROR_STOP=1 "
    "-h /var/run/postgresql -p 5432 -d postgres -f -"
)


def ask(member: Host, statement: str) -> str:
    """Ask the server of payments-db itself, past the collection."""
    return str(member.check_output(f"printf '%s' \"{statement}\" | {PSQL}"))


def test_the_new_primary_takes_writes_on_a_new_timeline(db2: Host) -> None:
    assert ask(db2, "select pg_is_in_recovery()") == "f"
    assert ask(db2, "select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)") == "00000002"


def test_the_old_primary_follows_synchronously_and_refuses_writes(db1: Host, db2: Host) -> None:
    assert ask(db1, "select pg_is_in_recovery()") == "t"
    assert ask(db2, "select application_name, state, sync_state from pg_stat_replication") == "db1|streaming|sync"
    refused = db1.run(f"printf 'create table t (n int)' | {PSQL}")
    assert refused.rc != 0
    assert "read-only" in refused.stderr


def test_the_old_primary_is_not_masked_any_more(db1: Host) -> None:
    assert db1.service("postgresql@15-payments").is_running
    assert db1.check_output("systemctl show -p LoadState --value postgresql@15-payments.service") == "loaded"


def test_every_name_server_and_every_user_finds_the_new_primary(client: Host) -> None:
    for server in ("198.51.100.153", "198.51.100.53", "203.0.113.53"):
        assert client.check_output(f"dig +short @{server} payments-db.shop.example.") == "203.0.113.11"


def test_the_other_service_was_left_alone(db1: Host) -> None:
    other = PSQL.replace("-p 5432", "-p 5433")
    assert db1.check_output(f"printf 'select pg_is_in_recovery()' | {other}") == "f"


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
