# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be wrong with the names."""

from __future__ import annotations

import os
from pathlib import Path

import harness
import names
from harness import inside
from say import wait

from tests.faults.procedures.controllers import name_server_back
from tests.faults.procedures.primary import serves_again
from tests.faults.procedures.replica import crash
from tests.faults.trial import Seen, Trial, tail

SECRET = "{{{{ lookup('file', inventory_dir ~ '/../../build/lab/secrets/tsig_{}') }}}}"
SKEW_SECONDS = 600
#: What a controller with a wrong clock is: everything in its processes that asks for the time.
CLOCK = f"import time\nreal = time.time\ntime.time = lambda: real() + {SKEW_SECONDS}\n"
ZONE = "/var/lib/bind/shop.example.zone"
FREEZE, THAW = "rndc freeze shop.example", "rndc thaw shop.example"
#: Dropped on its way: every answer of ns0 to a dynamic update (QR and opcode 5, NOERROR), whatever its connection.
ANSWERS_TO_UPDATES = "OUTPUT -p tcp --sport 53 -m string --algo bm --hex-string '|a8000001|' -j DROP"


def moved(trial: Trial) -> None:
    """db2 is primary, every name server says so, the client is served."""
    assert (trial.writable(), trial.named()) == (["db2"], {"db2"})
    trial.watch.wait_rows(5)


def arbiter_dead_in_an_emergency(trial: Trial) -> Seen:
    """A planned move is refused before anything is stopped; an emergency is waived, degraded, and finished later."""
    trial.known()
    trial.fault("member_killed", member="ns0")
    planned = trial.refused("switchover", *trial.move, rules=("arbiter_unreachable",))
    crash(trial)
    waived = ("waive=arbiter_unreachable", '{"reason": "the name server is down"}')
    result = trial.watch.verb("failover", *trial.move, *waived)
    assert result.rc != 0 and result.report["verdict"] == "degraded", tail(result.output)
    lacking = [each["name"] for each in result.service(trial.service)["degradations"]]
    assert "endpoint_not_switched" in lacking, lacking
    assert trial.writable() == ["db2"]
    name_server_back("ns0")
    trial.done("failover", *trial.move)
    moved(trial)
    return Seen(f"planned: {planned.text}; waived: degraded, {', '.join(lacking)}; finished by the next run")


def secondary_stale(trial: Trial) -> Seen:
    """One secondary is told nothing and may transfer nothing."""
    inside("ns2", "iptables -I INPUT -s 203.0.113.150 -j DROP; iptables -I OUTPUT -d 203.0.113.150 -j DROP")
    result = trial.watch.verb("switchover", *trial.move)
    assert result.rc != 0 and result.report["verdict"] == "degraded", tail(result.output)
    lacking = {each["name"]: each["message"] for each in result.service(trial.service)["degradations"]}
    assert "203.0.113.53" in lacking.get("endpoint_stale", ""), lacking
    inside("ns2", "iptables -F")
    wait("ns2 has caught up", lambda: names.ask("ns2", trial.cluster.record, "A") == "203.0.113.11", 30)
    trial.done("switchover", *trial.move)
    moved(trial)
    return Seen(f"degraded, `endpoint_stale`: {lacking['endpoint_stale']}; caught up, the next run ended well")


def server_unreachable(trial: Trial) -> Seen:
    """One name server is dead: it is named, and the others are waited for."""
    trial.fault("member_killed", member="ns2")
    result = trial.watch.verb("switchover", *trial.move)
    steps = str(result.service(trial.service))
    assert "203.0.113.53" in steps and "unreachable" in steps, tail(result.output)
    assert trial.writable() == ["db2"]
    name_server_back("ns2")
    wait("ns2 has caught up", lambda: names.ask("ns2", trial.cluster.record, "A") == "203.0.113.11", 30)
    trial.done("switchover", *trial.move)
    moved(trial)
    return Seen(f"{result.report['verdict']}; 203.0.113.53 is listed as unreachable")


def wrong_key(trial: Trial) -> Seen:
    """A wrong secret, then a good key that may change nothing: both known before anything is stopped."""
    secret = {"secret": SECRET.format("stranger")}
    bad = trial.plan({"services": {"accounts-db": {"endpoints": [{"key": secret}]}}})
    signature = trial.refused("switchover", *trial.move, plan=bad, rules=("endpoint_problem",))
    before, invocation = harness.state(), trial.unit("db1", "InvocationID")
    stranger = trial.plan({"services": {"accounts-db": {"endpoints": [{"key": {**secret, "name": "stranger"}}]}}})
    result = trial.watch.verb("switchover", *trial.move, plan=stranger)
    assert result.rc != 0 and "refused_acl" in result.output, tail(result.output)
    assert trial.unit("db1", "InvocationID") == invocation, "the primary was stopped"
    assert (different := harness.differences(before)) == "", different
    return Seen(f"secret: {signature.text}; rights: {result.service(trial.service)['message']}", True)


