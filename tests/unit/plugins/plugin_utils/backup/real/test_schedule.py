# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the timer starts: the backup that is due in each repository, on a primary alone."""

from __future__ import annotations

import re
import shutil
import subprocess

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule


def start(world, plan: Schedule):
    """Run the installed script as its unit does."""
    files = schedule.files(world.stanza(), plan)
    path = world.home / "timed"
    path.write_text(files[schedule.script_of(world.stanza())], encoding="utf-8")
    path.chmod(0o755)
    return subprocess.run(
        f"{world._as_user}{path}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    )


def kinds(world) -> list[list[str]]:
    return [[each.kind for each in copy.backups] for copy in world.maker().ask().repositories]


def test_the_timer_makes_what_is_due_and_nothing_else(world):
    hourly = Schedule(86400, incr_every=3600)
    assert start(world, hourly).returncode == 0
    assert kinds(world) == [["full"], ["full"]]
    assert start(world, hourly).returncode == 0
    assert kinds(world) == [["full"], ["full"]], "within its interval"
    assert start(world, Schedule(86400, incr_every=1)).returncode == 0
    assert kinds(world) == [["full", "incr"], ["full", "incr"]]
    assert start(world, Schedule(86400, diff_every=1)).returncode == 0
    assert kinds(world) == [["full", "incr", "diff"]] * 2
    world.maker().verified()


def test_a_repository_that_fails_fails_the_unit_and_not_the_other_one(world):
    shutil.rmtree(world.home / "repo1" / "backup")
    assert start(world, Schedule(86400)).returncode == 1
    assert kinds(world)[1] == ["full"]


def test_a_replica_makes_none(world):
    world.run("systemctl stop postgresql@15-main.service")
    assert start(world, Schedule(86400)).returncode == 0, "no server answers"
    (world.data / "standby.signal").touch()
    world.give(world.data / "standby.signal")
    world.start()
    assert world.sql("select pg_is_in_recovery()") == [(True,)]
    assert start(world, Schedule(86400)).returncode == 0
    assert kinds(world) == [[], []]


def test_systemd_can_read_the_units(world, tmp_path):
    files = schedule.files(world.stanza(), Schedule(86400, incr_every=3600))
    for path, text in files.items():
        (tmp_path / path.rpartition("/")[2]).write_text(text, encoding="utf-8")
        assert not set(re.findall(r"\$\{(\w+)\}", text)), "a value was not filled in"
    (timer,) = (text for path, text in files.items() if path.endswith(".timer"))
    assert "OnUnitInactiveSec=360\n" in timer
    script = tmp_path / schedule.script_of(world.stanza()).rpartition("/")[2]
    assert subprocess.run(["/bin/sh", "-n", script], check=False).returncode == 0
