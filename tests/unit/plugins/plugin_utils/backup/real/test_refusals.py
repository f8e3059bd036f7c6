# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a backup and a restore refuse before anything is touched."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.make import Maker
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberRefused

UNIT = "postgresql@15-main.service"


def refused(step, *given) -> str:
    with pytest.raises(MemberRefused) as error:
        step(*given)
    return error.value.refusal.rule


def contents(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((str(path.relative_to(folder)), path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def serving(member) -> list[tuple]:
    """Which server answers, and what it holds."""
    return member.sql("select pg_postmaster_start_time(), (select count(*) from canary), (select count(*) from orders)")


def test_a_primary_that_does_not_archive_gets_no_backup(world):
    world.run(f"systemctl stop {UNIT}")
    settings = world.home / "postgresql.conf"
    settings.write_text(settings.read_text().replace("archive_mode = on", "archive_mode = off"))
    world.start()
    before = serving(world)
    assert refused(world.maker().present, Schedule(86400)) == "archiving_off"
    assert refused(world.maker().present, Schedule(86400), "full") == "archiving_off"
    assert [copy.backups for copy in world.maker().ask().repositories] == [(), ()] and serving(world) == before


def test_only_the_primary_is_backed_up(world):
    world.run(f"systemctl stop {UNIT}")
    assert refused(world.maker().present, Schedule(86400)) == "not_the_primary", "no server answers"
    (world.data / "standby.signal").touch()
    world.give(world.data / "standby.signal")
    world.start()
    before = serving(world)
    assert refused(world.maker().present, Schedule(86400)) == "not_the_primary"
    assert [copy.backups for copy in world.maker().ask().repositories] == [(), ()] and serving(world) == before


def test_a_login_without_root_installs_no_units(history, tmp_path, monkeypatch):
    for name in ("UNIT_DIRECTORY", "SCRIPT_DIRECTORY"):
        monkeypatch.setattr(schedule, name, str(tmp_path))
    assert refused(history.maker().scheduled, Schedule(86400)) == "schedule_needs_root"
    assert list(tmp_path.iterdir()) == []


def test_a_backup_of_another_major_version_is_not_restored(history, wanted):
    member = history.restorer()
    answer = member.ask()
    member.ask = lambda: replace(answer, versions=dict.fromkeys(answer.versions, "14"))
    before = serving(history)
    assert refused(member.restored, wanted("latest")) == "other_version"
    assert not (history.home / "restored").exists() and serving(history) == before


def test_backups_of_another_cluster_are_none_of_this_one(history, wanted):
    """A plan with another service's stanza: all of it looks well, and none of it is this service's."""

    def execute(script, seconds):
        output = history.run(script, seconds)
        return replace(output, stdout=re.sub(r'("system_id" : )"\d+"', r'\1"7"', output.stdout))

    member = history.restorer(execute)
    assert ["the server here is 7" in copy.message for copy in member.ask().repositories] == [True, True]
    assert refused(member.restored, wanted("latest", repository=1)) == "repository_unreachable"
    assert refused(Maker("shop", history.stanza(), None, execute).present, Schedule(1)) == "repository_unreachable"
    assert not (history.home / "restored").exists()


def test_a_directory_that_a_server_runs_on_is_left_to_it(history, wanted):
    """As `pg_ctl` sees it: a cluster's directory, and a postmaster's process in its lock file."""
    aside, before = history.home / "restored", serving(history)
    aside.mkdir()
    for name in ("PG_VERSION", "postmaster.pid"):
        (aside / name).write_text((history.data / name).read_text())
    for path in (aside, *aside.iterdir()):
        history.give(path)
    there = contents(aside)
    try:
        assert refused(history.restorer().restored, wanted("latest")) == "target_is_live"
        assert contents(aside) == there and serving(history) == before
    finally:
        for path in aside.iterdir():
            path.unlink()
        aside.rmdir()