def clock_wrong(trial: Trial) -> Seen:
    """The controller's clock is ten minutes ahead; a signature allows five."""
    (trial.place / "clock").mkdir()
    Path(trial.place, "clock", "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
    os.environ["PYTHONPATH"] = str(trial.place / "clock")
    trial.undo(lambda: os.environ.pop("PYTHONPATH", None))
    seen = trial.refused("switchover", *trial.move, rules=("endpoint_problem",))
    assert "clock" in seen.text, seen.text
    return seen


def alias_at_the_name(trial: Trial) -> Seen:
    """Somebody made the name an alias: an address added beside it would be accepted and ignored."""
    label = trial.service
    # What is frozen is written to the file in the background; without its journal an older file would turn time back
    written = f"for i in $(seq 50); do grep -qE '[[:space:]]'$serial'[[:space:]]' {ZONE} && break; sleep 0.1; done"
    keep = f"cp {ZONE} /root/zone && sed -i -E 's/^{label}[[:space:]].*/{label} 5 CNAME payments-db/' {ZONE}"
    frozen = f"serial=$(dig +short @127.0.0.1 shop.example. SOA | cut -d ' ' -f 3); {FREEZE}; {written}; {keep}"
    inside("ns0", f"{frozen}; rm -f {ZONE}.jnl; {THAW}")
    trial.undo(lambda: inside("ns0", f"{FREEZE}; cp /root/zone {ZONE}; rm -f {ZONE}.jnl; {THAW}"))
    wait(
        "ns0 gives the alias",
        lambda: "payments-db" in inside("ns0", f"dig +short @127.0.0.1 {label}.shop.example."),
        10,
    )
    seen = trial.refused("switchover", *trial.move, rules=("endpoint_problem",))
    serves_again(trial)
    return seen


def edited_meanwhile(trial: Trial) -> Seen:
    """Somebody changes the record between the claim and the switch: theirs is kept."""
    with trial.paused_after("claim", "switchover", *trial.move) as paused:
        harness.set_record(trial.service, "203.0.113.99")
        result = paused.finish()
    assert result.rc != 0, tail(result.output)
    refusal = result.rules(trial.service)["conflict"]
    assert trial.named() == {"203.0.113.99"}
    assert trial.writable() == ["db2"]
    trial.done("switchover", *trial.move)
    moved(trial)
    text = f"`conflict`: {refusal['measured']} (limit: {refusal['limit']}); the next run saw it and finished"
    return Seen(text, True)


def answer_lost(trial: Trial) -> Seen:
    """Every answer to a dynamic update is lost on its way: what was applied is read, not sent once more."""
    inside("ns0", f"iptables -I {ANSWERS_TO_UPDATES}")
    result = trial.watch.verb("switchover", *trial.move)
    lost = inside("ns0", "iptables -nvxL OUTPUT | awk '/STRING/ { print $1 }'")
    assert int(lost) > 0, "no answer was dropped"
    assert result.rc == 0, tail(result.output)
    inside("ns0", "iptables -F")
    trial.done("switchover", *trial.move)
    moved(trial)
    return Seen(f"{lost} packets with answers lost: {result.report['verdict']}; it was moved all the same")


def moved_under_load(trial: Trial) -> Seen:
    """A planned move while the names are asked twenty times a second."""
    result = trial.done("switchover", *trial.move)
    moved(trial)
    return Seen(f"no answer was empty or wrong; {trial.outage(result)}")


def zone_frozen(trial: Trial) -> Seen:
    """The zone takes no updates: known before anything is stopped."""
    inside("ns0", FREEZE)
    trial.undo(lambda: inside("ns0", THAW))
    before, invocation = harness.state(), trial.unit("db1", "InvocationID")
    result = trial.watch.verb("switchover", *trial.move)
    assert result.rc != 0, tail(result.output)
    assert trial.unit("db1", "InvocationID") == invocation, "the primary was stopped"
    assert (different := harness.differences(before)) == "", different
    serves_again(trial)
    return Seen(str(result.service(trial.service)["message"]), True)
