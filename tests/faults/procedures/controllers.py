# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can become of the controller, and of two of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import harness
from harness import inside
from say import wait

from tests.faults.procedures.primary import boot, serves_again
from tests.faults.procedures.replica import crash
from tests.faults.trial import Seen, Trial, tail

#: How the controller reaches each machine that a run talks to.
ITS_ADDRESSES = {"db1": "198.51.100.1", "db2": "203.0.113.1", "ns0": "198.51.100.129"}


def terminated(trial: Trial) -> Seen:
    """SIGTERM while leases are held: nothing of a playbook may be relied on to give them back."""
    with trial.paused_after("lease", "switchover", *trial.move, count=2) as paused:
        os.killpg(paused.process.pid, signal.SIGTERM)
        os.killpg(paused.process.pid, signal.SIGCONT)
        result = paused.wait()
    assert result.rc != 0, tail(result.output)
    serves_again(trial)
    other = trial.watch.verb("switchover", *trial.move)
    held = other.rules(trial.service) if other.rc else {}
    assert other.rc == 0 or set(held) & {"claim_held", "lease_held"}, tail(other.output)
    trial.done("switchover", *trial.move, f"continuity_run_id={paused.run_id}")
    trial.done("switchover", *trial.move)
    assert (trial.writable(), trial.named()) == (["db2"], {"db2"})
    trial.watch.wait_rows(5)
    first = f"another run was refused ({', '.join(held)})" if held else "another run went on"
    return Seen(f"db1 served on; {first}; the same run id continued at once and moved it")


def loses_network(trial: Trial) -> Seen:
    """The controller loses everybody once its leases are taken: the next step ends the run, and it is resumed later."""
    with trial.paused_after("lease", "switchover", *trial.move, count=2) as paused:
        for machine, address in ITS_ADDRESSES.items():
            inside(machine, f"iptables -I INPUT -s {address} -j DROP; iptables -I OUTPUT -d {address} -j DROP")
        result = paused.finish(200)
        last = [f"{entry['step']} {entry['state']}" for entry in trial.journal(paused.run_id)][-3:]
        for machine in ITS_ADDRESSES:
            inside(machine, "iptables -F")
    assert result.rc != 0, tail(result.output)
    trial.done("switchover", *trial.move, f"continuity_run_id={paused.run_id}")
    trial.done("switchover", *trial.move)
    assert (trial.writable(), trial.named()) == (["db2"], {"db2"})
    trial.watch.wait_rows(5)
    return Seen(f"the run failed (its last entries: {', '.join(last)}); resumed by its id, it moved the service")


def same_direction(trial: Trial) -> Seen:
    """Two operators want the same."""
    with trial.paused_after("claim", "switchover", *trial.move) as first:
        seen = trial.refused("switchover", *trial.move, rules=("claim_held",))
        assert first.run_id in seen.text
        result = first.finish()
    assert result.rc == 0, tail(result.output)
    trial.done("switchover", *trial.move)
    trial.watch.wait_rows(5)
    return Seen(f"{seen.text}; the first run went on to its end", True)


def names_answer(machine: str = "ns0") -> bool:
    """Whether a name server gives the zone's serial."""
    return "hostmaster" in inside(machine, "dig +short +time=1 +tries=1 @127.0.0.1 shop.example. SOA || true")


def name_server_back(machine: str) -> None:
    """Power on a name server, until it answers."""
    boot(machine)
    wait(f"{machine} answers", lambda: names_answer(machine), 20)


def arbiter_dead(trial: Trial) -> Seen:
    """Nobody can take a claim, so nobody is kept out: refused, unless an operator says it."""
    trial.known()
    trial.fault("member_killed", member="ns0")
    crash(trial)
    seen = trial.refused("failover", *trial.move, rules=("arbiter_unreachable",))
    name_server_back("ns0")
    trial.done("failover", *trial.move)
    trial.watch.wait_rows(5)
    return Seen(f"{seen.text}; with ns0 back the same command moved it", True)


def asked_for(seconds: float, attempt: Callable[[], Seen]) -> Seen:
    """Make an attempt again and again, for so long, and at least twice: a blip lasts longer than one verb."""
    began = time.monotonic()
    seen = [attempt(), attempt()]
    while time.monotonic() < began + seconds:
        seen.append(attempt())
    lasted = time.monotonic() - began
    return Seen(f"{len(seen)} times in {lasted:.0f} s: {seen[-1].text}", all(each.refused for each in seen))


def blip(trial: Trial) -> Seen:
    """The link, then the primary itself, are gone for a while: nothing is changed, however often somebody asks."""
    trial.known()
    before = harness.state()
    trial.fault("link_cut", site="dc1")
    cut = asked_for(20, lambda: trial.refused("failover", *trial.move, rules=("primary_alive",)))
    trial.heal("link_cut", site="dc1")
    trial.fault("member_paused", member="db1")
    trial.undo(lambda: trial.heal("member_paused", member="db1"))
    silent = asked_for(20, lambda: trial.refused("failover", *trial.move, rules=("old_primary_unfenced",)))
    trial.heal("member_paused", member="db1")
    serves_again(trial)
    assert (different := harness.differences(before)) == "", different
    return Seen(f"link cut: {cut.text}; primary silent: {silent.text}; afterwards nothing is different", True)


def changed_after_the_plan(trial: Trial) -> Seen:
    """Between decision and act somebody detaches the target from its primary: the proof is read again and missing."""
    with trial.paused_after("claim", "switchover", *trial.move) as paused:
        trial.sql("db2", "alter system set primary_conninfo = ''")
        trial.sql("db2", "select pg_reload_conf()")
        gone = "select count(*) from pg_stat_wal_receiver"
        wait("db2 receives no more", lambda: trial.sql("db2", gone) == "0", 20)
        trial.watch.wait_rows(5)
        result = paused.finish(200)
    assert result.rc != 0, tail(result.output)
    serves_again(trial)
    assert trial.named() == {"db1"}
    message = str(result.service(trial.service)["message"])
    again = trial.refused("switchover", *trial.move, rules=("not_streaming",))
    return Seen(f"{message}; db1 serves again; the next run: {again.text}", True)
