# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Corruption: the primary's data is replaced by what was proven, and every way back stays open until it is promoted."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused

SECONDS = 30.0


@pytest.fixture
def corrupted(world):
    """A primary of which somebody deleted half a table; `world.target` is a time before that."""
    world.maker().present(Schedule(86400))
    world.write()
    world.archived()
    ((clean,),) = world.sql("select extract(epoch from clock_timestamp())::float8 + 1.2")
    while time.time() < clean:
        world.sql("select pg_sleep(0.05)")
    world.target = datetime.fromtimestamp(time.time(), tz=UTC).isoformat()
    world.sql("delete from orders where n > 100")
    world.write()
    world.archived()
    return world


def test_what_would_be_lost_is_shown_and_nothing_is_swapped_without_the_typed_word(corrupted, wanted):
    request = wanted(corrupted.target)
    with pytest.raises(MemberRefused) as unproven:
        corrupted.restorer().in_place(request, "shop", SECONDS)
    assert unproven.value.refusals[0].rule == "restore_not_proven"
    corrupted.restorer().restored(request)
    with pytest.raises(MemberRefused) as asked:
        corrupted.restorer().in_place(request, "yes", SECONDS)
    assert asked.value.refusals[0].rule == "not_confirmed"
    lost = {each["table"]: (each["now"], each["restored"]) for each in asked.value.result["loss"]["tables"]}
    assert lost == {"public.canary": (2, 1), "public.orders": (100, 200)}
    assert corrupted.sql("select count(*) from orders") == [(100,)]


def test_the_proven_data_takes_the_place_and_the_old_is_kept_until_it_is_released(corrupted, wanted):
    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    result = corrupted.restorer().in_place(request, "shop", SECONDS)
    assert corrupted.sql("select count(*) from orders") == [(200,)]
    ((row,),) = corrupted.sql("select count(*) from canary")
    assert row == 1 and result["timeline"] == 2 and result["changed"] is True
    assert corrupted.sql("show archive_mode") == [("on",)]
    # A replica that is cloned from here would stop at the old target for ever
    kept = (corrupted.data / "postgresql.auto.conf").read_text()
    assert "recovery_target" not in kept and "restore_command" not in kept and "archive_mode" not in kept
    assert (corrupted.home / "data.before-restore/PG_VERSION").exists()
    assert corrupted.restorer().in_place(request, "shop", SECONDS)["changed"] is False
    # It archives on its own timeline, so a new backup can be made and restored from
    made = corrupted.maker().present(Schedule(86400), kind="full")
    assert [each["timeline"] for each in made["made"]] == [2, 2]
    with pytest.raises(MemberRefused) as asked:
        corrupted.restorer().released(None)
    assert asked.value.refusals[0].rule == "not_confirmed"
    assert corrupted.restorer().released("shop")["changed"] is True
    assert not (corrupted.home / "data.before-restore").exists()
    assert corrupted.restorer().released("shop")["changed"] is False
    assert corrupted.rights() >= {(user, " ".join(argv)) for user, argv in corrupted.commands}


def test_the_old_data_serves_again_when_the_restored_one_does_not_start(corrupted, wanted):
    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    hook = corrupted.home / "units/postgresql@15-main.service/start"
    start = hook.read_text()
    # Only the restored data is refused, as a server does whose files are not its own
    hook.write_text(start.replace("#!/bin/sh\n", f"#!/bin/sh\n[ ! -e {corrupted.data}/recovery.signal ] || exit 1\n"))
    with pytest.raises(MemberError) as failed:
        corrupted.restorer().in_place(request, "shop", SECONDS)
    assert failed.value.reason == "start_failed"
    assert corrupted.sql("select count(*) from orders") == [(100,)]
    assert (corrupted.home / "restored/PG_VERSION").exists()
    hook.write_text(start)
    assert corrupted.restorer().in_place(request, "shop", SECONDS)["changed"] is True
    assert corrupted.sql("select count(*) from orders") == [(200,)]


@pytest.mark.parametrize("when", ["/usr/bin/mv -T", "the moves are done"])
def test_a_swap_that_was_cut_off_is_gone_on_with(corrupted, wanted, when):
    class Lost(BaseException):
        pass

    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)

    def execute(script, seconds):
        if when in script:
            raise Lost
        if (
            when == "the moves are done" and "mv -T" in script
        ):  # the directories are moved, and nobody is left to start them
            corrupted.run(script.partition("systemctl unmask")[0].rpartition("\n")[0] + "\nexit 0\n}\n", seconds)
            raise Lost
        return corrupted.run(script, seconds)

    with pytest.raises(Lost):
        corrupted.restorer(execute).in_place(request, "shop", SECONDS)
    assert corrupted.restorer().in_place(request, "shop", SECONDS)["changed"] is True
    assert corrupted.sql("select count(*) from orders") == [(200,)]
