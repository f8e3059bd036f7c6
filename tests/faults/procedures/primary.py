# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can become of a primary, its machine, and the way to it."""

from __future__ import annotations

import time

import containers
import credentials
import engine
import test_fencing
from harness import LAB, inside
from say import wait

from tests.faults.trial import Seen, Trial, tail

WITH_AGENT = test_fencing.WITH_AGENT.format(agent=LAB / "fence_lab")
LOSS = ("accept_data_loss=5m", '{"reason": "a fault is tried"}')
#: For so long counts what a device said of a machine (max_age of continuity.dr.fence_proof).
PROOF_SECONDS = 15.0
#: The controller in the network of the site, and in that of the link.
CONTROLLER = ("198.51.100.1", "203.0.113.129")


def boot(member: str) -> None:
    """Start a machine that lost its power, and wait until it is up."""
    box = engine.connect(start=False).containers.get(f"continuity-lab-{member}")
    box.start()
    containers.wait_booted(box)


def serves_again(trial: Trial, member: str = "db1") -> None:
    """The client is served, by this member alone."""
    trial.watch.wait_rows(5)
    assert trial.writable() == [member]


def settled(trial: Trial) -> None:
    """db1 serves again after it was started, and its standby, where nothing is wrong with it, receives."""
    serves_again(trial)
    attached = "select count(*) from pg_stat_replication where state = 'streaming'"
    wait("the standby streams", lambda: trial.sql("db1", attached) == "1", 30)


def machine_dead(trial: Trial) -> Seen:
    """Only a device can prove that a machine without power takes no writes."""
    trial.known()
    trial.fault("member_killed", member="db1")
    result = trial.done("failover", *trial.move, plan=test_fencing.plan(trial.place, WITH_AGENT))
    proof = "level 3 by fence_agent: fence_lab db1 is off"
    assert proof in str(result.report), tail(result.output)
    assert (trial.writable(), trial.named()) == (["db2"], {"db2"})
    assert not result.service(trial.service)["waivers"]
    trial.watch.wait_rows(10)
    return Seen(f"{proof}; db2 serves, every name server sends clients there")


def process_dead(trial: Trial) -> Seen:
    """The machine lives, so the fence is the unit's mask: it must outlive a reboot."""
    trial.known()
    trial.fault("primary_crashed", member="db1", service=trial.service)
    trial.done("failover", *trial.move)
    trial.watch.wait_rows(5)
    trial.fault("member_killed", member="db1")
    boot("db1")
    assert (trial.unit("db1", "LoadState"), trial.unit("db1", "ActiveState")) == ("masked", "inactive")
    assert (trial.writable(), trial.named()) == (["db2"], {"db2"})
    return Seen("db2 serves; after a reboot of db1 its unit is masked and inactive")


def frozen(trial: Trial) -> Seen:
    """A machine that opens connections and says nothing is neither alive nor fenced."""
    trial.known()
    trial.fault("member_paused", member="db1")
    trial.undo(lambda: trial.heal("member_paused", member="db1"))
    seen = trial.refused("failover", *trial.move, rules=("old_primary_unfenced",))
    trial.heal("member_paused", member="db1")
    serves_again(trial)
    return Seen(f"{seen.text}; thawed, db1 serves on", True)


def no_login(trial: Trial) -> Seen:
    """SSH is dead and the database serves: whoever sees that has a veto."""
    trial.known()
    inside("db1", "iptables -I INPUT -p tcp --dport 22 -j DROP")
    seen = trial.refused("failover", *trial.move, rules=("primary_seen",), measured=("db2 receives from",))
    assert "db2" in seen.text or "localhost" in seen.text, seen.text
    serves_again(trial)
    return seen


def controller_cut(trial: Trial) -> Seen:
    """The controller alone has lost the primary; its replica still receives."""
    trial.known()
    for address in CONTROLLER:
        inside("db1", f"iptables -I INPUT -s {address} -j DROP; iptables -I OUTPUT -d {address} -j DROP")
    told = ("db2 receives from", "db2 gets an answer from db1")  # each of the two is enough
    seen = trial.refused("failover", *trial.move, rules=("primary_seen",), measured=told)
    assert trial.writable() == ["db1"]
    return seen


def members_cut(trial: Trial) -> Seen:
    """Primary and replica lose each other and everybody else sees both: a report, and no failover."""
    for member, timeout in (("db1", "wal_sender_timeout"), ("db2", "wal_receiver_timeout")):
        trial.sql(member, f"alter system set {timeout} = '1s'")
        trial.sql(member, "select pg_reload_conf()")
    trial.known()
    trial.fault("link_cut", site="dc1")
    attached = "select count(*) from pg_stat_replication"
    wait("the primary has noticed", lambda: trial.sql("db1", attached) == "0", 20)
    planned = trial.refused("switchover", *trial.move, rules=("not_streaming",))
    seen = trial.refused("failover", *trial.move, rules=("primary_alive",))
    serves_again(trial)
    return Seen(f"failover: {seen.text}; switchover: {planned.text}", True)


