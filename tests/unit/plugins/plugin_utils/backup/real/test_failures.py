# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Damage that only the restored server or its pages show: each fails with its own reason, production goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError

#: Files of the restored directory: pages that a count reads, that only a dump reads, and that neither does
PLACES = {
    "heap": "select pg_relation_filepath('long')",
    "toast": "select pg_relation_filepath(reltoastrelid) from pg_class where relname = 'long'",
    "index": "select pg_relation_filepath('long_hash')",
}


def damaging(member, path: Path, seconds: float = 600.0):
    """Run scripts on the member; a byte of the file is flipped when the restored server is about to be started."""
    until = time.monotonic() + seconds

    def execute(script, bound):
        assert time.monotonic() < until, "the restore goes on for ever"
        if "systemd-run" in script and "continuity-restored-15" in script:
            page = bytearray(path.read_bytes())
            page[100] ^= 0xFF
            path.write_bytes(page)
        return member.run(script, bound)

    return execute


def fails(member, path: str, request) -> MemberError:
    """How a restore with this file damaged ends; production is as it was."""
    question = "select pg_postmaster_start_time(), (select count(*) from canary), (select count(*) from orders)"
    before = member.sql(question)
    with pytest.raises(MemberError) as failed:
        member.restorer(damaging(member, member.home / "restored" / path)).restored(request)
    assert member.sql(question) == before
    assert member.restorer().ask().restore["phase"] != "proven"
    assert not (member.home / "restored/postmaster.pid").exists(), "the restored server was stopped"
    return failed.value


def test_a_restored_server_that_nobody_can_connect_to_ends_the_restore(history, wanted):
    """It replays its log and runs, and each connection ends: waiting for an answer would never end."""
    error = fails(history, "global/pg_filenode.map", wanted("latest", repository=1))
    assert error.reason == "recovery_failed" and "incorrect checksum" in str(error)


@pytest.mark.parametrize(
    ("place", "reason", "said"),
    [
        ("heap", "not_proven", "invalid page"),
        ("toast", "dump_failed", "journalctl"),
        ("index", "checksums_failed", "journalctl"),
    ],
)
def test_a_damaged_page_is_found_wherever_it_is(world, wanted, place, reason, said):
    long = "string_agg(md5(random()::text), '')"
    world.sql(
        "create table long (n int, text text)",
        "create index long_hash on long using hash (n)",
        f"insert into long select n, (select {long} from generate_series(1, 2000 + n)) from generate_series(1, 3) n",
    )
    world.maker().present(Schedule(86400))
    world.write()
    world.archived()
    ((path,),) = world.sql(PLACES[place])
    error = fails(world, path, wanted("latest", repository=2))
    assert error.reason == reason and said in str(error)
