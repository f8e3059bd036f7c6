# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Both sites lost their data: one command brings the service back from the one copy that was left."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness import sql
from testinfra.host import Host

DB2 = "203.0.113.11"


def test_what_was_archived_serves_at_the_second_site_and_the_first_one_follows(
    ask: Callable[..., str], db2: Host
) -> None:
    for member in ("db1", "db2"):
        assert sql(member, 5432, "select state, count(*) from orders group by 1", "shop") == "paid|100"
    assert ask(db2, "select pg_is_in_recovery()") == "f"
    assert ask(db2, "select application_name, state, sync_state from pg_stat_replication") == "db1|streaming|sync"


def test_clients_are_sent_there(answers: Callable[[str], set[str]]) -> None:
    assert answers("payments-db") == {DB2}


def test_each_copy_holds_a_full_backup_and_the_history_of_the_new_timeline(
    ask: Callable[..., str], by_hand: Callable[..., str], db2: Host
) -> None:
    timeline = ask(db2, "select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)")
    assert int(timeline, 16) > 1
    info = by_hand("db2", "runuser -u postgres -- pgbackrest --stanza=payments info")
    assert info.count(f"wal start/stop: {timeline}") == 2, info
    by_hand("db2", f"ls /srv/backup/dc1/archive/payments/*/{timeline}.history")


def test_every_member_knows_who_was_promoted(by_hand: Callable[..., str]) -> None:
    records = [json.loads(by_hand(name, "cat /var/lib/continuity/payments-db/promotion")) for name in ("db1", "db2")]
    assert [(each["record"]["member"], each["record"]["restored"]) for each in records] == [("db2", True)] * 2


def test_the_report_says_how_old_what_came_back_is(last_report: Callable[[str], dict[str, Any]]) -> None:
    service = last_report("restore")["services"][0]
    # Nobody said when the outage began, so neither it nor the loss is known
    assert service["verdict"] == "not_measured", service["reasons"]
    assert any("the last commit is of" in each["text"] for each in service["evidence"]), service["evidence"]


def test_a_member_that_has_data_is_never_replaced_by_a_backup(verb: Callable[..., Any]) -> None:
    again = verb("restore", "scope=payments-db", "restore_mode=rebuild", "restore_on=db1", "confirm=payments-db")
    assert again.rc == 2 and again.changed == 0 and again.missing("other_primary_possible: db2") == [], again.output
