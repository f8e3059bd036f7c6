# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""After a failover the service is back where it belongs, with its redundancy."""

from __future__ import annotations

from collections.abc import Callable

from harness import Result
from testinfra.host import Host


def test_the_preferred_site_serves_and_the_other_follows_synchronously(
    ask: Callable[..., str], db1: Host, db2: Host
) -> None:
    assert ask(db1, "select pg_is_in_recovery()") == "f"
    assert ask(db2, "select pg_is_in_recovery()") == "t"
    assert ask(db1, "select application_name, state, sync_state from pg_stat_replication") == "db2|streaming|sync"


def test_both_members_are_on_the_newest_of_three_timelines(ask: Callable[..., str], db1: Host, db2: Host) -> None:
    assert ask(db1, "select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)") == "00000003"
    assert ask(db2, "select received_tli from pg_stat_wal_receiver") == "3"


def test_the_fence_is_released(db1: Host) -> None:
    assert db1.check_output("systemctl show -p LoadState --value postgresql@15-payments.service") == "loaded"


def test_users_are_sent_home(answers: Callable[[str], set[str]]) -> None:
    assert answers("payments-db") == {"198.51.100.11"}


def test_the_way_back_lost_nothing(last_report: Callable[[str], dict]) -> None:
    service = last_report("failback")["services"][0]
    assert service["verdict"] == "passed"
    assert service["rpo"]["lost"] == 0


def test_a_promise_lifted_by_hand_is_the_one_change_of_the_next_run(
    ask: Callable[..., str], verb: Callable[..., Result], db1: Host
) -> None:
    ask(db1, "alter system set synchronous_standby_names = ''")
    ask(db1, "select pg_reload_conf()")
    again = verb("failback", "scope=payments")
    assert (again.rc, again.changed) == (0, 1), again.output
    assert verb("failback", "scope=payments").changed == 0
