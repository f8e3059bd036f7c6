# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease's own scripts, by real shells at once: paused, orphaned, cut off, on members whose clocks mean nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest
from under_fire import Field, mine, wrong_winners

from ansible_collections.continuity.dr.plugins.plugin_utils import lease

HANG = "echo at_work; read -r never < {pipe}\n"


def hanging(field: Field, member: str, run: str, epoch: int) -> tuple[subprocess.Popen[str], Path]:
    """A guarded script that is at work on a member, under its lock, until somebody writes to its pipe."""
    pipe = field.home / f"{run}.pipe"
    os.mkfifo(pipe)
    shell = field.start(member, field.effect(member, mine(run, epoch), before=HANG.format(pipe=pipe)))
    assert shell.stdout is not None
    assert shell.stdout.readline() == "at_work\n"
    return shell, pipe


def test_many_at_once_on_one_member_have_one_holder_each_epoch(field: Field, chance: random.Random) -> None:
    for epoch in range(1, 7):
        runs = [f"run-{epoch}-{number}" for number in range(8)]
        chance.shuffle(runs)
        shells = [field.start("db1", lease.acquire_script(mine(run, epoch), 60)) for run in runs]
        said = dict(zip(runs, (shell.communicate(timeout=20)[0] for shell in shells), strict=True))
        holders = [run for run, text in said.items() if "@@held" in text]
        acting = [field.start("db1", field.effect("db1", mine(run, epoch))) for run in runs]
        for shell in acting:
            shell.communicate(timeout=20)
        assert len(holders) == 1, said
        assert wrong_winners(field.effects()) == []
        assert {effect.run for effect in field.effects() if effect.epoch == epoch} == set(holders)
        field.release("db1", mine(holders[0], epoch))


def test_an_orphan_that_waits_for_the_lock_is_refused_once_it_has_it(field: Field) -> None:
    """Its controller is dead and its lease was taken over; the shell on the member knows nothing of either."""
    field.acquire("db1", mine("run-a", 1))
    field.pass_time(400)
    field.acquire("db1", mine("run-b", 2))
    shell, pipe = hanging(field, "db1", "run-b", 2)
    orphan = field.start("db1", field.effect("db1", mine("run-a", 1)))
    pipe.write_text("\n")
    shell.communicate(timeout=20)
    orphan.communicate(timeout=20)
    assert orphan.returncode == lease.REFUSED
    assert [effect.run for effect in field.effects()] == ["run-b"]


def test_a_script_of_which_half_arrived_before_the_takeover_does_nothing_after_it(field: Field) -> None:
    field.acquire("db1", mine("run-a", 1))
    text = field.script("db1", field.effect("db1", mine("run-a", 1)))
    orphan = field.start("db1")
    assert orphan.stdin is not None
    orphan.stdin.write(text[: len(text) - 20])
    orphan.stdin.flush()
    field.pass_time(400)
    field.acquire("db1", mine("run-b", 2))
    field.act("db1", mine("run-b", 2))
    orphan.communicate(text[len(text) - 20 :], timeout=20)
    assert [effect.run for effect in field.effects()] == ["run-b"]


def test_a_script_that_sleeps_under_its_lock_keeps_every_other_out(field: Field) -> None:
    """Nobody takes the member from it, however late it is: it may act, so nobody else may."""
    field.acquire("db1", mine("run-a", 1))
    shell, pipe = hanging(field, "db1", "run-a", 1)
    os.killpg(shell.pid, signal.SIGSTOP)
    field.pass_time(4000)
    assert field.acquire("db1", mine("run-b", 2)).refused == "member_busy"
    os.killpg(shell.pid, signal.SIGCONT)
    pipe.write_text("\n")
    shell.communicate(timeout=20)
    assert field.acquire("db1", mine("run-b", 2)).rc == 0
    field.act("db1", mine("run-b", 2))
    assert [effect.run for effect in field.effects()] == ["run-a", "run-b"]
    assert wrong_winners(field.effects()) == []


