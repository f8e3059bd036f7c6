# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No member has data any more: the service is built anew from one copy, and from nothing that may be newer than it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pytest
from real_primary import SERVICE, UNIT
from real_verb import environment, inventory

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.rebuild import Rebuilder
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused

SECONDS = 30.0


@pytest.fixture
def lost(world):
    """A member of which the data directory is gone, and of whose copies only the second is left.

    It had more connections than a server has by default: with fewer none would get through its log.
    """
    conf = world.home / "postgresql.conf"
    world.run(f"systemctl stop {UNIT}")
    conf.write_text(conf.read_text() + "max_connections = 133\n")
    world.start()
    world.maker().present(Schedule(86400))
    for _segment in range(2):
        world.write()
        world.archived()
    world.run(f"systemctl stop {UNIT}")
    shutil.rmtree(world.data)
    for path in (world.home / "repo1").iterdir():
        shutil.rmtree(path)
    return world


def rebuilder(world, execute=None) -> Rebuilder:
    return Rebuilder(SERVICE, world.stanza(), None, execute or world.run)


def rule(refused) -> str:
    return refused.value.refusal.rule


def archived_histories(world) -> set[str]:
    return {path.name.partition("-")[0] for path in (world.home / "repo2" / "archive").rglob("0*.history*")}


