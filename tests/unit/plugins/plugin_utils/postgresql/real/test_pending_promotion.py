# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A promotion that was sent cannot be taken back: whoever undoes must see that it may still come."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, acquire_script
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member, MemberError

SERVICE = "payments-db"
MINE = Lease(SERVICE, "run-a", 8)


def steps(server):
    member = Cluster.from_member(server.member())
    return Member(SERVICE, member, MINE, lambda script, seconds: server.run(script, seconds + 30))


def promote(server, **more):
    return steps(server).promote({"member": server.member(), "timeout": 2.0, **more})


def test_a_replica_whose_replay_is_held_back_is_promoted_later_and_says_so_until_then(pair):
    db1, db2 = pair
    assert db2.run(acquire_script(MINE, 60)).rc == 0
    db1.sql("create table report (n int)")
    db1.sql("insert into report values (1)")
    db2.until(lambda: db2.sql("select count(*) from pg_class where relname = 'report'")[0][0] == 1, "there")
    with db2.connect() as reader:  # a query on the standby, and a change of its table: replay waits for the query
        reader.execute("begin isolation level repeatable read")
        reader.execute("select * from report")
        db1.sql("alter table report add column x int")
        upstream = {**db2.member(), "replication_address": "127.0.0.1"}
        stopped = db1.steps.bring_to({"state": "stopped", "timeout": 60.0, "upstream": upstream})
        with pytest.raises(MemberError):
            promote(db2, timeout=10.0, proof_position=stopped["position"], proof_timeline=1)
        seen = db2.see()
        assert seen.is_replica and seen.engine["promoting"], "it looks like a replica, and is a primary in a moment"
    db2.until(lambda: db2.see().is_primary, "promoted after all")
    assert not db2.see().engine["promoting"]


def test_what_was_never_sent_to_the_server_is_not_pending(pair):
    db1, db2 = pair
    assert db2.run(acquire_script(MINE, 60)).rc == 0
    assert not db2.see().engine["promoting"]
    far = db2.see().position + 1_000_000
    with pytest.raises(MemberError) as error:
        promote(db2, proof_position=far, proof_timeline=1)
    assert error.value.reason == "not_received" and not db2.see().engine["promoting"]
    with pytest.raises(MemberError):
        promote(db2, proof_position=db1.see().position, proof_timeline=7)
    assert not db2.see().engine["promoting"]


def test_a_replica_is_not_stopped_as_if_it_were_the_primary(pair):
    _db1, db2 = pair
    with pytest.raises(MemberError, match="not_a_primary"):
        db2.steps.bring_to({"state": "stopped", "timeout": 60.0})
    seen = db2.see()
    assert seen.is_replica and seen.receiving


def test_it_ends_with_the_server_that_was_asked(pair):
    _db1, db2 = pair
    state = db2.state / SERVICE
    state.mkdir(parents=True, exist_ok=True)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    uptime = Path("/proc/uptime").read_text().split()[0]
    (state / "promoting").write_text(f"{boot} {uptime}\n")
    assert db2.see().engine["promoting"]
    (state / "promoting").write_text(f"{boot} 1.0\n")
    assert not db2.see().engine["promoting"], "the server began after it was sent: it knows nothing of it"
    (state / "promoting").write_text(f"another-boot {uptime}\n")
    assert not db2.see().engine["promoting"]


def test_a_process_that_was_given_the_number_later_is_not_killed(pair):
    _db1, db2 = pair
    assert db2.run(acquire_script(MINE, 60)).rc == 0
    steps(db2).open_session(30)
    keeper = db2.state / SERVICE / "armed" / "keeper"
    _pid, began = keeper.read_text().split()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        keeper.write_text(f"{stranger.pid} {int(began) - 1}\n")
        steps(db2).open_session(30)
        assert stranger.poll() is None
        stranger.kill()
