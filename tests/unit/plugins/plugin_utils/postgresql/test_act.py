# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The scripts that change a member, run by a real shell on a member of stand-ins."""

from __future__ import annotations

import json
import subprocess

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, acquire_script
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act, observe, rejoin
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream

SERVICE = "payments-db"
UNIT = "postgresql@15-main.service"
MINE = Lease(SERVICE, "run-a", 8)
UPSTREAM = Upstream("203.0.113.132", 5432)
SERVER = {"timeline": 2, "position": 4200, "system_id": "7301", "recovery": False, "writable": True}
RECORD = {"member": "db1", "epoch": 8, "owner": "o'neil; $(id)"}


@pytest.fixture
def held(machine):
    """The machine, with the lease of this run on it."""
    assert machine.run(acquire_script(MINE, 60)).rc == 0
    return machine


PSQL = r"""
sql=$(cat); printf '%s' "$sql" >> @HOME@/psql.sql
case $sql in
  *pg_stat_activity*) cat @HOME@/sessions ;;
  *gset*) printf '@@protection "db1"\nt\n'; cat @HOME@/server ;;
esac
"""
PG_CTL = r"""
case $1 in
  status) [ -e @HOME@/stopped ] && exit 3; exit 0 ;;
  stop) touch @HOME@/stopped; rm -f @HOME@/socket/.s.PGSQL.5432 ;;
esac
"""


def running(machine) -> None:
    """A server that answers, and stops as soon as it is told to."""
    machine.program("psql", PSQL)
    machine.program("pg_ctl", PG_CTL)
    (machine.home / "socket" / ".s.PGSQL.5432").touch()
    (machine.home / "sessions").write_text("[]\n")
    (machine.home / "server").write_text(json.dumps(SERVER) + "\n")
    machine.data.mkdir()
    machine.control("shut down")


def scripts(cluster: Cluster) -> dict[str, str]:
    """Every script that is ever sent to a member, by name."""
    common = (SERVICE, MINE, cluster)
    return {
        "observe": observe.script([observe.Question(SERVICE, cluster, [UPSTREAM, Upstream("db3", 1)])] * 2),
        "stop": act.stop(*common, UPSTREAM, 30),
        "stop_for_good": act.stop(*common, None, 30),
        "arm": act.arm(*common, 30),
        "promote": act.promote(*common, proof=4096, seconds=30, record=RECORD),
        "start_again": act.start_again(*common, 30),
        "settle": act.settle(*common, ["db2", 'a "b"']),
        "settle_only": act.settle(*common, None),
        "may_start": act.may_start(*common),
        "rewind": rejoin.rewind(*common, UPSTREAM),
        "clone": rejoin.clone(*common, UPSTREAM),
        "swap_in": rejoin.swap_in(*common),
        "start": rejoin.start(*common, UPSTREAM, 30),
        "progress": rejoin.progress(cluster),
        "without_lease": act.stop(SERVICE, None, cluster, UPSTREAM, 30),
    }


@pytest.mark.parametrize("name", scripts(Cluster.from_member({"host": "db1", "cluster": "15/main"})))
def test_the_shell_of_a_member_can_read_every_script(machine, name):
    script = scripts(machine.cluster)[name]
    assert subprocess.run(["/bin/sh", "-n"], input=script, capture_output=True, text=True, check=False).stderr == ""


CHANGING = sorted(
    set(scripts(Cluster.from_member({"host": "db1", "cluster": "15/main"}))) - {"observe", "progress", "without_lease"}
)


@pytest.mark.parametrize("name", CHANGING)
def test_every_script_that_changes_something_is_refused_without_the_lease(machine, name):
    running(machine)
    output = machine.run(scripts(machine.cluster)[name])
    assert (output.rc, lease.refusal(output.stdout)) == (lease.REFUSED, ("lease_lost", ""))
    machine.run(acquire_script(Lease(SERVICE, "run-b", 9), 60))
    output = machine.run(scripts(machine.cluster)[name])
    assert (output.rc, lease.refusal(output.stdout)) == (lease.REFUSED, ("stale_epoch", "9"))
    assert machine.commands == []


