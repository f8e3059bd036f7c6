# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A primary that was given up by word alone boots again while the newer one is away: it looks like the only one."""

from __future__ import annotations

import time

from harness import inside, lab, run_verb, sql

# Not whether it takes a write: as a synchronous primary it waits for its standby
RUNS_AS_PRIMARY = "runuser -u postgres -- psql -XAtqc 'select pg_is_in_recovery()' -p 5432 -d shop"
RECORD = "dig +short payments-db.shop.example."
GIVEN_UP = "waive=old_primary_unfenced,synchronous_unproven,lag_unknown"


def test_no_client_is_sent_to_a_primary_that_came_back(healthy: None) -> None:
    lab("fault", "member_killed", "--member", "db1")
    word = ("scope=payments", "target_site=dc2", GIVEN_UP, '{"reason": "db1 has no power"}')
    refused = run_verb("failover", *word).report["run_id"]
    result = run_verb("failover", *word, f"confirm={refused}")
    assert inside("client", RECORD) == "203.0.113.11", result.output
    sql("db2", 5432, "create table only_here (n int)", "shop")
    lab("heal", "member_killed", "--member", "db1")
    until = time.monotonic() + 30
    while inside("db1", RUNS_AS_PRIMARY, check=False) != "f":  # nobody could mask it
        assert time.monotonic() < until
    lab("fault", "primary_crashed", "--member", "db2", "--service", "payments-db")
    for verb, target in (("failover", ["target_site=dc1"]), ("failback", []), ("rejoin", []), ("assess", [])):
        result = run_verb(verb, "scope=payments", *target)
        assert result.rc != 0 and "stale_primary" in result.output, (verb, result.output)
        assert inside("client", RECORD) == "203.0.113.11", (verb, result.output)
    assert sql("db1", 5432, "select to_regclass('only_here') is null", "shop") == "t"