@pytest.mark.parametrize("hours", [-1, 1, -24 * 365, 24 * 365])
def test_the_wall_clock_of_a_member_changes_no_lease(field: Field, hours: int) -> None:
    """No script reads it; a date that lies is on the path all the same."""
    wrong = field.bin / "date"
    wrong.write_text(f"#!/bin/sh\necho asked >> {field.home}/asked\nexec /bin/date -d '{hours} hours' \"$@\"\n")
    wrong.chmod(0o755)
    field.acquire("db1", mine("run-a", 1), 60)
    for file in (field.home / "db1" / "state" / "shop").iterdir():
        os.utime(file, (file.stat().st_atime, file.stat().st_mtime + hours * 3600))
    assert field.acquire("db1", mine("run-b", 2)).refused == "lease_held"
    field.pass_time(59)
    assert field.acquire("db1", mine("run-b", 2)).refused == "lease_held"
    field.act("db1", mine("run-a", 1))
    field.pass_time(2)
    field.act("db1", mine("run-a", 1))
    assert field.acquire("db1", mine("run-b", 2)).rc == 0
    assert [effect.run for effect in field.effects()] == ["run-a"]
    assert not (field.home / "asked").exists()


def test_a_lease_never_outlives_a_boot_whatever_the_uptime_says(field: Field) -> None:
    field.acquire("db1", mine("run-a", 1), 60)
    (field.home / "db1" / "boot_id").write_text("another-boot\n")
    field._tick("db1", 3.0)  # far below the old lease's end: by uptime alone it would live for an hour and a half
    assert field.act("db1", mine("run-a", 1)).refused == "lease_expired"
    assert field.acquire("db1", mine("run-b", 1)).rc == 0
    field.act("db1", mine("run-b", 1))
    assert [effect.run for effect in field.effects()] == ["run-b"]


def test_what_is_renewed_is_not_eternal(field: Field) -> None:
    field.acquire("db1", mine("run-a", 1), 120)
    for _turn in range(8):
        assert field.run("db1", lease.renew_script(mine("run-a", 1), 120)).rc == 0
        field.pass_time(20)
    field.pass_time(101)
    assert field.run("db1", lease.renew_script(mine("run-a", 1), 120)).refused == "lease_expired"
    assert field.act("db1", mine("run-a", 1)).refused == "lease_expired"
    assert field.acquire("db1", mine("run-b", 2)).rc == 0


def test_an_epoch_is_never_lowered_by_who_comes_late(field: Field, chance: random.Random) -> None:
    epochs = [chance.randrange(1, 60) for _number in range(24)]
    shells = [field.start("db1", lease.acquire_script(mine("run-a", epoch), 60)) for epoch in epochs]
    for shell in shells:
        shell.communicate(timeout=20)
    assert field.state("db1", "epoch") == str(max(epochs))
    for epoch in sorted(epochs)[:-1]:
        field.act("db1", mine("run-a", epoch))
    assert {effect.epoch for effect in field.effects()} <= {max(epochs)}


def test_every_member_keeps_the_newest_promotion(field: Field) -> None:
    """Beside what the promoted member wrote itself; an older run's copy takes no newer one's place."""
    record = {"member": "db1", "epoch": 3, "run_id": "run-a", "time": 5.0, "timeline": 2, "system_id": "7"}
    for epoch, told in ((3, record), (4, {**record, "epoch": 2, "run_id": "run-old"}), (5, None), (6, {})):
        field.acquire("db2", mine("run-a", epoch))
        assert field.release("db2", mine("run-a", epoch), told).rc == 0
        kept = field.state("db2", "promotion")
        assert '"run_id": "run-a"' in kept
        assert '"server": {"system_id": "7", "timeline": 2}' in kept
    field.acquire("db2", mine("run-b", 7))
    field.release("db2", mine("run-a", 3), {**record, "epoch": 9})
    assert '"epoch": 3' in field.state("db2", "promotion"), "a run without the lease wrote it"
    assert field.release("db2", mine("run-b", 7), {**record, "epoch": 10}).rc == 0
    assert '"epoch": 10' in field.state("db2", "promotion")
