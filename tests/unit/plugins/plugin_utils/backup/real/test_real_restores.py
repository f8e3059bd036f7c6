# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores to each kind of target, from each copy: what is there, what is not, and what is left alone."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()


TARGETS = {
    "time": lambda history: (iso(history.target), 1),
    "name": lambda history: ("name=after_one", 1),
    "lsn": lambda history: (f"lsn={history.lsn}", 1),
    "latest": lambda history: ("latest", 4),
}


@pytest.mark.parametrize("repository", [1, 2])
@pytest.mark.parametrize("kind", TARGETS)
def test_the_row_before_the_target_is_there_and_the_one_after_is_not(history, wanted, kind, repository):
    text, rows = TARGETS[kind](history)
    ((before,),) = history.sql("select count(*) from canary")
    result = history.restorer().restored(wanted(text, repository=repository))
    assert (result["changed"], result["repository"], result["checksums"]) == (True, repository, "on")
    assert result["counts"]["postgres"] == {"public.canary": rows, "public.orders": 200}
    assert result["checks"][0]["answer"] == "t"
    age = result["newest_row_age_seconds"]
    assert age is None if kind == "lsn" else 0 <= age < 36000, "the server tells no time of a position"
    assert before == 4 and history.sql("select count(*) from canary") == [(4,)], "production is untouched"
    again = history.restorer().restored(wanted(text, repository=repository))
    assert again["changed"] is False and again["counts"] == result["counts"]
    assert history.restorer().ask().repositories[repository - 1].proven is not None
    assert history.restorer().discarded()["changed"] is True
    assert not (history.home / "restored").exists() and not (history.home / "restored.run").exists()
    assert history.restorer().discarded()["changed"] is False


def test_what_an_earlier_restore_fetched_ahead_is_fetched_again(history, wanted):
    names = {path.name.split("-")[0] for path in (history.home / "repo1/archive/shop").glob("*/*/*-*")}
    assert names, "segments are archived"
    run = history.home / "restored.run"
    ahead = run / "spool1/archive/shop/in"
    ahead.mkdir(parents=True)
    for name in names:
        (ahead / name).write_bytes(b"\0" * 1024 * 1024)
    run.chmod(0o700)
    owner = (history.home / "repo1").stat()
    for path in (run, *run.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    result = history.restorer().restored(wanted("latest", repository=1))
    assert result["counts"]["postgres"]["public.canary"] == 4
    assert ahead.is_dir(), "it was fetched ahead to here, not to production's place"
    assert history.restorer().discarded()["changed"] is True


def test_a_restore_that_cannot_delete_what_was_fetched_copies_nothing(world, wanted):
    remove = f"/usr/bin/rm -rf {world.home}/restored.run/spool1"
    seen = []
    world.maker().present(Schedule(86400))

    def refused(script, seconds):
        seen.append(remove in script)
        return world.run(script.replace(remove, "/usr/bin/false"), seconds)

    with pytest.raises(MemberError) as failed:
        world.restorer(refused).restored(wanted("latest", repository=1))
    assert any(seen) and failed.value.reason == "forget_fetched_failed"
    assert not (world.home / "restored" / "PG_VERSION").exists()
    assert world.restorer().discarded()["changed"] is True
