# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nothing is deleted, stopped or proven that is not what this very restore put there."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import machine, prove
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused

COPY = "continuity-restore-15-main.service"


class Lost(BaseException):
    """The controller is gone: nothing of its own handles this."""


def refused(step, *given) -> str:
    with pytest.raises(MemberRefused) as error:
        step(*given)
    return error.value.refusal.rule


def test_what_was_noted_of_one_directory_gives_no_right_to_another(history, wanted):
    """A plan that names another directory later: a note of ours does not make what lies there ours."""
    history.restorer().restored(wanted("latest", repository=1))
    own = history.give(history.home / "log").parent / "own"
    own.mkdir()
    (own / "precious").write_text("data")
    elsewhere = history.restorer(restore_directory=str(own))
    try:
        assert refused(elsewhere.restored, wanted("latest", repository=1)) == "restored_elsewhere"
        assert refused(elsewhere.restored, wanted("name=after_one")) == "restored_elsewhere"
        assert refused(elsewhere.discarded) == "restored_elsewhere"
        assert refused(elsewhere.in_place, wanted("latest", repository=1), "shop", 30.0) == "restored_elsewhere"
        assert (own / "precious").read_text() == "data" and (history.home / "restored/PG_VERSION").exists()
    finally:
        (own / "precious").unlink()
        own.rmdir()


def test_a_way_that_leads_into_the_data_directory_is_refused(world, wanted):
    world.maker().present(Schedule(86400))
    world.archived()
    before = sorted(path.name for path in world.data.iterdir())
    (world.home / "way").symlink_to(world.data)
    member = world.restorer(restore_directory=str(world.home / "way" / "restored"))
    assert refused(member.restored, wanted("latest")) == "restore_directory_in_use"
    assert sorted(path.name for path in world.data.iterdir()) == before


@pytest.mark.parametrize("written", ["{0}//data", "{0}/./data/restored", "/{0}/data", "{0}/restored/"])
def test_another_way_to_write_a_path_is_no_other_path(history, written):
    with pytest.raises(ValueError, match="give it without"):
        history.restorer(restore_directory=written.format(history.home))


def test_a_copy_for_another_target_that_still_runs_is_ended_and_not_taken_for_this_one(history, wanted):
    """Same backup, later target: its controller is gone, and pgBackRest goes on with the settings of then."""
    until = time.monotonic() + 600

    def lost(script, seconds):
        if "systemd-run" in script and COPY in script:
            history.run(f"systemd-run --unit={COPY} sleep 1200")
            raise Lost
        return history.run(script, seconds)

    def bounded(script, seconds):
        assert time.monotonic() < until, "it waits for the other one"
        return history.run(script, seconds)

    with pytest.raises(Lost):
        history.restorer(lost).restored(wanted("latest", repository=1))
    assert history.unit(COPY)["SubState"] == "running"
    result = history.restorer(bounded).restored(wanted("name=after_one", repository=1))
    assert result["counts"]["postgres"]["public.canary"] == 1


def test_a_server_that_was_told_another_target_proves_nothing(history, wanted):
    """Two runs restore here at once, and the later one gave the server its target."""

    def execute(script, seconds):
        if "systemd-run" in script and "continuity-restored-15" in script:
            with (history.home / "restored/postgresql.auto.conf").open("a") as settings:
                settings.write(f"recovery_target_name = ''\nrecovery_target_lsn = '{history.lsn}'\n")
        return history.run(script, seconds)

    position = f"{history.lsn.partition('/')[0]}/{int(history.lsn.partition('/')[2], 16) - 8:X}"
    with pytest.raises(MemberError) as failed:
        history.restorer(execute).restored(wanted(f"lsn={position}", repository=1))
    assert failed.value.reason == "not_proven" and history.lsn in str(failed.value)
    assert not (history.home / "restored/postmaster.pid").exists()


def test_what_was_restored_of_another_cluster_proves_nothing(history, wanted):
    """A repository whose backups another cluster wrote under this one's name."""

    def execute(script, seconds):
        output = history.run(script, seconds)
        if prove.STATE.strip() not in script:
            return output
        return replace(output, stdout=re.sub(r'("system_id" : )"\d+"', r'\1"7"', output.stdout))

    with pytest.raises(MemberError, match="the restored cluster is 7, the repository's is ") as failed:
        history.restorer(execute).restored(wanted("latest", repository=1))
    assert failed.value.reason == "other_cluster"
    assert not (history.home / "restored/postmaster.pid").exists()


def test_the_latest_is_restored_again_once_more_was_archived(world, wanted):
    world.maker().present(Schedule(86400))
    world.write()
    world.archived()
    request = wanted("latest", repository=1)
    assert world.restorer().restored(request)["counts"]["postgres"]["public.canary"] == 1
    assert world.restorer().restored(request)["changed"] is False
    world.write()
    world.archived()
    assert world.restorer().restored(request)["counts"]["postgres"]["public.canary"] == 2


def test_a_query_that_would_write_fails_the_restore(history, wanted):
    query = "delete from orders returning true"
    with pytest.raises(MemberError) as failed:
        history.restorer().restored(wanted("latest", checks=(query,), repository=1))
    assert failed.value.reason == "not_proven" and "read-only transaction" in str(failed.value)


def test_what_has_the_old_name_of_data_that_serves_now_is_left_alone(history, wanted):
    """After a swap the restore directory is gone; whoever makes it again is not us."""
    history.restorer().restored(wanted("latest", repository=1))
    note = history.state / "shop" / "restore"
    noted = json.loads(note.read_text())
    note.write_text(json.dumps({**noted, "phase": "swapped", "swap": {}}))
    assert refused(history.restorer().restored, wanted("name=after_one")) == "restore_directory_in_use"
    assert history.restorer().discarded()["changed"] is True
    assert (history.home / "restored/PG_VERSION").exists()
    note.write_text(json.dumps(noted))


def test_a_run_that_lost_its_lease_does_not_take_one_again_while_it_waits(history, monkeypatch):
    monkeypatch.setattr(machine, "RENEW_EVERY_SECONDS", -1)
    unit = "continuity-dump-15-main.service"
    history.unit(unit, ActiveState="active", SubState="exited")
    waiting = machine.Machine("shop", history.stanza(), Lease("shop", "run-a", 1), history.run)
    assert refused(waiting.ended, "dump") == "lease_lost"
    assert not (history.state / "shop" / "lease").exists()
    history.unit(unit, ActiveState="inactive", SubState="dead")
