# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Corruption: the primary's data is replaced by what was proven, and every way back stays open until it is promoted."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime

import pytest
from real_primary import UNIT, until

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import swap
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused

SECONDS = 300.0


class Lost(BaseException):
    """The controller is gone: nothing of its own handles this."""


@pytest.fixture
def corrupted(world):
    """A primary of which somebody deleted half a table; `world.target` is a time before that."""
    return corrupt(world)


def corrupt(world):
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


def test_rows_that_were_only_changed_would_be_lost_as_well_and_are_counted(corrupted, wanted):
    """No number of rows tells of them, and freezing them hides nothing."""
    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    corrupted.sql("insert into orders select n from generate_series(101, 200) n")  # as many as before the mistake
    corrupted.sql("update orders set n = n where n <= 7")
    corrupted.sql("vacuum freeze orders")
    with pytest.raises(MemberRefused) as asked:
        corrupted.restorer().in_place(request, "yes", SECONDS)
    lost = {each["table"]: each for each in asked.value.result["loss"]["tables"]}
    assert [lost["public.orders"][key] for key in ("now", "restored", "written")] == [200, 200, 107]
    assert lost["public.canary"]["written"] == 1
    assert "public.orders 200 -> 200 (107 written since)" in asked.value.refusals[0].message


def test_the_proven_data_takes_the_place_and_the_old_is_kept_until_it_is_released(corrupted, wanted):
    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    result = corrupted.restorer().in_place(request, "shop", SECONDS)
    assert corrupted.sql("select count(*) from orders") == [(200,)]
    ((row,),) = corrupted.sql("select count(*) from canary")
    assert row == 1 and result["timeline"] == 2 and result["changed"] is True
    assert [each.partition(" by ")[0] for each in result["evidence"]] == ["db1: level 3"]
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


def test_nobody_has_to_confirm_the_commits_of_the_restored_data(world, wanted):
    """The replica that did follows the data that is replaced: the service's first write would wait for ever."""
    world.sql("alter system set synchronous_standby_names = 'db2'")  # read at the next start, and in every backup
    request = wanted(corrupt(world).target)
    world.restorer().restored(request)
    world.restorer().in_place(request, "shop", SECONDS)
    assert world.sql("show synchronous_standby_names") == [("",)]
    world.write()


def test_what_an_earlier_restore_kept_is_not_buried_under_another_one(corrupted, wanted):
    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    kept = corrupted.home / "data.before-restore"
    kept.mkdir()
    (kept / "PG_VERSION").write_text("15\n")
    corrupted.give(kept)
    before = corrupted.sql("select pg_postmaster_start_time(), (select count(*) from orders)")
    with pytest.raises(MemberRefused) as refused:
        corrupted.restorer().in_place(request, "shop", SECONDS)
    told = refused.value.refusals[0]
    assert told.rule == "kept_data_present" and "-e restore_mode=release -e confirm=shop" in told.hint
    assert corrupted.sql("select pg_postmaster_start_time(), (select count(*) from orders)") == before
    assert [path.name for path in kept.iterdir()] == ["PG_VERSION"]


def test_what_serves_after_the_swap_is_compared_with_what_was_proven(corrupted, wanted):
    """Clients write already, so rows may be more; fewer are told, whatever took them."""

    def execute(script, seconds):
        output = corrupted.run(script, seconds)
        if "pg_reload_conf" in script:
            corrupted.sql("delete from orders where n > 150")
            corrupted.write()
        return output

    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    with pytest.raises(MemberError, match="serves and does not hold what was proven") as failed:
        corrupted.restorer(execute).in_place(request, "shop", SECONDS)
    assert failed.value.reason == "not_equal" and "public.orders" in str(failed.value)
    assert "public.canary" not in str(failed.value)


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


@pytest.mark.parametrize(("said", "reason"), [("exit 0", "not_fenced"), ("exit 1", "mask_failed")])
def test_nothing_is_moved_while_the_primary_may_be_started_again(corrupted, wanted, said, reason):
    """Its unit was not masked, whatever systemctl said: no fence would take that for evidence."""
    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    corrupted.hook(UNIT, "mask", said)
    with pytest.raises(MemberError) as failed:
        corrupted.restorer().in_place(request, "shop", SECONDS)
    assert failed.value.reason == reason
    assert corrupted.sql("select count(*) from orders") == [(100,)], "it serves as before"
    assert (corrupted.home / "restored/PG_VERSION").exists()
    assert not (corrupted.home / "data.before-restore").exists()
    (corrupted.home / "units" / UNIT / "mask").unlink()
    assert corrupted.restorer().in_place(request, "shop", SECONDS)["changed"] is True


@pytest.mark.parametrize("when", ["/usr/bin/mv -T", "the moves are done"])
def test_a_swap_that_was_cut_off_is_gone_on_with(corrupted, wanted, when):
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
    # Of the three directories one is the only copy of something: nothing but the same restore may touch them
    for step in (
        corrupted.restorer().discarded,
        lambda: corrupted.restorer().released("shop"),
        lambda: corrupted.restorer().restored(wanted("latest")),
    ):
        before = sorted(path.name for path in corrupted.home.iterdir())
        with pytest.raises(MemberRefused) as refused:
            step()
        assert refused.value.refusal.rule == "swap_cut_off"
        assert sorted(path.name for path in corrupted.home.iterdir()) == before
    assert corrupted.restorer().in_place(request, "shop", SECONDS)["changed"] is True
    assert corrupted.sql("select count(*) from orders") == [(200,)]


