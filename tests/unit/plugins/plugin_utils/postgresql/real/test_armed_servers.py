# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An armed promotion on real servers: it needs the proof, the lease and its time, and of a race only one side wins."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import armed
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, acquire_script, release_script
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.arming import Arming, announce_frozen
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member, MemberError, MemberRefused

SERVICE = "payments-db"
MINE = Lease(SERVICE, "run-a", 8)


class Lost(Exception):
    """The member gave no answer."""


def steps(server, lease=MINE):
    return Member(
        SERVICE, Cluster.from_member(server.member()), lease, lambda script, seconds: server.run(script, seconds + 30)
    )


def held(server, lease=MINE, seconds=60):
    assert server.run(acquire_script(lease, seconds)).rc == 0


def args(server, **more):
    return {"member": server.member(), "timeout": 60.0, "proof_position": None, "proof_timeline": None, **more}


@pytest.fixture
def place(tmp_path):
    return armed.Place.of(str(tmp_path), SERVICE)


@pytest.fixture
def target(pair, place):
    """db2, armed under the lease of this run."""
    held(pair[1])
    arming = Arming(place, steps(pair[1]))
    assert arming.arm(args(pair[1]), lambda: None, Lost)["armed"]
    return arming


def freeze(db1, db2):
    upstream = {**db2.member(), "replication_address": "127.0.0.1"}
    return db1.steps.bring_to({"state": "stopped", "timeout": 60.0, "upstream": upstream})


def is_replica(server):
    return server.sql("select pg_is_in_recovery()") == [(True,)]


def sessions(server):
    return server.sql("select count(*) from pg_stat_activity where application_name = 'psql'")[0][0]


def test_the_target_is_promoted_as_soon_as_the_old_primary_has_stopped(pair, place, target):
    db1, db2 = pair
    assert sessions(db2) == 1, "its session is open while the old primary still serves"
    stopped = freeze(db1, db2)
    assert is_replica(db2), "nothing is promoted before the proof is announced"
    assert announce_frozen(place, stopped) == ["promote-db2"]
    result = target.collect(args(db2, proof_position=stopped["position"], proof_timeline=1), Lost)
    assert (result["changed"], result["armed"], result["timeline"], result["recorded"]) == (True, True, 2, True)
    assert result["promotion"]["proof_position"] == stopped["position"]
    assert db2.see().promotion["epoch"] == 8
    db2.until(lambda: sessions(db2) == 0 and not (db2.state / SERVICE / "armed").exists(), "the session has ended")
    db2.sql("insert into entry values (1)")
    again = target.collect(args(db2, proof_position=stopped["position"], proof_timeline=1), Lost)
    assert again["changed"] is False


def test_whoever_waits_for_a_promotion_is_told_who_it_was(pair, place, target):
    db1, db2 = pair
    armed.start(place, "promoted", "point", lambda: lambda message: message, 20.0)
    announce_frozen(place, freeze(db1, db2))
    promoted = target.collect(args(db2), Lost)
    told = armed.collect(place, "point", 20.0).result
    assert told == {"address": "127.0.0.1", "timeline": 2, "system_id": promoted["system_id"]}


def test_without_the_announcement_the_step_itself_promotes_over_the_open_session(pair, place, target):
    db1, db2 = pair
    stopped = freeze(db1, db2)
    result = target.collect(args(db2, proof_position=stopped["position"], proof_timeline=1), Lost)
    assert result["changed"] and "armed" not in result and not is_replica(db2)
    assert armed.announce(place, "frozen", {"proof_position": 0, "proof_timeline": 1}) == []


@pytest.mark.parametrize(
    ("other", "rule"), [(Lease(SERVICE, "run-b", 9), "stale_epoch"), (Lease(SERVICE, "run-b", 8), "lease_lost")]
)
def test_nothing_fires_under_a_lease_that_another_run_took_meanwhile(pair, place, target, other, rule):
    db1, db2 = pair
    assert db2.run(release_script(MINE)).rc == 0
    held(db2, other)
    announce_frozen(place, freeze(db1, db2))
    with pytest.raises(MemberRefused) as refused:
        target.collect(args(db2), Lost)
    assert refused.value.refusal.rule == rule and is_replica(db2)


def test_nothing_fires_once_the_lease_was_given_back(pair, place, target):
    db1, db2 = pair
    stopped = freeze(db1, db2)
    assert db2.run(release_script(MINE)).rc == 0
    announce_frozen(place, stopped)
    with pytest.raises(MemberRefused):
        target.collect(args(db2), Lost)
    assert is_replica(db2)
    assert db1.steps.bring_to({"state": "primary", "timeout": 60.0, "proof_position": None})["restarted"]


def test_a_proof_of_another_timeline_and_one_that_did_not_arrive_promote_nobody(pair, place, target):
    db1, db2 = pair
    stopped = freeze(db1, db2)
    announce_frozen(place, {**stopped, "timeline": 2})
    with pytest.raises(MemberError, match="the standby is on timeline 1") as error:
        target.collect(args(db2), Lost)
    assert error.value.reason == "other_timeline" and is_replica(db2)
    assert target.arm(args(db2, timeout=0.3), lambda: None, Lost)["armed"]
    announce_frozen(place, {**stopped, "position": stopped["position"] + 4096})
    with pytest.raises(MemberError) as error:
        target.collect(args(db2), Lost)
    assert error.value.reason == "not_received" and is_replica(db2)


