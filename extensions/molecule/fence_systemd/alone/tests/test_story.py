# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The unit is masked and gone; a unit that is not there is no proof of anything."""

from __future__ import annotations

from collections.abc import Callable

import harness
from harness import Result
from testinfra.host import Host

STATE = "systemctl show -p LoadState,ActiveState --value postgresql@15-accounts.service"


def test_it_is_down_and_nothing_starts_it(db1: Host, by_hand: Callable[..., str]) -> None:
    assert db1.check_output(STATE).split() == ["masked", "inactive"]
    assert "masked" in by_hand("db1", "systemctl start postgresql@15-accounts 2>&1 || true")
    assert db1.run("ss -Hltn sport = :5433").stdout == ""


def test_the_other_database_of_the_machine_was_left_alone(db1: Host) -> None:
    assert db1.service("postgresql@15-payments").is_running


def test_a_mask_lifted_by_hand_is_the_one_change_of_the_next_run(
    play: Callable[..., Result], by_hand: Callable[..., str]
) -> None:
    by_hand("db1", "systemctl unmask postgresql@15-accounts")
    again = play("playbook.yml")
    assert (again.rc, again.changed) == (0, 1), again.output
    assert play("playbook.yml").changed == 0


def test_a_unit_that_does_not_exist_is_refused(play: Callable[..., Result]) -> None:
    before = harness.state()
    run = play("playbook.yml", '{"fence_units": ["postgresql-accounts.service"]}')
    assert (run.rc, run.changed) == (2, 0), run.output
    assert run.missing("db1 is not fenced", "postgresql-accounts.service is not-found") == [], run.output
    assert harness.differences(before) == ""


def test_a_machine_that_does_not_answer_is_not_fenced(play: Callable[..., Result]) -> None:
    before = harness.state()
    run = play("playbook.yml", '{"ansible_host": "198.51.100.62"}')
    assert (run.rc, run.changed) == (2, 0), run.output
    assert run.missing("db1", "cannot be reached") == [], run.output
    assert harness.differences(before) == ""