def test_a_primary_that_was_started_again_after_the_cut_is_not_taken_for_the_restored_one(corrupted, wanted):
    def execute(script, seconds):
        if "/usr/bin/mv -T" in script:
            raise Lost
        return corrupted.run(script, seconds)

    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    with pytest.raises(Lost):
        corrupted.restorer(execute).in_place(request, "shop", SECONDS)
    corrupted.run("systemctl unmask postgresql@15-main.service")
    corrupted.start()
    corrupted.write()
    with pytest.raises(MemberRefused) as asked:
        corrupted.restorer().in_place(request, None, SECONDS)
    assert asked.value.refusal.rule == "not_confirmed" and asked.value.result["loss"]["known"] is True
    assert corrupted.sql("select count(*) from orders") == [(100,)]
    corrupted.restorer().in_place(request, "shop", SECONDS)
    assert corrupted.sql("select count(*) from orders") == [(200,)]
    assert (corrupted.home / "data.before-restore/PG_VERSION").exists()


class Clock:
    """Real time, which runs ahead by half the product's patience at each look once `fast` is set."""

    def __init__(self) -> None:
        self.fast = False
        self.ahead = 0.0

    def monotonic(self) -> float:
        self.ahead += SECONDS / 2 if self.fast else 0
        return time.monotonic() + self.ahead

    sleep = staticmethod(time.sleep)
    time = staticmethod(time.time)


def test_a_restored_server_that_is_not_promoted_in_time_is_told_and_gone_on_with(corrupted, wanted, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(swap, "time", clock)

    def execute(script, seconds):
        assert clock.ahead < 100 * SECONDS, "it waits for ever"
        output = corrupted.run(script.replace("action = '\"'\"'promote", "action = '\"'\"'pause"), seconds)
        clock.fast = clock.fast or "systemctl start" in script
        return output

    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    with pytest.raises(MemberError) as failed:
        corrupted.restorer(execute).in_place(request, "shop", SECONDS)
    assert failed.value.reason == "not_promoted"
    assert (corrupted.home / "data.before-restore/PG_VERSION").exists()
    until(lambda: corrupted.sql("select pg_get_wal_replay_pause_state()") == [("paused",)], "it came to the target")
    assert corrupted.sql("select pg_promote(wait_seconds => 600)") == [(True,)]
    clock.fast = False
    assert corrupted.restorer().in_place(request, "shop", SECONDS)["timeline"] == 2
    assert corrupted.sql("select count(*) from orders") == [(200,)]


def test_nothing_is_stopped_where_the_swap_would_be_a_copy_or_another_restore_began(corrupted, wanted):
    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    before = corrupted.sql("select pg_postmaster_start_time()")

    def refused(member) -> str:
        with pytest.raises(MemberRefused) as error:
            member.in_place(request, "shop", SECONDS)
        assert corrupted.sql("select pg_postmaster_start_time()") == before
        return error.value.refusal.rule

    corrupted.program("stat", 'case "$3" in *restored*) echo 7;; *) echo 8;; esac; [ -z "$4" ] || echo 8')
    assert refused(corrupted.restorer()) == "other_file_system"
    (corrupted.bin / "stat").unlink()

    def execute(script, seconds):
        output = corrupted.run(script, seconds)
        if "@@counts" in script:  # while it compares, another controller begins
            note = corrupted.state / "shop" / "restore"
            note.write_text(note.read_text().replace('"proven"', '"copying"'))
        return output

    assert refused(corrupted.restorer(execute)) == "restore_not_proven"


def test_a_primary_with_a_damaged_page_can_be_replaced(corrupted, wanted):
    """What it holds cannot be compared: that is told, and is why somebody restores."""
    corrupted.restorer().restored(request := wanted(corrupted.target))
    ((path,),) = corrupted.sql("select pg_relation_filepath('canary')")
    corrupted.run("systemctl stop postgresql@15-main.service")
    page = bytearray((corrupted.data / path).read_bytes())
    page[100] ^= 0xFF
    (corrupted.data / path).write_bytes(page)
    corrupted.start()
    with pytest.raises(MemberRefused) as asked:
        corrupted.restorer().in_place(request, None, SECONDS)
    loss = asked.value.result["loss"]
    assert loss["known"] is False and "invalid page" in loss["why"]
    corrupted.restorer().in_place(request, "shop", SECONDS)
    assert corrupted.sql("select count(*) from orders") == [(200,)]


def test_what_was_there_comes_back_also_where_the_restored_data_is_gone_by_then(corrupted, wanted):
    """Somebody discards it at the very moment: a restore beside the data needs no lease."""

    def execute(script, seconds):
        if "/usr/bin/mv -T" in script and "unmask" in script:
            shutil.rmtree(corrupted.home / "restored")
        return corrupted.run(script, seconds)

    request = wanted(corrupted.target)
    corrupted.restorer().restored(request)
    with pytest.raises(MemberError):
        corrupted.restorer(execute).in_place(request, "shop", SECONDS)
    assert corrupted.sql("select count(*) from orders") == [(100,)]
    assert not (corrupted.home / "data.before-restore").exists()
