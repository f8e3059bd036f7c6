# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The replica is primary, the old primary its replica; without proof that it holds everything nobody is promoted."""

from __future__ import annotations

from collections.abc import Callable

import harness
from harness import Result
from testinfra.host import Host


def test_the_roles_are_swapped(ask: Callable[..., str], db1: Host, db2: Host) -> None:
    assert ask(db1, "select pg_is_in_recovery()", 5433) == "t"
    assert ask(db2, "select pg_is_in_recovery()", 5434) == "f"
    assert ask(db2, "select application_name, state from pg_stat_replication", 5434) == "db1|streaming"
    assert db1.check_output("systemctl show -p LoadState --value postgresql@15-accounts.service") == "loaded"


def test_a_replica_stopped_by_hand_is_the_one_change_of_the_next_run(
    play: Callable[..., Result], by_hand: Callable[..., str]
) -> None:
    by_hand("db1", "systemctl stop postgresql@15-accounts")
    again = play("playbook.yml")
    assert (again.rc, again.changed) == (0, 1), again.output
    assert play("playbook.yml").changed == 0


def test_a_replica_that_lacks_what_the_proof_names_is_not_promoted(play: Callable[..., Result]) -> None:
    before = harness.state()
    run = play("without_proof.yml")
    assert run.rc == 2, run.output
    assert "the standby received" in run.output
    assert run.changed == 0
    assert harness.differences(before) == ""