def test_it_serves_what_was_archived_and_the_next_restore_can_follow_its_timeline(lost, wanted):
    request = wanted("latest")
    assert rebuilder(lost).vacant(request, serves=True) == {"changed": False, "state": "vacant", "rebuilt": False}
    assert lost.restorer().restored(request)["repository"] == 2
    with pytest.raises(MemberRefused) as asked:
        rebuilder(lost).in_place(request, None, SECONDS)
    assert rule(asked) == "not_confirmed" and "is its disk mounted?" in str(asked.value)
    assert not lost.data.exists()
    result = rebuilder(lost).in_place(request, SERVICE, SECONDS)
    assert (result["changed"], result["state"]) == (True, "rebuilt")
    assert lost.sql("select count(*) from canary") == [(2,)] and lost.sql("show archive_mode") == [("on",)]
    ((newest,),) = lost.sql("select extract(epoch from max(written_at))::float8 from canary")
    assert newest <= result["loss"]["newest"] < newest + 5 and result["loss"]["source"] == "positions"
    shown = datetime.fromtimestamp(newest, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f"newest row is of {shown}" in result["evidence"][0]
    # The copy beside the data ended its recovery where nothing is archived: without another one no history would be
    lost.pgbackrest("stanza-create")
    lost.write()
    lost.archived()
    assert archived_histories(lost) == {f"0000000{result['timeline']}.history"}
    kept = (lost.data / "postgresql.auto.conf").read_text()
    assert "recovery_target" not in kept and "restore_command" not in kept
    assert rebuilder(lost).vacant(request, serves=True)["rebuilt"] is True
    assert rebuilder(lost).in_place(request, SERVICE, SECONDS)["changed"] is False
    assert lost.rights() >= {(user, " ".join(argv)) for user, argv in lost.commands}


@pytest.mark.parametrize("held", ["a server", "a stopped server", "files", "what cannot be read"])
def test_a_member_that_may_have_newer_data_is_left_alone(world, wanted, held):
    if held in ("a stopped server", "files", "what cannot be read"):
        world.run(f"systemctl stop {UNIT}")
    if held == "files":
        shutil.rmtree(world.data)
        (world.data / "lost+found").mkdir(parents=True)
    elif held == "what cannot be read":
        words = f"find) case $* in *{world.data}*) echo 'find: Input/output error' >&2; exit 1 ;; esac ;;\n  "
        path = world.bin / "sudo"
        path.write_text(
            path.read_text().replace("case $program in", f"case ${{program##*/}} in {words}esac\ncase $program in", 1)
        )
        shutil.rmtree(world.data)
    with pytest.raises(MemberRefused) as refused:
        rebuilder(world).vacant(wanted("latest"), serves=False)
    assert rule(refused) == "data_present", refused.value.refusal
    if held == "what cannot be read":
        assert "Input/output error" in refused.value.refusal.measured


def test_data_that_came_meanwhile_is_not_overwritten(lost, wanted):
    request = wanted("latest")
    lost.restorer().restored(request)

    def execute(script, seconds):
        if "mv -T" in script:  # somebody else's copy, after the last look
            lost.data.mkdir(exist_ok=True)
            (lost.data / "PG_VERSION").write_text("15\n")
        return lost.run(script, seconds)

    with pytest.raises(MemberError) as failed:
        rebuilder(lost, execute).in_place(request, SERVICE, SECONDS)
    assert failed.value.reason == "swap_failed"
    assert [path.name for path in lost.data.iterdir()] == ["PG_VERSION"]
    assert (lost.home / "restored" / "PG_VERSION").exists(), "what was proven is there still"
    with pytest.raises(MemberRefused) as refused:
        rebuilder(lost).in_place(request, SERVICE, SECONDS)
    assert rule(refused) == "data_present"


def test_a_server_that_does_not_start_leaves_nothing_in_place(lost, wanted):
    request = wanted("latest")
    lost.restorer().restored(request)
    (lost.home / "no_start").touch()
    with pytest.raises(MemberError) as failed:
        rebuilder(lost).in_place(request, SERVICE, SECONDS)
    assert failed.value.reason == "start_failed" and not lost.data.exists()
    (lost.home / "no_start").unlink()
    assert rebuilder(lost).in_place(request, SERVICE, SECONDS)["changed"] is True
    assert lost.sql("select count(*) from canary") == [(2,)]


def test_one_that_was_cut_off_is_gone_on_with(lost, wanted):
    class Lost(BaseException):
        pass

    request = wanted("latest")
    lost.restorer().restored(request)

    def execute(script, seconds):
        output = lost.run(script, seconds)
        if "mv -T" in script:  # it serves, and nobody is left to note it
            raise Lost
        return output

    with pytest.raises(Lost):
        rebuilder(lost, execute).in_place(request, SERVICE, SECONDS)
    assert rebuilder(lost).vacant(request, serves=True)["rebuilt"] is False
    with pytest.raises(MemberRefused) as other:
        lost.restorer().in_place(request, SERVICE, SECONDS)
    assert rule(other) == "swap_cut_off"
    assert rebuilder(lost).in_place(request, SERVICE, SECONDS)["changed"] is True
    assert lost.sql("select count(*) from canary") == [(2,)]


def test_it_needs_its_configuration_and_what_is_replaced_needs_data(lost, wanted):
    request = wanted("latest")
    lost.restorer().restored(request)
    with pytest.raises(MemberRefused) as nothing:
        lost.restorer().in_place(request, SERVICE, SECONDS)
    assert rule(nothing) == "nothing_to_replace"
    (lost.home / "postgresql.conf").unlink()
    with pytest.raises(MemberRefused) as refused:
        rebuilder(lost).vacant(request, serves=True)
    assert rule(refused) == "no_configuration"
    assert rebuilder(lost).vacant(request, serves=False)["rebuilt"] is False


def test_a_note_of_data_that_is_gone_counts_for_nothing(lost, wanted):
    """The disk of the data was lost, the one of the notes was not: what was proven or put in place then is gone."""
    request = wanted("latest")
    first = lost.restorer().restored(request)
    shutil.rmtree(lost.home / "restored")
    again = lost.restorer().restored(request)
    assert again["changed"] is True and again["label"] == first["label"]
    rebuilder(lost).in_place(request, SERVICE, SECONDS)
    lost.run(f"systemctl stop {UNIT}")
    shutil.rmtree(lost.data)
    assert lost.restorer().restored(request)["changed"] is True
    assert rebuilder(lost).in_place(request, SERVICE, SECONDS)["changed"] is True


@pytest.fixture
def verb(lost, tmp_path, run_ansible):
    """`verb("restore_on=db1", members=["db1"])`: a rebuild's exit code, output and report."""

    def run(*inputs, members=("db1",)):
        sources = inventory(lost, tmp_path, members, verification=["select count(*) = 200 from orders"])
        extra = [word for each in ("scope=shop", "restore_mode=rebuild", *inputs) for word in ("-e", each)]
        done = run_ansible("playbook", "continuity.dr.restore", *sources, *extra, **environment(lost, tmp_path))
        reports = sorted(tmp_path.glob("runs/*/report.json"), key=lambda path: path.stat().st_mtime)
        return done.returncode, done.stdout, json.loads(reports[-1].read_text())["services"][0]

    return run


def test_one_command_builds_the_service_anew_and_a_second_run_changes_nothing(lost, verb):
    code, output, service = verb("confirm=shop", "repository=2")
    assert code == 2 and "restore_on_unnamed" in output and service["verdict"] == "refused", output
    code, output, service = verb("confirm=shop", "restore_on=db1", members=["db1", "db2"])
    assert code == 2 and "other_primary_possible: db2" in " ".join(output.split()), output
    assert not lost.data.exists()
    started = f"outage_started={datetime.now(tz=UTC).isoformat()}"
    code, output, service = verb("confirm=shop", "restore_on=db1", started)
    assert code == 2 and service["verdict"] == "failed" and "stanza-create" in output, "the first copy is lost"
    assert [len(copy.backups) for copy in lost.maker().ask().repositories] == [0, 2], "the other got its full backup"
    assert service["rto"]["source"] == "operator" and 1 < service["rto"]["measured_seconds"] < 7200, service["rto"]
    assert service["rpo"]["source"] == "positions" and 0 < service["rpo"]["measured_seconds"] < 7200, service["rpo"]
    assert any("what comes back" in each["text"] for each in service["evidence"])
    assert lost.sql("select count(*) from canary") == [(2,)]
    record = json.loads((lost.state / "shop" / "promotion").read_text())
    assert (record["record"]["member"], record["record"]["restored"]) == ("db1", True)
    lost.pgbackrest("stanza-create")
    code, output, service = verb("confirm=shop", "restore_on=db1", started)
    assert (code, service["verdict"]) == (0, "passed"), "what was left is done"
    code, output, service = verb("confirm=shop", "restore_on=db1", started)
    assert (code, service["verdict"]) == (0, "nothing_to_do"), output
    assert "changed=0" in output.partition("PLAY RECAP")[2].partition("shop ")[2], output
