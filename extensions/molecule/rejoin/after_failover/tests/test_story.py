# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The old primary follows the new one, on its timeline, and the service has its redundancy again."""

from __future__ import annotations

from collections.abc import Callable

from harness import Result
from testinfra.host import Host


def test_it_follows_synchronously_and_takes_no_writes(ask: Callable[..., str], db1: Host, db2: Host) -> None:
    assert ask(db1, "select pg_is_in_recovery()") == "t"
    assert ask(db2, "select application_name, state, sync_state from pg_stat_replication") == "db1|streaming|sync"


def test_both_are_on_the_timeline_that_the_promotion_began(ask: Callable[..., str], db1: Host, db2: Host) -> None:
    assert ask(db2, "select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)") == "00000002"
    assert ask(db1, "select received_tli from pg_stat_wal_receiver") == "2"


def test_the_fence_is_released_and_users_stay_where_they_are(db1: Host, answers: Callable[[str], set[str]]) -> None:
    assert db1.check_output("systemctl show -p LoadState --value postgresql@15-payments.service") == "loaded"
    assert answers("payments-db") == {"203.0.113.11"}


def test_it_passed(last_report: Callable[[str], dict]) -> None:
    assert last_report("rejoin")["verdict"] == "passed"


def test_a_promise_lifted_by_hand_is_the_one_change_of_the_next_run(
    verb: Callable[..., Result], ask: Callable[..., str], db2: Host
) -> None:
    ask(db2, "alter system set synchronous_standby_names = ''")
    ask(db2, "select pg_reload_conf()")
    again = verb("rejoin", "scope=payments")
    assert (again.rc, again.changed) == (0, 1), again.output
    assert verb("rejoin", "scope=payments").changed == 0
