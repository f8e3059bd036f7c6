# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be wrong with a backup, and with the place that a restore goes to. Restores go to the standby, db2."""

from __future__ import annotations

import os
import signal
import subprocess

import harness
import yaml
from harness import LAB, inside

from tests.faults.oracles import LOUD
from tests.faults.procedures.primary import serves_again
from tests.faults.trial import Seen, Trial, tail

ASIDE = "/var/lib/postgresql/15/payments.restored"
PROGRAMS = "/usr/lib/postgresql/15/bin"
POINT = "fault_matrix"
COPY = 2
AS_POSTGRES = "cd / && runuser -u postgres --"
COPIED = f"[ -d {ASIDE}/base/1 ]"
STARTABLE = f"[ -s {ASIDE}/global/pg_control ]"
#: The copy is killed in its midst, from inside: nothing outside is as quick.
CUT = f"""unit=continuity-restore-15-payments.service
for i in $(seq 6000); do {COPIED} && break; sleep 0.01; done
systemctl kill --signal=STOP $unit
{STARTABLE} && {{ echo whole; systemctl kill --signal=CONT $unit; exit; }}
systemctl kill --signal=KILL $unit
echo cut"""


def wanted(trial: Trial) -> tuple[str, ...]:
    """The inputs of a restore to a named point that is archived: a second one has nothing to do."""
    trial.sql("db1", f"select pg_create_restore_point('{POINT}')")
    harness.ended(["python", str(LAB / "heartbeat.py")], 120, harness.environment()).check_returncode()
    return f"scope={trial.service}", f"restore_to=name={POINT}", f"repository={COPY}"


def damage(trial: Trial, name: str) -> None:
    """Damage a repository as the drill's controls of the lab do; taken back at the end, or by `mend`."""
    controls = yaml.safe_load((LAB / "restore_controls.yml").read_text(encoding="utf-8"))["controls"]
    script = next(control["damage"] for control in controls if control["name"] == name)
    _control("inject", script)
    trial.undo(mend)


def mend() -> None:
    """The repository as it was."""
    _control("heal", "")


def _control(action: str, damage: str) -> None:
    (task,) = yaml.safe_load((LAB / "damage_repository.yml").read_text(encoding="utf-8"))
    script = task["vars"]["control_scripts"][action]
    script = script.replace("{{ control_copy }}", str(COPY)).replace("{{ control_damage | default('') }}", damage)
    assert "{{" not in script, script
    inside("db1", script)


def failed(trial: Trial, inputs: tuple[str, ...], reason: str) -> str:
    """A restore that must fail for a reason, while production is not touched: what it said."""
    invocations = [trial.unit(member, "InvocationID") for member in ("db1", "db2")]
    result = trial.watch.verb("restore", *inputs)
    assert result.rc != 0 and result.report.get("verdict") == "failed", tail(result.output)
    assert result.missing(reason) == [], f"it does not say {reason}: {tail(result.output)}"
    assert [trial.unit(member, "InvocationID") for member in ("db1", "db2")] == invocations, "a server was restarted"
    serves_again(trial)
    return f"`{reason}`: {result.service(trial.service)['message']}"


def corrupt(trial: Trial) -> Seen:
    """A byte of a backup is another one: it is not taken for a restore; whole again, the same command is proven."""
    inputs = wanted(trial)
    damage(trial, "flipped_byte")
    message = failed(trial, inputs, "restore_failed")
    mend()
    trial.done("restore", *inputs)
    return Seen(f"failed, {message}; with the byte as it was, the same command restored and proved it", True)


