# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The scripts that bring a member back, and the undo of a stop, run by a real shell on a member of stand-ins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act, rejoin
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream

SERVICE = "payments-db"
UNIT = "postgresql@15-main.service"
UPSTREAM = Upstream("203.0.113.132", 5432)


@pytest.fixture
def stopped(machine):
    """An old primary, stopped and masked, with data."""
    machine.data.mkdir()
    (machine.data / "standby.signal").touch()
    (machine.data / "PG_VERSION").write_text("15\n")
    machine.unit(UNIT, LoadState="masked")
    machine.program("systemd-run", "exit 0")
    machine.says({"recovery": True, "streaming": True})
    return machine


def programs(machine) -> list[str]:
    return [
        " ".join(argv[:2]).rpartition("/")[2] if argv[0].endswith("systemctl") else argv[0].rpartition("/")[2]
        for _user, argv in machine.commands
    ]


def test_a_rewind_is_marked_before_it_begins_and_runs_as_a_unit_of_its_own(stopped):
    output = stopped.run(rejoin.rewind(SERVICE, None, stopped.cluster, UPSTREAM))
    assert (output.rc, output.lines) == (0, ["@@began"])
    assert (stopped.state / SERVICE / "rejoining").exists()
    assert not (stopped.data / "standby.signal").exists(), "pg_rewind refuses a directory that holds one"
    (argv,) = stopped.ran("systemd-run")
    assert argv[1] == "--unit=continuity-15-main.service" and "--uid=postgres" in argv
    assert argv[-2:] == ["--source-server", UPSTREAM.source()]
    assert programs(stopped)[-2:] == ["systemctl reset-failed", "systemd-run"]


@pytest.mark.parametrize("script", [rejoin.rewind, rejoin.clone])
def test_long_work_that_cannot_begin_says_so(stopped, script):
    stopped.program("systemd-run", "echo 'Unit continuity-15-main.service already exists.' >&2; exit 1")
    output = stopped.run(script(SERVICE, None, stopped.cluster, UPSTREAM))
    assert output.rc == 1 and output.lines[-1] == "@@failed begin"


@pytest.mark.parametrize(
    "script",
    [
        lambda c: rejoin.rewind(SERVICE, None, c, UPSTREAM),
        lambda c: rejoin.clone(SERVICE, None, c, UPSTREAM),
        lambda c: rejoin.swap_in(SERVICE, None, c),
        lambda c: rejoin.start(SERVICE, None, c, UPSTREAM, 5),
    ],
    ids=["rewind", "clone", "swap_in", "start"],
)
def test_nothing_touches_the_data_of_a_server_that_does_not_stop(stopped, script):
    stopped.status(0)
    before = sorted(path.name for path in stopped.home.rglob("data*/*"))
    output = stopped.run(script(stopped.cluster))
    assert output.rc == 1 and output.lines[-1] == "@@failed stop"
    assert stopped.ran("systemctl") == [["stop", UNIT]] and not stopped.ran("systemd-run")
    assert sorted(path.name for path in stopped.home.rglob("data*/*")) == before


def test_a_copy_goes_beside_the_old_data_and_then_takes_its_place(stopped):
    left_over = stopped.home / "data.new" / "half"
    left_over.mkdir(parents=True)
    assert stopped.run(rejoin.clone(SERVICE, None, stopped.cluster, UPSTREAM)).lines == ["@@began"]
    assert not left_over.exists() and (stopped.data / "PG_VERSION").exists()
    (stopped.home / "data.new").mkdir()
    (stopped.home / "data.new" / "PG_VERSION").write_text("copied\n")
    assert stopped.run(rejoin.swap_in(SERVICE, None, stopped.cluster)).rc == 0
    assert (stopped.data / "PG_VERSION").read_text() == "copied\n"
    assert (stopped.home / "data.kept" / "PG_VERSION").read_text() == "15\n"


def test_old_data_that_was_kept_is_never_overwritten(stopped):
    (stopped.home / "data.kept").mkdir()
    output = stopped.run(rejoin.clone(SERVICE, None, stopped.cluster, UPSTREAM))
    assert (output.rc, lease.refusal(output.stdout)) == (lease.REFUSED, ("kept_data_present", f"{stopped.data}.kept"))
    assert not stopped.ran("systemd-run") and "kept_data_present" in lease.NEXT


