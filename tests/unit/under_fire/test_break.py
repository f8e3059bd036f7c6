# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A break takes a dead run's claim and leases, and nothing from one that lives, sleeps elsewhere, or was not named."""

from __future__ import annotations

import signal

import pytest
from under_fire import mine, wrong_winners


@pytest.fixture
def held(fire):
    """A run that holds everything and sleeps; its id is `gone`."""
    run = fire.controller("gone", wait=["held"])
    run.until("held")
    run.send(signal.SIGSTOP)
    return run


def test_a_run_that_sleeps_is_broken_and_writes_nothing_when_it_wakes(fire, held) -> None:
    fire.pass_time(31)
    assert fire.controller("next").until("refused", "acted")["rule"] == "claim_held"
    breaker = fire.controller("next", break_run="gone")
    assert breaker.until("refused", "acted")["rule"] == ""
    held.send(signal.SIGCONT)
    held.go_on()
    assert held.until("acted")["rule"] in ("stale_epoch", "lease_lost")
    assert [effect.run for effect in fire.effects()] == ["next"]


def test_another_name_breaks_nothing(fire, held) -> None:
    fire.pass_time(31)
    assert fire.controller("next", break_run="gonne").until("refused", "acted")["rule"] == "claim_held"
    assert "run=gone" in fire.state("db1", "lease")
    held.send(signal.SIGCONT)
    held.go_on()
    assert held.until("acted")["rule"] == ""


def test_a_run_that_did_a_step_a_moment_ago_is_not_broken(fire, held) -> None:
    """It lives: had the break gone on, both would have had the service in mind."""
    fire.pass_time(10)
    assert fire.controller("next", break_run="gone").until("refused", "acted")["rule"] == "holder_alive"
    assert "run=gone" in fire.state("db1", "lease")
    fire.pass_time(15)
    fire.act("db2", mine("gone", 1))
    fire.pass_time(15)
    breaker = fire.controller("third", break_run="gone", members=["db2"])
    assert breaker.until("refused", "acted")["rule"] in ("holder_alive", "claim_held")
    assert [effect.run for effect in fire.effects()] == ["gone"]


def test_a_third_runs_lease_is_not_broken_with_it(fire, held) -> None:
    fire.pass_time(31)
    fire.release("db2", mine("gone", 1))
    fire.acquire("db2", mine("third", 1))
    breaker = fire.controller("next", break_run="gone")
    assert breaker.until("refused", "acted") == {"said": "refused", "rule": "lease_held", "member": "db2"}
    breaker.until("ended")
    assert "run=third" in fire.state("db2", "lease")
    assert fire.effects() == []


def test_of_many_that_break_the_same_run_one_writes(fire, held) -> None:
    fire.pass_time(31)
    runs = [fire.controller(f"next-{number}", break_run="gone", wait=["observed"]) for number in range(4)]
    for run in runs:
        run.until("observed")
    for run in runs:
        run.go_on()
    ends = [run.until("refused", "acted")["rule"] for run in runs]
    assert ends.count("") == 1, ends
    assert wrong_winners(fire.effects()) == []
    assert len(fire.effects()) == 1


def test_a_break_needs_a_newer_epoch(field) -> None:
    """Under its own epoch the run that was broken could go on where it was."""
    field.acquire("db1", mine("gone", 3))
    field.pass_time(60)
    assert field.acquire("db1", mine("next", 3), break_run="gone", quiet_seconds=30).refused == "stale_epoch"
    broken = field.acquire("db1", mine("next", 4), break_run="gone", quiet_seconds=30)
    assert "@@broken gone" in broken.stdout.splitlines()
    assert field.act("db1", mine("gone", 3)).refused == "stale_epoch"
    assert field.act("db1", mine("gone", 4)).refused == "lease_lost"
    assert field.effects() == []


def test_a_script_that_is_still_at_work_is_not_broken(field) -> None:
    """However long ago it began: the lock says that it lives."""
    field.acquire("db1", mine("gone", 1))
    shell = field.start("db1", field.effect("db1", mine("gone", 1), before="echo at_work; exec sleep 20\n"))
    assert shell.stdout is not None
    assert shell.stdout.readline() == "at_work\n"
    field.pass_time(3000)
    field.acquire("db2", mine("gone", 1), 5000)
    refused = field.acquire("db1", mine("next", 2), break_run="gone", quiet_seconds=30).refused
    shell.kill()
    shell.communicate()
    assert refused == "member_busy"
