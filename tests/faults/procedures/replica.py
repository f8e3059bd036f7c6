# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be wrong with the one that is to take over."""

from __future__ import annotations

import re
import time

import harness
from harness import inside
from say import wait

from tests.faults.procedures.primary import serves_again, settled
from tests.faults.trial import Seen, Trial, in_words, tail

OTHER_CLUSTER = harness.CHECKOUT / "extensions/molecule/switchover/replica_of_another_cluster/plan.yml"
STATE = "/var/lib/continuity"
ACCOUNTS = "accounts"


def crash(trial: Trial) -> None:
    """The postmaster of the primary is killed."""
    trial.fault("primary_crashed", member="db1", service=trial.service)


def restart(trial: Trial, streams: bool = True) -> None:
    """Nobody took over: the old primary is started again, and has everything."""
    trial.heal("primary_crashed", member="db1", service=trial.service)
    (settled if streams else serves_again)(trial)


def lag_over_rpo(trial: Trial) -> Seen:
    """The standby got nothing for longer than the plan allows to lose."""
    plan = trial.plan({"functions": {"accounts": {"objectives": {"rpo": "1s"}}}})
    trial.known()
    trial.fault("standby_held_back", member="db2", service=trial.service)
    trial.watch.wait_rows(60)
    crash(trial)
    seen = trial.refused("failover", *trial.move, plan=plan, rules=("lag_over_rpo",))
    trial.heal("standby_held_back", member="db2", service=trial.service)
    restart(trial)
    return seen


def clocks_apart(trial: Trial) -> Seen:
    """The standby has a time of its own: how much may be lost is measured right, or it is not known."""
    plan = trial.plan({"functions": {"accounts": {"objectives": {"rpo": "1s"}}}})
    told = []
    for seconds in (-600, 600):
        _clock(seconds)
        trial.undo(lambda: _clock(0))
        settled(trial)
        before = time.monotonic()
        trial.known()
        trial.fault("standby_held_back", member="db2", service=trial.service)
        trial.watch.wait_rows(60)
        crash(trial)
        seen = trial.refused("failover", *trial.move, plan=plan, rules=())
        longest = time.monotonic() - before  # it had everything when the primary was seen
        measured = re.search(r"`lag_over_rpo`: ([0-9.]+) s", seen.text)
        assert measured or "`lag_unknown`" in seen.text, f"clock {seconds:+} s: {seen.text}"
        assert measured is None or 1 < float(measured[1]) <= longest, f"clock {seconds:+} s: {seen.text}"
        told.append(f"{seconds:+} s: {seen.text}")
        trial.heal("standby_held_back", member="db2", service=trial.service)
        restart(trial)
    return Seen("; ".join(told), True)


def _clock(seconds: int) -> None:
    """Restart the standby's server with a clock of its own, so far from the machine's; 0: the machine's."""
    kept = f"/etc/postgresql/15/{ACCOUNTS}/environment"
    script = f"sed -i '/^LD_PRELOAD\\|^FAKETIME/d' {kept}\n"
    if seconds:
        library = "$(ls /usr/lib/*/faketime/libfaketime.so.1)"
        script += f"""printf "LD_PRELOAD = '%s'\\nFAKETIME = '%s'\\n" "{library}" "{seconds:+}s" >> {kept}\n"""
    inside("db2", f"set -e\n{script}systemctl restart postgresql@15-{ACCOUNTS}")
    now = float(harness.sql("db2", 5434, "select extract(epoch from clock_timestamp())"))
    assert abs(now - time.time() - seconds) < 30, f"its clock is {now - time.time():+.0f} s from the machine's"


def blind() -> None:
    """db2 was restarted and receives nothing: it has replayed no commit, so it cannot tell how old its data is."""
    harness.lab("fault", "standby_held_back", "--member", "db2", "--service", "accounts-db")
    inside("db2", "systemctl restart postgresql@15-accounts")


def lag_unknown(trial: Trial) -> Seen:
    """Nobody ever saw the primary, and the standby replayed nothing: what is not known is not zero."""
    crash(trial)
    seen = trial.refused("failover", *trial.move, rules=("lag_unknown",))
    trial.heal("standby_held_back", member="db2", service=trial.service)
    restart(trial)
    return seen


def diverge() -> None:
    """db2 was a primary of its own for a moment, wrote a row, and is a standby again: on another timeline than db1.

    It did not stop well, so it replays that row when it starts: its newest commit is one of a moment ago.
    """
    data, unit, port = "/srv/postgresql/accounts", "postgresql@15-accounts", 5434
    ctl = f"runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D {data}"
    inside("db2", f"cd / && {ctl} promote -w >/dev/null")
    harness.sql("db2", port, "insert into continuity_canary values ('errant', 1)", "accounts")
    inside(
        "db2",
        f"systemctl kill --signal=KILL {unit}; systemctl stop {unit}; "
        f"runuser -u postgres -- touch {data}/standby.signal",
    )
    inside("db2", f"systemctl start {unit}")