def test_a_path_is_no_command(stopped):
    odd = Cluster.from_member(stopped.member(data_directory=f"{stopped.home}/$(touch${{IFS}}$HOME/PWNED)"))
    Path(odd.kept_directory).mkdir(parents=True)
    output = stopped.run(rejoin.clone(SERVICE, None, odd, UPSTREAM))
    assert lease.refusal(output.stdout) == ("kept_data_present", odd.kept_directory)
    for script in (act.stop(SERVICE, None, odd, UPSTREAM, 1), rejoin.start(SERVICE, None, odd, UPSTREAM, 1)):
        stopped.run(script)
    assert not (stopped.home / "PWNED").exists()


@pytest.mark.parametrize("what", ["keep", "swap"])
def test_a_swap_that_fails_says_at_which_half(stopped, what):
    if what == "keep":
        (stopped.home / "data.kept" / "of an earlier one").mkdir(parents=True)
    output = stopped.run(rejoin.swap_in(SERVICE, None, stopped.cluster))
    assert output.rc == 1 and output.lines[-1] == f"@@failed {what}"


def test_a_copy_takes_the_place_of_data_that_is_gone_with_its_disk(stopped):
    (stopped.home / "data").rename(stopped.home / "data.new")
    assert stopped.run(rejoin.swap_in(SERVICE, None, stopped.cluster)).rc == 0
    assert (stopped.home / "data").exists() and not (stopped.home / "data.kept").exists()


def test_a_member_is_unmasked_only_after_it_was_made_a_standby(stopped):
    (stopped.data / "standby.signal").unlink()
    (stopped.state / SERVICE).mkdir()
    (stopped.state / SERVICE / "rejoining").touch()
    stopped.hook(
        UNIT,
        "unmask",
        f"[ -e {stopped.data}/standby.signal ] || exit 9; echo loaded > {stopped.home}/units/{UNIT}/LoadState",
    )
    output = stopped.run(rejoin.start(SERVICE, None, stopped.cluster, UPSTREAM, 2))
    assert output.rc == 0, output
    assert json.loads(output.lines[-1]) == {"recovery": True, "streaming": True}
    assert stopped.unit(UNIT) == {"LoadState": "loaded", "ActiveState": "active"}
    assert "application_name=db1" in (stopped.data / "postgresql.auto.conf").read_text()
    assert not (stopped.state / SERVICE / "rejoining").exists()


@pytest.mark.parametrize("verb", ["start", "unmask"])
def test_a_member_that_does_not_start_says_so(stopped, verb):
    stopped.hook(UNIT, verb, "exit 1")
    output = stopped.run(rejoin.start(SERVICE, None, stopped.cluster, UPSTREAM, 2))
    assert output.rc == 1 and output.lines[-1] == "@@failed start"


def test_a_member_that_could_not_be_made_a_standby_is_not_started(stopped):
    (stopped.data / "postgresql.auto.conf").mkdir()
    output = stopped.run(rejoin.start(SERVICE, None, stopped.cluster, UPSTREAM, 2))
    assert output.rc == 1 and output.lines[-1] == "@@failed standby_signal"
    assert stopped.unit(UNIT)["LoadState"] == "masked"


def test_a_stopped_primary_starts_again_as_primary(stopped):
    stopped.says({"recovery": False})
    output = stopped.run(act.start_again(SERVICE, None, stopped.cluster, 5))
    assert output.rc == 0 and output.lines[0] == "@@changed" and json.loads(output.lines[-1]) == {"recovery": False}
    assert not (stopped.data / "standby.signal").exists()
    assert stopped.unit(UNIT) == {"LoadState": "loaded", "ActiveState": "active"}


def test_a_primary_that_still_serves_is_only_disarmed(stopped):
    stopped.status(0)
    stopped.says({"recovery": False})
    output = stopped.run(act.start_again(SERVICE, None, stopped.cluster, 5))
    assert output.rc == 0 and "@@changed" not in output.lines
    assert not (stopped.data / "standby.signal").exists() and stopped.unit(UNIT)["LoadState"] == "loaded"
    assert {argv[0] for argv in stopped.ran("pg_ctl")} == {"status"} and stopped.ran("systemctl") == [["unmask", UNIT]]


def test_a_primary_that_cannot_be_started_again_says_so(stopped):
    stopped.hook(UNIT, "start", "exit 1")
    output = stopped.run(act.start_again(SERVICE, None, stopped.cluster, 5))
    assert output.rc == 1 and output.lines[-1] == "@@failed start"


def test_progress_is_what_systemd_says_of_the_unit(stopped):
    stopped.unit("continuity-15-main.service", ActiveState="active", Result="success", ExecMainStatus="0")
    assert stopped.run(rejoin.progress(stopped.cluster)).lines == [
        "ActiveState=active",
        "Result=success",
        "ExecMainStatus=0",
    ]