@pytest.mark.parametrize("name", CHANGING)
def test_a_script_that_is_cut_off_runs_nothing(held, name):
    script = scripts(held.cluster)[name]
    for length in range(0, len(script) - 1, len(script) // 9):
        held.run(script[:length])
    assert held.commands == []


def test_a_stop_masks_and_makes_a_standby_before_it_ends_the_service(held):
    running(held)
    output = held.run(act.stop(SERVICE, MINE, held.cluster, UPSTREAM, 30))
    assert output.rc == 0, output
    done = [" ".join(argv[:2]).rpartition("/")[2] for _user, argv in held.commands]
    order = [done.index(step) for step in ("systemctl mask", "tee -a", "pg_ctl stop", "pg_controldata -D")]
    assert order == sorted(order)
    assert held.unit(UNIT)["LoadState"] == "masked"
    assert (held.data / "standby.signal").exists()
    settings = (held.data / "postgresql.auto.conf").read_text()
    assert settings.splitlines() == [
        "primary_conninfo = 'host=203.0.113.132 port=5432 user=replicator application_name=db1'",
        "recovery_target_timeline = 'latest'",
    ]
    assert "@@changed" in output.lines and "@@controldata" in output.lines


def test_a_session_with_any_name_at_all_is_listed_as_it_is(held):
    running(held)
    sessions = [{"user": "app", "application": "C:\\new \"x\" \\c 'y' $(id) `id`\n@@changed"}]
    (held.home / "sessions").write_text(json.dumps(sessions) + "\n")
    output = held.run(act.stop(SERVICE, MINE, held.cluster, UPSTREAM, 30))
    (line,) = [line for line in output.lines if line.startswith("@@sessions ")]
    assert json.loads(line.removeprefix("@@sessions ")) == sessions


def test_a_stop_that_hangs_ends_at_its_bound_and_says_so(held):
    running(held)
    held.program("pg_ctl", "exit 0")
    output = held.run(act.stop(SERVICE, MINE, held.cluster, UPSTREAM, 0.2))
    assert output.rc == 1 and "@@failed stop" in output.lines and "@@controldata" not in output.lines


def test_a_server_that_cannot_make_a_checkpoint_is_not_stopped(held):
    running(held)
    held.program("psql", "exit 2")
    output = held.run(act.stop(SERVICE, MINE, held.cluster, UPSTREAM, 5))
    assert output.rc == 1 and "@@failed checkpoint" in output.lines
    assert not [argv for argv in held.ran("pg_ctl") if argv[0] == "stop"] and not held.ran("systemctl")


@pytest.mark.parametrize(("failing", "what"), [("systemctl", "mask"), ("tee", "standby_signal")])
def test_a_primary_that_could_come_back_is_not_stopped(held, failing, what):
    running(held)
    if failing == "systemctl":
        held.hook(UNIT, "mask", "echo 'sudo: a password is required' >&2; exit 1")
    else:
        (held.data / "postgresql.auto.conf").mkdir()
    output = held.run(act.stop(SERVICE, MINE, held.cluster, UPSTREAM, 5))
    assert output.rc == 1 and f"@@failed {what}" in output.lines
    assert what != "mask" or "a password is required" in output.stderr, "why: a right that is missing"
    assert not [argv for argv in held.ran("pg_ctl") if argv[0] == "stop"]


def test_a_primary_that_was_stopped_before_is_kept_stopped_all_the_same(held):
    held.control("shut down")
    held.data.mkdir()
    output = held.run(act.stop(SERVICE, MINE, held.cluster, UPSTREAM, 5))
    assert output.rc == 0 and "@@changed" in output.lines
    assert held.unit(UNIT)["LoadState"] == "masked" and (held.data / "standby.signal").exists()
    again = held.run(act.stop(SERVICE, MINE, held.cluster, UPSTREAM, 5))
    assert again.rc == 0 and "@@changed" not in again.lines
    assert [argv[0] for argv in held.ran("pg_ctl")] == ["status", "status"]


def test_a_promotion_is_recorded_beside_the_lease(held):
    running(held)
    output = held.run(act.promote(SERVICE, MINE, held.cluster, proof=4096, seconds=30, record=RECORD))
    assert output.rc == 0, output
    assert json.loads((held.state / SERVICE / "promotion").read_text()) == {"record": RECORD, "server": SERVER}
    assert json.loads(output.lines[-1]) == SERVER and '@@protection "db1"' in output.lines
    assert "proof bigint := 4096;" in (held.home / "psql.sql").read_text()


def test_a_promotion_that_the_server_refuses_fails_with_the_servers_words_and_is_not_recorded(held):
    running(held)
    held.program(
        "psql",
        "cat > /dev/null; echo 'psql:<stdin>:25: ERROR:  continuity not_received: the standby received 1' >&2; exit 3",
    )
    output = held.run(act.promote(SERVICE, MINE, held.cluster, proof=4096, seconds=30, record=RECORD))
    assert output.rc == 1
    assert output.lines[-1] == "@@failed promote" and "not_received" in output.stdout
    assert not (held.state / SERVICE / "promotion").exists()


def test_a_promotion_that_cannot_be_recorded_says_so_and_stands(held):
    running(held)
    (held.state / SERVICE / "promotion.new").mkdir()
    output = held.run(act.promote(SERVICE, MINE, held.cluster, proof=None, seconds=30, record=RECORD))
    assert output.rc == 0 and "@@unrecorded" in output.lines
    assert json.dumps(SERVER) in output.lines


def test_who_must_confirm_commits_is_set_in_one_statement(held):
    running(held)
    held.run(act.settle(SERVICE, MINE, held.cluster, ["db2"]))
    asked = (held.home / "psql.sql").read_text()
    assert """alter system set synchronous_standby_names = '"db2"';""" in asked and "checkpoint;" in asked
    held.program("psql", "exit 1")
    output = held.run(act.settle(SERVICE, MINE, held.cluster, ["db2"]))
    assert output.rc == 1 and "@@failed settle" in output.lines
