# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was restored reaches nothing outside its own two directories, whatever the backup brought along."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberRefused


def test_programs_that_the_backup_names_are_not_run(history, wanted):
    reached = history.give(history.home / "socket") / "reached"
    named = "".join(f"{name} = 'touch {reached}'\n" for name in ("recovery_end_command", "archive_cleanup_command"))

    def execute(script, seconds):
        if "systemd-run" in script and "continuity-restored-15" in script:
            with (history.home / "restored/postgresql.auto.conf").open("a") as settings:
                settings.write(named)
        return history.run(script, seconds)

    assert history.restorer(execute).restored(wanted("latest", repository=1))["changed"] is True
    assert not reached.exists()


def test_tablespaces_are_restored_beside_those_of_production(world, wanted):
    """A backup names their directories, which are production's on this machine."""
    (place := world.home / "places").mkdir()
    world.give(place)
    request = wanted("latest", repository=2)
    world.maker().present(Schedule(86400))
    world.write()
    world.archived()
    world.restorer().restored(request)
    # What lies aside is a cluster now, so pgBackRest would take whatever it has a file for as its own
    world.sql(f"create tablespace more location '{place}'", "create table there tablespace more as select 1 as n")
    world.maker().present(Schedule(86400), kind="full")
    world.write()
    world.archived()
    world.sql("insert into there values (2)", "checkpoint")
    before = sorted((path, path.read_bytes()) for path in place.rglob("*") if path.is_file())
    result = world.restorer().restored(wanted("latest", repository=1))
    assert sorted((path, path.read_bytes()) for path in place.rglob("*") if path.is_file()) == before
    assert world.sql("select count(*) from there") == [(2,)] and result["counts"]["postgres"]["public.there"] == 1
    with pytest.raises(MemberRefused) as refused:
        world.restorer().in_place(wanted("latest", repository=1), "shop", 30.0)
    assert refused.value.refusal.rule == "tablespaces" and world.sql("select count(*) from there") == [(2,)]
    assert world.restorer().discarded()["changed"] is True and not (world.home / "restored.run").exists()
    assert sorted((path, path.read_bytes()) for path in place.rglob("*") if path.is_file()) == before
    assert world.rights() >= {(user, " ".join(argv)) for user, argv in world.commands}