def empty_or_old(trial: Trial) -> Seen:
    """A backup that is older than the plan allows fails the drill; from a copy that holds none nothing is restored."""
    plan = trial.plan({"services": {trial.service: {"backup": {"rpo": "1s"}}}})
    inputs = wanted(trial)
    drill = trial.watch.verb("restore", inputs[0], "restore_mode=drill", plan=plan, timeout=300)
    assert drill.rc != 0 and drill.report.get("verdict") == "failed", tail(drill.output)
    old = str(drill.service(trial.service)["message"])
    assert "rpo" in old.lower(), old
    damage(trial, "empty_repository")
    empty = trial.refused("restore", *inputs, rules=("no_backup",))
    return Seen(f"old: {old}; empty: {empty.text}", True)


def at_a_live_server(trial: Trial) -> Seen:
    """The restore directory leads to the data that is served, then a server of somebody else runs there."""
    inputs = wanted(trial)
    trial.undo(
        lambda: inside("db2", f"{AS_POSTGRES} {PROGRAMS}/pg_ctl -D {ASIDE} stop -m immediate; rm -rf {ASIDE}", False)
    )
    inside("db2", f"ln -s {trial.cluster.data_directories['db2']} {ASIDE}")
    linked = trial.refused("restore", *inputs, rules=("restore_directory_in_use",))
    inside("db2", f"rm {ASIDE}; {AS_POSTGRES} {PROGRAMS}/initdb --no-sync -D {ASIDE} >/dev/null")
    options = "-c listen_addresses= -c port=5999 -c unix_socket_directories=/tmp"
    inside("db2", f"{AS_POSTGRES} {PROGRAMS}/pg_ctl -D {ASIDE} -w -l /dev/null -o '{options}' start >/dev/null")
    alive = trial.refused("restore", *inputs, rules=("target_is_live",))
    inside("db2", f"{AS_POSTGRES} {PROGRAMS}/pg_ctl -D {ASIDE} status")
    serves_again(trial)
    return Seen(f"a link to the data: {linked.text}; a live server: {alive.text}; both serve on", True)


def interrupted(trial: Trial) -> Seen:
    """Controller and copy are killed in the midst of it: what is there cannot start, and the same command goes on."""
    inputs = wanted(trial)
    log = trial.place / "cut.log"
    words = ["docker", "exec", "continuity-lab-db2", "/bin/sh", "-c", CUT]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as killer, log.open("w", encoding="utf-8") as said:
        run = subprocess.Popen(
            harness.command("restore", *inputs, *trial.own("cut-off"), *LOUD),
            cwd=harness.CHECKOUT,
            env=harness.environment(),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            ended = killer.communicate(timeout=120)[0].strip()
        finally:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait(20)
    trial.watch.hear("the restore that was killed", log.read_text(encoding="utf-8"))
    assert ended == "cut", f"it ended before it could be cut off: {ended}"
    settings = "--config-file=/etc/postgresql/15/payments/postgresql.conf -c port=5999 -c archive_mode=off"
    start = f"{AS_POSTGRES} timeout 10 {PROGRAMS}/postgres -D {ASIDE} {settings} -c data_directory={ASIDE} 2>&1"
    why = inside("db2", start, False)
    assert "pg_control" in why or "PG_VERSION" in why, why
    serves_again(trial)
    result = trial.done("restore", *inputs)
    assert result.report.get("verdict") == "passed", tail(result.output)
    return Seen(f"half a copy does not start ({why.splitlines()[-1]}); the same command went on and proved it")


def no_room(trial: Trial) -> Seen:
    """The file system of the restore directory is too small: nothing is copied."""
    inputs = wanted(trial)
    small = "/srv/small"
    trial.undo(lambda: inside("db2", f"umount {small}; rm -rf {small}", False))
    inside("db2", f"mkdir {small} && mount -t tmpfs -o size=8m,mode=0755 none {small} && chown postgres {small}")
    elsewhere = {"restore_directory": f"{small}/payments.restored"}
    plan = trial.plan({"services": {trial.service: {"backup": elsewhere}}})
    seen = trial.refused("restore", *inputs, plan=plan, rules=("not_enough_space",))
    assert inside("db2", f"ls -A {small}") == "", "something was written"
    return seen
