# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The observation's script, run by a real shell: what each state of a member looks like from the controller."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import observe, read
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream

SERVICE = "payments-db"
UNIT = "postgresql@15-main.service"


def look(machine, *peers: Upstream) -> Observation:
    output = machine.run(observe.script([observe.Question(SERVICE, machine.cluster, peers)]))
    assert output.rc == 0, output
    answer = observe.parse(output.stdout)[SERVICE]
    return read.observation("db1", "dc1", "198.51.100.11", answer, machine.cluster)


def test_a_running_primary(machine, server):
    machine.says(server("primary"))
    machine.unit(UNIT, ActiveState="active")
    seen = look(machine)
    assert seen.is_primary and seen.writable and (seen.position, seen.timeline, seen.system_id) == (4096, 1, "7301")
    assert (seen.followers, seen.version, seen.problems) == ({"db2": "sync"}, "15", ())
    assert seen.engine["units"] == [UNIT] and seen.engine["ports"] == [5432]
    assert "pg_is_in_recovery()" in machine.asked
    assert machine.commands == [("postgres", machine.cluster.psql())]


def test_a_running_replica(machine, server):
    machine.says(server("replica"))
    seen = look(machine)
    assert seen.is_replica and seen.writable is False and seen.receiving is True
    assert (seen.upstream, seen.lag_bytes, seen.lag_seconds, seen.last_contact) == ("203.0.113.131:5432", 0, 0.5, 999.5)


def test_a_frozen_server_is_unknown_and_costs_its_bound_only(machine, server):
    machine.says(server("primary"), seconds=30)
    machine.status(0)
    machine.unit(UNIT, ActiveState="active")
    started = time.monotonic()
    seen = look(machine)
    assert time.monotonic() - started < observe.OBSERVE_SECONDS
    assert (seen.reachable, seen.running, seen.role, seen.writable) == (True, None, "unknown", None)
    assert (seen.position, seen.lag_bytes, seen.fenced) == (None, None, False)
    assert (seen.system_id, seen.timeline) == ("7301", 1)


def test_a_cleanly_stopped_primary_that_is_masked_is_fenced(machine):
    machine.says("psql: error: no such file", rc=2)
    machine.control("shut down")
    machine.unit(UNIT, LoadState="masked", ActiveState="inactive")
    seen = look(machine)
    assert (seen.running, seen.role, seen.writable, seen.fenced) == (False, "none", False, True)
    assert seen.position == 0x1000 and seen.engine["stopped_cleanly"] is True
    assert seen.engine["error"].startswith("psql: error")


def test_a_stopped_standby_stands_where_its_recovery_must_go_to_and_not_at_its_last_checkpoint(machine):
    machine.says("", rc=2)
    machine.control("shut down in recovery", minimum="0/2000")
    (machine.home / "data").mkdir()
    (machine.home / "data" / "standby.signal").touch()
    seen = look(machine)
    assert (seen.position, seen.engine["stopped_cleanly"], seen.engine["standby_signal"]) == (0x2000, False, True)


def test_a_crashed_primary_has_no_position(machine):
    machine.says("", rc=2)
    machine.control("in production")
    machine.unit(UNIT, ActiveState="failed")
    seen = look(machine)
    assert (seen.running, seen.role, seen.position, seen.fenced) == (False, "none", None, False)
    assert seen.engine["control_state"] == "in production" and seen.engine["stopped_cleanly"] is False
    assert seen.engine["standby_signal"] is False


@pytest.mark.parametrize("active", ["active", "activating", "deactivating"])
def test_no_postmaster_is_not_stopped_while_its_unit_is_at_work(machine, active):
    machine.says("", rc=2)
    machine.unit(UNIT, ActiveState=active)
    seen = look(machine)
    assert (seen.running, seen.role, seen.fenced) == (None, "unknown", False)


def test_where_sudo_is_refused_nothing_is_known(machine):
    machine.program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    seen = look(machine)
    assert (seen.reachable, seen.running, seen.role, seen.system_id, seen.timeline) == (
        True,
        None,
        "unknown",
        None,
        None,
    )
    assert "a password is required" in seen.engine["error"]


