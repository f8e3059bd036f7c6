# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore to a time, beside the data: what was committed before it is there, what came after is not."""

from __future__ import annotations

import json
from collections.abc import Callable

from harness import Result, sql


def noted(by_hand: Callable[..., str]) -> dict:
    """What the member keeps of the restore that it holds."""
    return json.loads(by_hand("db2", "cat /var/lib/continuity/payments-db/restore"))


def test_the_row_before_is_there_and_the_one_after_is_not(by_hand: Callable[..., str]) -> None:
    kept = noted(by_hand)
    assert kept["phase"] == "proven"
    # The lab's own row and the one before
    assert kept["result"]["counts"]["shop"] == {"public.continuity_canary": 2}
    assert kept["result"]["stopped"].startswith("recovery stopping before commit of transaction"), kept
    assert kept["result"]["checksums"] == "on"


def test_nothing_of_it_runs_and_production_was_not_touched(by_hand: Callable[..., str]) -> None:
    # Asked alone: the shell that asks would find its own words
    by_hand("db2", "! pgrep -f '[p]ayments.restored'")
    by_hand("db2", "test -e /var/lib/postgresql/15/payments.restored/PG_VERSION")
    assert sql("db1", 5432, "select count(*) from continuity_canary", "shop") == "3"


def test_what_was_proven_counts_for_the_copy_until_it_is_discarded(verb: Callable[..., Result]) -> None:
    gone = verb("restore", "scope=payments", "restore_mode=discard")
    assert gone.rc == 0 and gone.changed == 1, gone.output


def test_a_damaged_copy_is_refused_with_its_own_reason(
    verb: Callable[..., Result], by_hand: Callable[..., str]
) -> None:
    by_hand("db1", "rm -rf /srv/backup/dc1/backup /srv/backup/dc1/archive")
    damaged = verb("restore", "scope=payments", "repository=1")
    assert damaged.rc == 2 and "no_backup" in damaged.output, damaged.output