def write_in_site(trial: Trial, number: int) -> str:
    """A client inside the lost site writes a row to the old primary, past the names: how it went."""
    password = credentials.secret("canary")
    port = trial.cluster.ports["db1"]
    row = f"insert into continuity_canary values ('in-site', {number})"
    psql = f"timeout 5 psql -XAtq -h 198.51.100.11 -p {port} -U canary -d {trial.cluster.database} -c"
    return inside("client", f'export PGPASSWORD={password} PGCONNECT_TIMEOUT=3; {psql} "{row}" && echo written', False)


def site_isolated(trial: Trial) -> Seen:
    """A site that nobody sees and whose own clients still write: refused without a device, fenced first with one."""
    trial.known()
    test_fencing.cut_off()
    assert write_in_site(trial, 1) == "written"
    seen = trial.refused("failover", *trial.move, *LOSS, rules=("old_primary_unfenced",))
    assert write_in_site(trial, 2) == "written"
    with_agent = test_fencing.plan(trial.place, WITH_AGENT)
    trial.done("failover", *trial.move, *LOSS, plan=with_agent)
    assert "written" not in write_in_site(trial, 3)
    assert (test_fencing.power("db1"), trial.writable()) == ("false", ["db2"])
    trial.watch.wait_rows(5)
    return Seen(f"without a device: {seen.text}; with one db1 was switched off first, and its clients write no more")


def returns_later(trial: Trial) -> Seen:
    """An old primary that comes back stays down until rejoin makes it a replica."""
    trial.known()
    trial.fault("primary_crashed", member="db1", service=trial.service)
    trial.done("failover", *trial.move)
    trial.fault("member_killed", member="db1")
    boot("db1")
    assert trial.unit("db1", "LoadState") == "masked"
    assert (trial.writable(), trial.named()) == (["db2"], {"db2"})
    trial.done("rejoin", f"scope={trial.service}")
    assert trial.sql("db1", "select pg_is_in_recovery()") == "t"
    assert trial.named() == {"db2"}
    trial.watch.wait_rows(5)
    return Seen("masked after it booted, names unchanged; rejoin brought it back as a replica")


def returns_before_promotion(trial: Trial) -> Seen:
    """It was proven off, and somebody switches it on before the promotion: what the device says last counts."""
    trial.known()
    trial.fault("member_killed", member="db1")
    with_agent = test_fencing.plan(trial.place, WITH_AGENT)
    with trial.paused_after("fence", "failover", *trial.move, *LOSS, plan=with_agent) as paused:
        boot("db1")
        result = paused.finish()
    assert result.rc != 0 and "db1 is not fenced" in result.output, tail(result.output)
    assert trial.writable() == ["db1"]
    settled(trial)
    # The last word of the device is in, and the controller sleeps over it: somebody switches db1 on, and it serves
    trial.known()
    trial.fault("member_killed", member="db1")
    with trial.paused_at("Go on only with evidence", "failover", *trial.move, *LOSS, plan=with_agent) as paused:
        began = time.monotonic()
        boot("db1")
        wait("db1 takes writes again", lambda: trial.writable() == ["db1"], 60)
        time.sleep(max(0.0, began + PROOF_SECONDS + 5 - time.monotonic()))
        late = paused.finish()
    too_late = "was asked for" if "was asked for" in late.output else "proof_too_old"
    assert late.rc != 0 and too_late in late.output, tail(late.output)
    assert trial.writable() == ["db1"]
    settled(trial)
    again = trial.refused("failover", *trial.move, rules=("primary_alive",))
    return Seen(
        f"db1 is not fenced: nobody was promoted; asleep for {PROOF_SECONDS:g} s and more behind the proof: nobody was"
        f" promoted; the next failover: {again.text}",
        True,
    )


def heals_during_promotion(trial: Trial) -> Seen:
    """The link heals while the standby is promoted; the fence holds without it."""
    trial.known()
    trial.fault("link_cut", site="dc1")
    trial.fault("primary_crashed", member="db1", service=trial.service)
    with trial.paused_after("fence", "failover", *trial.move, *LOSS) as paused:
        trial.heal("link_cut", site="dc1")
        result = paused.finish()
    assert result.rc == 0, tail(result.output)
    assert trial.unit("db1", "LoadState") == "masked"
    assert (trial.writable(), trial.named()) == (["db2"], {"db2"})
    trial.done("failover", *trial.move, *LOSS)
    trial.watch.wait_rows(5)
    return Seen("the run went on to its end, db1 stayed masked, db2 serves")


def both_dead(trial: Trial) -> Seen:
    """Nobody is left to promote."""
    trial.known()
    for member in ("db1", "db2"):
        trial.fault("member_killed", member=member)
    seen = trial.refused("failover", *trial.move, rules=("target_unreachable",))
    for member in ("db2", "db1"):
        boot(member)
    settled(trial)
    return Seen(f"{seen.text}; powered on again, db1 serves as before", True)