def test_an_answer_that_was_cut_off_is_unknown_and_not_half_read(machine, server):
    machine.says(json.dumps(server("primary"))[:-40])
    seen = look(machine)
    assert (seen.running, seen.role, seen.position) == (None, "unknown", None)


def test_an_answer_of_a_client_that_failed_is_not_believed(machine, server):
    machine.says(server("primary"), rc=1)
    assert look(machine).role == "none", "pg_ctl finds no server: what the client printed is old"


def test_garbage_is_no_answer():
    for garbage in ("", "motd\n@@psql\n{}", "\x00\xff", "@@service other\n@@psql_rc 0\n"):
        answer = observe.parse(garbage).get(SERVICE)
        assert answer is None
        assert read.observation("db1", "dc1", "", answer).reachable is False
    empty = observe.parse(f"@@service {SERVICE}\n@@unit\n@@state\nx\n@@psql\nwat\n@@psql_rc zero\n")[SERVICE]
    assert (empty.server, empty.running, empty.epoch, empty.promotion) == (None, None, None, None)
    assert read.observation("db1", "dc1", "", empty).running is None


def test_two_clusters_are_asked_at_once_and_a_hanging_one_takes_nothing_from_the_other(machine, server):
    hanging = Cluster.from_member(machine.member(port=5433, cluster="15/other"))
    machine.says(server("primary"))
    answer = (machine.home / "bin" / "psql").read_text().removeprefix("#!/bin/sh\n")
    machine.program("psql", f'case "$*" in *5433*) exec sleep 30 ;; esac\n{answer}')
    machine.status(0)
    questions = [
        observe.Question("hangs", hanging),
        observe.Question("hangs-too", hanging),
        observe.Question("fine", machine.cluster),
    ]
    started = time.monotonic()
    answers = observe.parse(machine.run(observe.script(questions)).stdout)
    assert time.monotonic() - started < observe.OBSERVE_SECONDS
    assert set(answers) == {"hangs", "hangs-too", "fine"}
    assert answers["fine"].server == server("primary")
    assert answers["hangs"].server is None and answers["hangs"].running is None


def test_of_many_clusters_some_are_asked_at_a_time_and_all_are_answered(machine, server):
    """Fifty at once were measured: none was answered within its bound, and the machine that serves them was lost."""
    machine.says(server("primary"))
    answer = (machine.home / "bin" / "psql").read_text().removeprefix("#!/bin/sh\n")
    marks = machine.home / "marks"
    machine.program("psql", f'echo 1 >> "{marks}"; sleep 0.1; echo -1 >> "{marks}"\n{answer}')
    names = [f"s{number:02}" for number in range(2 * observe.AT_ONCE + 3)]
    answers = observe.parse(machine.run(observe.script([observe.Question(n, machine.cluster) for n in names])).stdout)
    assert [name for name in names if answers[name].server == server("primary")] == names
    running = list(itertools.accumulate(int(mark) for mark in marks.read_text().split()))
    assert 1 < max(running) <= observe.AT_ONCE


def test_the_epoch_the_record_and_an_unfinished_rejoin_are_read_from_the_member(machine, server):
    folder = machine.state / SERVICE
    folder.mkdir()
    (folder / "epoch").write_text("7\n")
    record = {"member": "db1", "epoch": 7, "run_id": "run-a", "time": 5.0}
    (folder / "promotion").write_text(
        json.dumps({"record": record, "server": {"timeline": 3, "position": 99, "system_id": "7301"}})
    )
    (folder / "rejoining").touch()
    machine.says("", rc=2)
    seen = look(machine)
    assert seen.epoch == 7 and seen.engine["rejoining"] is True
    assert [problem.rule for problem in seen.problems] == ["rejoin_unfinished"]
    # flat, as the model and the rules read it
    assert seen.promotion == {**record, "timeline": 3, "position": 99, "system_id": "7301"}


@pytest.mark.parametrize("epoch", ["", "seven\n", "-1\n"])
def test_an_epoch_that_cannot_be_read_is_unknown_and_not_zero(machine, server, epoch):
    machine.says(server("primary"))
    assert look(machine).epoch == 0, "no epoch was ever written"
    (machine.state / SERVICE).mkdir()
    (machine.state / SERVICE / "epoch").write_text(epoch)
    (machine.state / SERVICE / "promotion").write_text('{"record": {"member": "db1"}, "server": ')
    seen = look(machine)
    assert (seen.epoch, seen.promotion) == (None, None)