def diverged(trial: Trial) -> Seen:
    """A standby that wrote for itself lacks what the primary acknowledged since, however new its last commit is."""
    assessed = trial.watch.verb("assess", f"scope={trial.service}", "target_site=dc2")
    assert assessed.rc != 0, tail(assessed.output)
    planned = trial.refused("switchover", *trial.move, rules=("timeline_differs",))
    trial.watch.wait_rows(20)
    crash(trial)
    result = trial.watch.verb("failover", *trial.move)
    assert result.rc != 0 and result.report["verdict"] == "refused", tail(result.output)
    rules = result.rules(trial.service)
    assert "lag_unknown" in rules, f"refused by {sorted(rules)}, not by lag_unknown"
    why = str(rules["lag_unknown"]["message"]).partition("does not count: ")[2]
    assert why.startswith("it is of timeline 1, and db2 is on 2"), f"no reason, or another: {why}"
    restart(trial, streams=False)
    return Seen(f"switchover: {planned.text}; failover: {in_words(rules)}, the last sight: {why}", True)


def other_cluster(trial: Trial) -> Seen:
    """The plan names a replica of another database."""
    plan = harness.overlaid_plan(OTHER_CLUSTER, trial.place)
    seen = trial.refused("switchover", *trial.move, plan=plan, rules=("other_cluster",))
    assert "db1=" in seen.text and "db2=" in seen.text
    return seen


def not_replayed(trial: Trial) -> Seen:
    """The standby has received what it replays late on purpose: it is refused, and nothing that it received is lost."""
    trial.known()
    trial.sql("db2", "alter system set recovery_min_apply_delay = '10min'")
    trial.sql("db2", "select pg_reload_conf()")
    trial.watch.wait_rows(10)
    crash(trial)
    seen = trial.refused("failover", *trial.move, rules=("apply_delay",))
    trial.sql("db2", "alter system reset recovery_min_apply_delay")
    trial.sql("db2", "select pg_reload_conf()")
    result = trial.done("failover", *trial.move)
    assert trial.writable() == ["db2"]
    trial.watch.wait_rows(5)
    lost = len(trial.watch.ledgers[0].lost() or [])
    return Seen(f"{seen.text}; without the delay: drained, promoted ({result.seconds:.0f} s), {lost} rows lost", True)


def not_writable_after_promote(trial: Trial) -> Seen:
    """The process that ends a recovery stands still: the promotion was asked for and does not happen."""
    startup = f"pgrep -P $(systemctl show -p MainPID --value {trial.cluster.unit}) -f startup"
    with trial.paused_after("lease", "switchover", *trial.move, count=2) as paused:
        inside("db2", f"kill -STOP $({startup})")
        trial.undo(lambda: inside("db2", f"kill -CONT $({startup})", check=False))
        result = paused.finish(200)
    assert result.rc != 0, tail(result.output)
    took = trial.writable()
    assert "db2" not in took, took
    inside("db2", f"kill -CONT $({startup})", check=False)
    if took:  # what goes on now must not become a second primary: the watch looks
        serves_again(trial)
        trial.done("rejoin", f"scope={trial.service}")
    trial.done("switchover", *trial.move)
    assert trial.writable() == ["db2"]
    trial.watch.wait_rows(5)
    served = "db1 served again" if took else "nobody served"
    return Seen(
        f"failed, {result.service(trial.service)['message']}; {served}; once db2 went on, a second run moved it"
    )


def no_room(trial: Trial) -> Seen:
    """The member's state directory is full: no lease can be kept, so nothing is stopped."""
    full = f"mount -t tmpfs -o size=16k,mode=0750,uid=$(id -u continuity),gid=$(id -g continuity) none {STATE}"
    empty = f"! mountpoint -q {STATE} || umount {STATE}"
    trial.undo(lambda: inside("db2", empty))
    inside("db2", f"{full}; dd if=/dev/zero of={STATE}/full bs=1k count=16 2>/dev/null || true")
    invocation = trial.unit("db1", "InvocationID")
    result = trial.watch.verb("switchover", *trial.move)
    assert result.rc != 0, tail(result.output)
    assert trial.unit("db1", "InvocationID") == invocation, "the primary was stopped"
    serves_again(trial)
    service = result.service(trial.service)
    inside("db2", empty)
    trial.done("switchover", *trial.move)
    trial.watch.wait_rows(5)
    return Seen(
        f"{service['verdict']}, db1 was never stopped: {service['message']}; with room again it was moved", True
    )


def setting_too_small(trial: Trial) -> Seen:
    """The primary was given more connections than the target has."""
    trial.sql("db1", "alter system set max_connections = 60")
    inside("db1", f"systemctl restart {trial.cluster.unit}")
    wait("db1 serves again", lambda: trial.writable() == ["db1"], 20)
    serves_again(trial)
    return trial.refused("switchover", *trial.move, rules=("setting_too_small",))
