# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows were overwritten by a bad deploy, on the standby at once: what is served again is the last clean time."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import story
from harness import sql
from testinfra.host import Host


def test_both_members_hold_the_rows_before_the_deploy_and_none_after() -> None:
    for member in ("db1", "db2"):
        assert sql(member, 5432, "select state, count(*) from orders group by 1", "shop") == "paid|100"
        assert sql(member, 5432, "select count(*) from continuity_canary where run_id = 'after'", "shop") == "0"


def test_the_plans_query_found_a_clean_time_and_what_would_be_lost_was_shown(place: Path) -> None:
    told = story.kept(place, "earlier")
    assert len(re.findall(r"try \d+: \S+ \S+ is (?:not )?clean", told.output)) > 2, told.output
    refusal = told.rules("payments-db")["not_confirmed"]
    assert re.search(r"would lose what was written in the last \d+ s", refusal["message"]), refusal
    assert "shop public.continuity_canary 2 -> 1" in refusal["message"], refusal


def test_the_replica_follows_on_the_new_timeline(ask: Callable[..., str], db1: Host) -> None:
    assert ask(db1, "select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)") == "00000002"
    assert ask(db1, "select application_name, state, sync_state from pg_stat_replication") == "db2|streaming|sync"


def test_the_old_data_is_kept_and_each_copy_has_a_backup_of_the_new(by_hand: Callable[..., str]) -> None:
    by_hand("db1", "test -e /var/lib/postgresql/15/payments.before-restore/PG_VERSION")
    info = by_hand("db1", "runuser -u postgres -- pgbackrest --stanza=payments info")
    assert info.count("wal start/stop: 00000002") == 2, info


def test_the_report_says_that_it_passed(last_report: Callable[[str], dict]) -> None:
    service = last_report("restore")["services"][0]
    assert service["verdict"] == "passed"
