# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore that is cut off cannot start, is gone on with by the next run, and what is not ours is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused


class Lost(BaseException):
    """The controller is gone: nothing of its own handles this."""


def cut_off(history, wanted, when: str) -> None:
    """Restore until a script that holds `when` is about to be run, then lose the controller."""

    def execute(script, seconds):
        if when in script:
            raise Lost
        return history.run(script, seconds)

    with pytest.raises(Lost):
        history.restorer(execute).restored(wanted("latest", repository=2))


def half_restored(history, wanted) -> None:
    """The copy itself is killed in the middle, and its controller is gone."""

    def execute(script, seconds):
        output = history.run(script, seconds)
        if "continuity-restore-15" in script and "systemd-run" in script:
            aside = history.home / "restored"
            pid = int((history.home / "units/continuity-restore-15-main.service/pid").read_text())
            while not any(aside.rglob("base/*/*")):
                running = history.unit("continuity-restore-15-main.service")["SubState"]
                assert running == "running", "it ended before it could be cut off"
            os.kill(pid, signal.SIGSTOP)
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        return output

    with pytest.raises(MemberError) as failed:
        history.restorer(execute).restored(wanted("latest", repository=2))
    assert failed.value.reason == "restore_failed"


def test_what_is_half_restored_cannot_start_and_is_gone_on_with(history, wanted):
    half_restored(history, wanted)
    aside = history.home / "restored"
    assert any(aside.rglob("base/*/*")) and not (aside / "global/pg_control").exists()
    began = subprocess.run(
        f"{history._as_user}{history.bin_directory}/postgres -D {aside} --config-file={history.home}/postgresql.conf "
        f"-c data_directory={aside} -c port=1 -c archive_mode=off",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=120,
    )
    assert began.returncode != 0 and ("pg_control" in began.stderr or "PG_VERSION" in began.stderr), began.stderr
    result = history.restorer().restored(wanted("latest", repository=2))
    assert result["resumed"] is True and result["counts"]["postgres"]["public.canary"] == 4
    said = (history.home / "restored.run" / "shop-restore.log").read_text()
    assert "delta" in said.rpartition("restore command begin")[2].splitlines()[0]


def test_a_controller_that_is_lost_during_the_recovery_is_gone_on_from(history, wanted):
    cut_off(history, wanted, "pg_is_wal_replay_paused")
    assert history.restorer().ask().restore["phase"] == "recovering"
    result = history.restorer().restored(wanted("latest", repository=2))
    assert result["resumed"] is True and result["counts"]["postgres"]["public.canary"] == 4


def test_a_directory_that_is_not_ours_is_left_alone(history, wanted):
    aside = history.home / "restored"
    aside.mkdir()
    history.give(aside)
    (aside / "precious").write_text("data")
    try:
        with pytest.raises(MemberRefused) as refused:
            history.restorer().restored(wanted("latest"))
        assert refused.value.refusals[0].rule == "restore_directory_in_use"
        assert (aside / "precious").read_text() == "data"
        assert history.restorer().discarded()["changed"] is False and (aside / "precious").exists()
    finally:
        (aside / "precious").unlink()
        aside.rmdir()


def test_a_link_to_production_is_refused(history, wanted):
    link = history.home / "restored"
    link.symlink_to(history.data)
    try:
        with pytest.raises(MemberRefused) as refused:
            history.restorer().restored(wanted("latest"))
        assert refused.value.refusals[0].rule == "restore_directory_in_use"
        assert history.sql("select count(*) from canary") == [(4,)]
    finally:
        link.unlink()


def test_a_file_system_without_room_is_refused_before_anything_is_copied(history, wanted, monkeypatch):
    history.program("df", "echo Filesystem; echo none 1 1 1000000 1% /")
    try:
        with pytest.raises(MemberRefused) as refused:
            history.restorer().restored(wanted("latest"))
    finally:
        (history.bin / "df").unlink()
    assert refused.value.refusals[0].rule == "not_enough_space" and not (history.home / "restored").exists()


def test_the_restored_server_archives_nothing_and_listens_nowhere(history, wanted):
    before = sorted((history.home / "repo1/archive").rglob("*"))
    seen = []

    def execute(script, seconds):
        if "@@counts" in script:
            query = (
                "select json_object_agg(name, setting) from pg_settings where name in ('listen_addresses', "
                "'archive_mode', 'max_logical_replication_workers', 'shared_preload_libraries', 'archive_command')"
            )
            where = f"-h {history.home}/restored.run -p {history.port} -d postgres -XAtqc"
            seen.append(json.loads(history.as_user(f'{history.bin_directory}/psql {where} "{query}"')))
        return history.run(script, seconds)

    history.restorer(execute).restored(wanted("latest", repository=1))
    assert seen[0] == {
        "archive_command": "(disabled)",
        "archive_mode": "off",
        "listen_addresses": "",
        "max_logical_replication_workers": "0",
        "shared_preload_libraries": "",
    }
    assert sorted((history.home / "repo1/archive").rglob("*")) == before