def test_replication_logins_are_tried_at_once_and_told_apart(machine, server):
    machine.says(server("primary"))
    body = (machine.home / "bin" / "psql").read_text().removeprefix("#!/bin/sh\n")
    trap = r"""case "$*" in
      *host=198.51.100.1*) echo '7301|1|0/5000|' ; exit ;;
      *IDENTIFY*) sleep 1; printf '%s\n' 'FATAL: no * entry in C:\new' >&2; exit 2 ;;
    esac"""
    machine.program("psql", f"{trap}\n{body}")
    peers = [Upstream(f"198.51.100.{last}", 5432) for last in (1, 2, 3, 4)]
    started = time.monotonic()
    seen = look(machine, *peers)
    assert time.monotonic() - started < 2.9, "one after the other they take 3 s and more"
    assert [(p.rule, p.measured) for p in seen.problems] == [("replication_login", r"FATAL: no * entry in C:\new")] * 3
    assert "198.51.100.2:5432" in seen.problems[0].message


def test_a_server_that_does_not_answer_is_not_made_to_try_logins(machine):
    machine.says("", rc=2)
    look(machine, Upstream("198.51.100.1", 5432))
    assert len(machine.ran("psql")) == 1


def test_the_servers_process_is_held_against_the_plans_unit(machine, server):
    """In one script: the number that the server tells, the unit's main process and its control group."""
    machine.unit(UNIT, ActiveState="active", Id=UNIT, MainPID=str(os.getpid()))
    machine.says(server("primary", pid=os.getpid()))
    assert look(machine).problems == ()
    machine.unit(UNIT, MainPID="1")
    (problem,) = look(machine).problems
    assert problem.rule == "other_unit"
    assert problem.measured == f"{UNIT} runs process 1, the server is process {os.getpid()}"
    # What a group of that name means is test_read's: here that it is asked of the server's own process
    said = machine.run(observe.script([observe.Question(SERVICE, machine.cluster)])).stdout
    own = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    assert observe.parse(said)[SERVICE].cgroup == {part for line in own for part in line.split("/")}


@pytest.mark.parametrize(("state", "starts"), [("enabled-runtime", True), ("disabled", False), ("", None)])
def test_whether_the_unit_starts_at_boot_is_asked_with_everything_else_of_it(machine, server, state, starts):
    machine.says(server("primary"))
    machine.unit(UNIT, ActiveState="active", Id=UNIT, UnitFileState=state)
    calls = machine.home / "calls"
    machine.hook(UNIT, "before-show", f"echo asked >> {calls}")
    assert look(machine).starts_at_boot is starts
    assert calls.read_text() == "asked\n", "systemd is asked once"


def test_a_unit_that_runs_a_server_elsewhere_is_told_where_none_answers(machine, tmp_path):
    machine.says("", rc=2)
    shutil.copy("/usr/bin/sleep", tmp_path / "postgres")
    with subprocess.Popen([tmp_path / "postgres", "60"]) as other:
        machine.unit(UNIT, ActiveState="active", Id=UNIT, MainPID=str(other.pid))
        (problem,) = look(machine).problems
        other.kill()
    assert (problem.rule, problem.measured) == (
        "other_unit",
        f"{UNIT} runs a server (process {other.pid}) on another data directory",
    )
    assert look(machine).problems == (), "it has ended since systemd was asked"


@pytest.mark.parametrize("active", ["active", "activating", "inactive", "failed"])
def test_a_copy_that_goes_on_without_its_controller_is_seen_while_a_lease_is_there(machine, server, active):
    machine.unit(machine.cluster.long_unit(), ActiveState=active)
    for answer in (server("replica"), {}):
        machine.says(answer, rc=0 if answer else 2)
        assert not look(machine).engine["long_work"], "nobody holds a lease"
        (machine.state / SERVICE).mkdir(exist_ok=True)
        (machine.state / SERVICE / "lease").touch()
        assert look(machine).engine["long_work"] is active.startswith("activ")
        (machine.state / SERVICE / "lease").unlink()