def test_the_open_session_ends_by_itself_on_the_member_and_a_promotion_goes_on_without(pair, place):
    db1, db2 = pair
    held(db2)
    arming = Arming(place, steps(db2))
    assert arming.arm(args(db2), lambda: None, Lost, seconds=5)["armed"] and sessions(db2) == 1
    db2.until(lambda: sessions(db2) == 0, "the session has ended")
    stopped = freeze(db1, db2)
    result = arming.collect(args(db2, proof_position=stopped["position"], proof_timeline=1), Lost)
    assert result["changed"] and not is_replica(db2)


def test_a_promotion_whose_proof_was_slept_over_is_refused_by_the_target(pair):
    """So much of the lease was to be left; the controller cannot know how long it slept, the target's clock does."""
    _db1, db2 = pair
    held(db2, seconds=60)
    with pytest.raises(MemberRefused) as refused:
        steps(db2).promote(args(db2, lease_left=62))
    assert refused.value.refusal.rule == "proof_too_old" and is_replica(db2)
    assert steps(db2).promote(args(db2, lease_left=30))["changed"] and not is_replica(db2)


def test_a_standby_that_receives_again_is_not_promoted_in_place_of_who_sends(pair):
    """Decided while the primary was silent, and it is back: what the standby itself sees in that moment counts."""
    db1, db2 = pair
    held(db2)
    with pytest.raises(MemberError, match="receives from .* again") as refused:
        steps(db2).promote(args(db2, detached=True))
    assert refused.value.reason == "primary_seen" and is_replica(db2)
    assert not (db2.data / "promote").exists() and not db2.see().engine.get("promoting")
    db1.stop()
    db2.until(lambda: not db2.see().receiving, "it has noticed")
    assert steps(db2).promote(args(db2, detached=True))["changed"] and not is_replica(db2)


def test_a_session_that_the_server_ended_is_replaced(pair, place, target):
    db1, db2 = pair
    db2.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'psql'")
    announce_frozen(place, freeze(db1, db2))
    assert target.collect(args(db2), Lost)["changed"] and not is_replica(db2)


def test_a_target_that_cannot_be_armed_is_no_failure_and_one_without_the_lease_is(pair, place):
    _db1, db2 = pair
    held(db2)
    db2.stop()
    told = Arming(place, steps(db2)).arm(args(db2), lambda: None, Lost)
    assert told["armed"] is False and "arm_failed" in told["why"] and "connection" in told["why"]
    with pytest.raises(MemberRefused, match="refused the step"):
        Arming(place, steps(db2, Lease(SERVICE, "run-b", 9))).arm(args(db2), lambda: None, Lost)
    assert armed.announce(place, "frozen", {}) == []


def recovery_of(server):
    """The process that recovers on a replica, and takes the promotion."""
    for pid in server.pids():
        with contextlib.suppress(FileNotFoundError):  # another one, which has ended since
            if b"startup" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    raise AssertionError("nothing recovers")


@pytest.mark.parametrize("seed", range(8))
def test_of_promotion_and_rollback_at_the_same_moment_never_both_win(pair, place, target, seed):
    """The rollback takes the lease from the target, then looks; only a replica lets the old primary start again.

    Every second promotion is slow: the rollback comes in the middle of it, and has to wait for its end.
    """
    db1, db2 = pair
    chance, slow = random.Random(seed), seed % 2
    stopped, said = freeze(db1, db2), {}
    gate, asked_for = threading.Barrier(2), threading.Event()

    def fire():
        gate.wait()
        time.sleep(chance.random() * 0.12)
        recovery = recovery_of(db2)
        if slow:
            os.kill(recovery, signal.SIGSTOP)
        announce_frozen(place, stopped)
        if slow:
            asked_for.wait(130)
            time.sleep(0.5)
            os.kill(recovery, signal.SIGCONT)

    def roll_back():
        gate.wait()
        if slow:
            db2.until((db2.data / "promote").exists, "the promotion is asked for")
            asked_for.set()
        else:
            time.sleep(chance.random() * 0.12)
        said["released"] = db2.run(release_script(MINE)).stdout
        if db2.see().is_replica:
            db1.steps.bring_to({"state": "primary", "timeout": 60.0, "proof_position": None})
            said["rolled back"] = True

    sides = [threading.Thread(target=side) for side in (fire, roll_back)]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    try:
        said["promoted"] = target.collect(args(db2), Lost)["changed"]
    except MemberRefused:
        said["promoted"] = False
    assert said["promoted"] != said.get("rolled back", False)
    assert said["promoted"] or not slow, "it had begun before the rollback came"
    writers = [server.host for server in (db1, db2) if server.see().writable]
    assert writers == (["db2"] if said["promoted"] else ["db1"]), "exactly one takes writes"
