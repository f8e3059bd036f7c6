# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bad deploy, and nobody knows when it was: the plan's own queries find the last time before it."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from real_primary import SERVICE

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.search import TRIES
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused

SECONDS = 300.0


def written_for(world, seconds: float) -> None:
    """Rows of the canary, some each second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        world.write()
        world.sql("select pg_sleep(0.2)")


def test_the_data_is_back_as_it_was_a_second_before_the_table_was_dropped(world, wanted):
    world.maker().present(Schedule(86400))
    written_for(world, 6)
    ((whole,),) = world.sql("select extract(epoch from clock_timestamp())::float8")
    world.sql("drop table orders")
    ((dropped,),) = world.sql("select extract(epoch from clock_timestamp())::float8")
    written_for(world, 3)
    world.archived()
    request, told = wanted("last_clean"), []
    member = world.restorer()
    member.tell = told.append
    result = member.restored(request)
    assert whole - 1.5 < datetime.fromisoformat(result["target"]).timestamp() <= dropped, (whole, dropped, told)
    assert result["counts"]["postgres"]["public.orders"] == 200
    assert 1 < len(told) <= TRIES and {line.partition("+00 is ")[2] for line in told} == {"clean", "not clean"}
    again = world.restorer().restored(request)
    assert (again["changed"], again["target"]) == (False, result["target"])
    with pytest.raises(MemberRefused) as asked:
        world.restorer().in_place(request, None, SECONDS)
    loss = asked.value.result["loss"]
    assert {each["table"]: each["restored"] for each in loss["tables"]}["public.orders"] == 200
    assert 2 < loss["seconds"] < time.time() - whole + 3
    assert f"written in the last {loss['seconds']:.0f} s" in str(asked.value)
    assert "postgres public.orders None -> 200" in str(asked.value)
    world.restorer().in_place(request, SERVICE, SECONDS)
    assert world.sql("select count(*) from orders") == [(200,)]
    assert world.rights() >= {(user, " ".join(argv)) for user, argv in world.commands}


def test_it_needs_queries_that_tell_the_one_from_the_other(world, wanted):
    world.maker().present(Schedule(86400))
    written_for(world, 3)
    world.archived()
    with pytest.raises(MemberRefused) as nothing:
        world.restorer().restored(wanted("last_clean", checks=()))
    assert nothing.value.refusal.rule == "no_verification"
    with pytest.raises(MemberRefused) as clean:
        world.restorer().restored(wanted("last_clean"))
    assert clean.value.refusal.rule == "nothing_dirty"
    with pytest.raises(MemberError) as never:
        world.restorer().restored(wanted("last_clean", checks=("select false",)))
    assert never.value.reason == "not_proven", "not even the oldest backup is clean"


def test_a_copy_without_a_backup_has_its_own_reason(world, wanted):
    with pytest.raises(MemberRefused) as refused:
        world.restorer().restored(wanted("last_clean", checks=("select false",)))
    assert {each.rule for each in refused.value.refusals} == {"no_backup"}
