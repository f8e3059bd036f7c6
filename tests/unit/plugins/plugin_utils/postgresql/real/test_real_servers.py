# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps on real servers: what the scripts and the SQL do, not what they look like."""

from __future__ import annotations

import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from real_server import AS_USER

from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member, MemberError, MemberRefused

SERVICE = "payments-db"
ODD_NAME = "C:\\new \"x\" 'y' $(id) \\c Database cluster state: in production"


def stop(old, new, seconds=60.0):
    upstream = {**new.member(), "replication_address": "127.0.0.1"}
    return old.steps.bring_to({"state": "stopped", "timeout": seconds, "upstream": upstream})


def promote(server, proof=None, seconds=60.0):
    return server.steps.bring_to({"state": "primary", "timeout": seconds, "proof_position": proof})


def cut_off(standby):
    standby.sql("alter system set primary_conninfo = ''")
    standby.sql("select pg_reload_conf()")
    standby.until(lambda: standby.see().receiving is False, "cut off")


def test_a_pair_sees_itself_as_it_is(pair):
    db1, db2 = pair
    db1.until(lambda: db1.see().followers == {"db2": "async"}, "streaming")
    # All its looks together would take longer than its session may: it ends when the standby is synchronous, or fails
    slow = Member(
        SERVICE,
        Cluster.from_member(db1.member()),
        None,
        lambda script, seconds: db1.run(script.replace("pg_sleep(0.05)", "pg_sleep(1)"), seconds + 30),
    )
    slow.bring_to({"state": "settled", "synchronous": ["db2"]})
    assert db1.see().followers == {"db2": "sync"}, "whoever looks right after it sees the synchronous standby"
    db1.sql("insert into entry values (1)")
    db2.until(lambda: db2.sql("select number from entry") == [(1,)], "replayed")
    one, two = db1.see(), db2.see()
    assert one.is_primary and one.writable and two.is_replica and two.writable is False
    assert one.system_id == two.system_id and (one.timeline, two.timeline) == (1, 1)
    assert (two.position, two.lag_bytes, two.upstream) == (one.position, 0, f"127.0.0.1:{db1.port}")
    assert two.lag_seconds is not None and two.lag_seconds < 60
    assert one.problems == two.problems == () and (one.version, one.fenced) == ("15", False)
    again = db1.steps.bring_to({"state": "settled", "synchronous": ["db2"]})
    assert again["changed"] is False and again["branch"]["history"] == ""


def test_a_standby_is_synchronous_only_where_commits_wait_for_it(pair):
    """The server calls it so whatever `synchronous_commit` is, and whoever set it for one role or database."""
    db1, db2 = pair
    db1.steps.bring_to({"state": "settled", "synchronous": ["db2"]})

    def seen_with(*statements):
        for statement in (*statements, "select pg_reload_conf()"):
            db1.sql(statement)
        return db1.see().followers["db2"]

    def until_seen(wanted, *statements):
        found = [seen_with(*statements)]  # the server takes a setting over a moment after it was told to
        db1.until(lambda: found.append(db1.see().followers["db2"]) or found[-1] == wanted, f"{wanted}, not {found[-1]}")

    unawaited = "sync, commits do not wait (%s)"
    for setting in ("local", "off"):
        until_seen(unawaited % f"synchronous_commit = {setting}", f"alter system set synchronous_commit = '{setting}'")
    for setting in ("remote_write", "remote_apply"):
        until_seen("sync", f"alter system set synchronous_commit = '{setting}'")
    db1.sql("create role app login")
    db1.sql("create database shop")
    own = "set synchronous_commit = 'OFF'"
    told = seen_with(f"alter role app {own}", f"alter database shop {own}", f"alter role app in database shop {own}")
    assert "database shop: synchronous_commit = OFF" in told and "role app: synchronous_commit = OFF" in told
    assert "role app in database shop: synchronous_commit = OFF" in told
    back = "reset synchronous_commit"
    told = seen_with(f"alter role app {back}", f"alter database shop {back}", f"alter role app in database shop {back}")
    assert told == "sync"
    assert seen_with("alter role app set synchronous_commit = 'remote_write'") == "sync"
    hidden = seen_with(
        "alter role current_user set synchronous_commit = 'on'", "alter system set synchronous_commit = off"
    )
    assert "set for this login (user), which hides the server's own" in hidden


def test_a_second_receiver_with_the_name_of_the_standby_lends_it_nothing(pair):
    db1, db2 = pair
    db1.steps.bring_to({"state": "settled", "synchronous": ["db2"]})
    folder = db1.home / "double"
    db1.as_user("mkdir", folder)
    conninfo = f"host=127.0.0.1 port={db1.port} user=replicator application_name=db2"
    command = f"{AS_USER}{db1.bin_directory}/pg_receivewal --synchronous -D {folder} -d '{conninfo}'"
    double = subprocess.Popen(["sh", "-c", f"exec {command}"], cwd="/", stderr=subprocess.DEVNULL)
    try:
        told = "sync, one of 2 with this name (127.0.0.1, 127.0.0.1)"
        db1.until(lambda: db1.see().followers == {"db2": told}, "two of one name")
    finally:
        double.terminate()
        double.wait()
    db1.until(lambda: db1.see().followers == {"db2": "sync"}, "alone again")


def test_a_protection_that_is_set_is_there_for_whoever_looks_next(pair):
    """A verb keeps what it sees right after this as the proof for a failover: an asynchronous one proves nothing."""
    db1, db2 = pair
    db2.stop()
    with ThreadPoolExecutor(1) as pool:
        settled = pool.submit(db1.steps.bring_to, {"state": "settled", "synchronous": ["db2"]})
        with pytest.raises(TimeoutError):
            settled.result(timeout=1.5)
        db2.start()
        assert settled.result(timeout=120)["protection"] == {"synchronous": ["db2"]}
    assert db1.see().followers == {"db2": "sync"}


def test_a_planned_move_loses_nothing_and_the_old_primary_just_follows(pair, follow):
    db1, db2 = pair
    db1.steps.bring_to({"state": "settled", "synchronous": ["db2"]})
    db2.sql("alter system set synchronous_standby_names = 'db1'")  # as careful users have it on both members
    db2.sql("select pg_reload_conf()")
    with db1.connect(application_name=ODD_NAME):
        stopped = stop(db1, db2)
    assert [session["application"] for session in stopped["sessions"]] == [ODD_NAME]
    frozen = db1.see()
    assert (frozen.running, frozen.fenced, frozen.comes_back_as) == (False, True, "replica")
    assert frozen.position == stopped["position"]
    assert stop(db1, db2)["changed"] is False
    promoted = promote(db2, stopped["position"])
    assert promoted["changed"] and promoted["recorded"] and promoted["timeline"] == 2
    assert (promoted["protection"]["lifted"], promoted["protection"]["was"]) == (True, "db1")
    assert promote(db2, stopped["position"])["changed"] is False
    assert db2.sql("show synchronous_standby_names") == [("",)]
    db2.sql("insert into entry values (2)")  # would wait for the old primary if it were still synchronous
    assert db2.see().promotion["member"] == "db2" and db2.see().promotion["timeline"] == 2
    assert follow(db1, db2)["method"] == "follow"
    assert follow(db1, db2)["method"] == "none"
    db1.until(lambda: db1.sql("select number from entry") == [(2,)], "replayed")
    assert db1.unit("postgresql@15-main.service")["LoadState"] == "loaded"


def test_a_promotion_does_not_wait_for_the_next_try_to_reach_the_old_primary(pair):
    """Lifting the protection reloads the settings; done too early, that costs wal_retrieve_retry_interval."""
    db1, db2 = pair
    for setting in ("wal_retrieve_retry_interval = '10min'", "synchronous_standby_names = 'db1'"):
        db2.sql(f"alter system set {setting}")
    db2.sql("select pg_reload_conf()")
    stopped = stop(db1, db2)
    db2.until(lambda: "waiting for WAL to become available" in (db2.home / "log").read_text(), "gave up on db1")
    assert promote(db2, stopped["position"], seconds=120.0)["protection"]["lifted"], "long before the next try"
    db2.sql("insert into entry values (1)")
    log = (db2.home / "log").read_text()
    assert log.index("received promote request") < log.rindex('"synchronous_standby_names" changed to ""')


def test_a_protection_that_was_not_lifted_to_the_end_is_lifted_by_the_next_promotion(pair):
    db1, db2 = pair
    promote(db2, stop(db1, db2)["position"])
    db2.sql("alter system set synchronous_standby_names = 'db1'")
    db2.sql("select pg_reload_conf()")
    db2.until(lambda: db2.sql("show synchronous_standby_names") == [("db1",)], "set")
    promote(db2, 0)
    assert db2.sql("show synchronous_standby_names") == [("db1",)], "what a running primary is to wait for stays"
    db2.sql("alter system set synchronous_standby_names = ''")  # and the session was lost here
    promote(db2, 0)
    db2.until(lambda: db2.sql("show synchronous_standby_names") == [("",)], "lifted")


def test_a_standby_knows_its_timeline_although_its_primary_died_a_moment_after_the_promotion(pair, follow):
    db1, db2 = pair
    promote(db2, stop(db1, db2)["position"])
    follow(db1, db2)
    db2.crash()
    seen = db1.see()
    assert seen.receiving is False and seen.timeline == db2.see().promotion["timeline"] == 2


def test_a_crashed_primary_is_rewound_and_what_only_it_had_is_gone(pair, follow):
    db1, db2 = pair
    cut_off(db2)
    db1.sql("insert into entry values (3)")
    db1.crash()
    crashed = db1.see()
    assert (crashed.running, crashed.position, crashed.engine["control_state"]) == (False, None, "in production")
    with pytest.raises(MemberError) as error:
        stop(db1, db2)
    assert error.value.reason == "unclean_stop"
    with pytest.raises(MemberRefused, match="cannot be started as a primary"):
        promote(db1)
    assert promote(db2)["timeline"] == 2
    db2.sql("insert into entry values (4)")
    assert follow(db1, db2)["method"] == "rewind"
    db1.until(lambda: db1.sql("select number from entry") == [(4,)], "rewound")
    assert not (db1.state / "payments-db" / "rejoining").exists()


def test_a_rewind_from_an_idle_primary_that_archives_by_time_waits_for_nothing_that_it_will_not_write(pair):
    """What it was rewound to must have been written: behind a switch of the segment an idle primary writes nothing."""
    db1, db2 = pair
    with (db2.home / "postgresql.conf").open("a") as conf:
        conf.write("archive_mode = on\narchive_command = 'true'\narchive_timeout = 8s\n")
    db2.stop()
    db2.start()
    cut_off(db2)
    db1.sql("insert into entry values (3)")
    db1.crash()
    promote(db2)
    segment = "select pg_walfile_name(pg_current_wal_insert_lsn())"
    before = db2.sql(segment)
    db2.sql("insert into entry values (4)")
    db2.until(lambda: db2.sql(segment) != before, "switched by the time")
    db2.sql("insert into entry values (5)")
    time.sleep(6)
    branch = db2.steps.bring_to({"state": "settled", "synchronous": None})["branch"]
    time.sleep(3)  # in a moment of these the next switch is due: as in a rewind that takes as long
    upstream = {**db2.member(), "replication_address": "127.0.0.1"}
    wanted = {"state": "replica", "upstream": upstream, "timeout": 60.0, "clone": False, "history": branch}
    assert db1.steps.bring_to(wanted)["method"] == "rewind"
    db1.until(lambda: db1.sql("select number from entry order by number") == [(4,), (5,)], "rewound")


def test_nobody_is_promoted_who_did_not_receive_the_last_position_and_the_old_primary_serves_again(pair):
    db1, db2 = pair
    cut_off(db2)
    db1.sql("insert into entry values (5)")
    stopped = stop(db1, db2)
    with pytest.raises(MemberError, match="the standby received") as error:
        promote(db2, stopped["position"], seconds=0.3)
    assert error.value.reason == "not_received"
    assert db2.see().is_replica and not (db2.state / "payments-db" / "promotion").exists()
    with pytest.raises(MemberError) as error:
        promote(db2, db2.see().position, seconds=0.3)
    assert error.value.reason == "not_received", "the last record begins at the proof: equal is not received"
    undone = promote(db1)
    assert undone["restarted"] and db1.sql("select number from entry") == [(5,)]
    assert db1.see().is_primary and db1.see().timeline == 1


def test_a_member_whose_rewind_was_cut_off_is_cloned_and_its_old_data_kept_once(pair, follow):
    db1, db2 = pair
    promote(db2, stop(db1, db2)["position"])
    (db1.state / "payments-db" / "rejoining").touch()
    assert [problem.rule for problem in db1.see().problems] == ["rejoin_unfinished"]
    assert follow(db1, db2)["method"] == "clone"
    assert (db1.home / "data.kept" / "PG_VERSION").exists()
    stop_standby = db1.run("systemctl stop postgresql@15-main.service")
    assert stop_standby.rc == 0
    (db1.state / "payments-db" / "rejoining").touch()
    with pytest.raises(MemberRefused) as refused:
        follow(db1, db2)
    assert refused.value.refusal.rule == "kept_data_present"


def test_a_frozen_server_is_unknown_within_the_bound_and_is_not_touched(pair, follow):
    db1, db2 = pair
    db1.signal(signal.SIGSTOP)
    seen = db1.see()  # a server that stands still never answers: that anything is seen shows the bound
    assert (seen.reachable, seen.running, seen.role, seen.fenced) == (True, None, "unknown", False)
    promote(db2)
    with pytest.raises(MemberRefused) as refused:
        follow(db1, db2)
    assert refused.value.refusal.rule == "not_stopped"
    db1.signal(signal.SIGCONT)
    assert db1.see().is_primary, "it was left as it was"
    with pytest.raises(MemberRefused) as refused:
        follow(db1, db2)
    assert refused.value.refusal.rule == "running_as_primary"


def test_a_plan_whose_port_and_directory_are_two_servers_is_told(pair):
    """Both run on this machine. A link to the directory, or the directory of a server that is down, is told apart."""
    db1, db2 = pair
    link = db1.home / "link"
    link.symlink_to(db1.data)

    def rules(directory):
        cluster = Cluster.from_member({**db1.member(), "data_directory": str(directory)})
        return [problem.rule for problem in Member(SERVICE, cluster, None, db1.run).observed().problems]

    assert rules(db1.data) == rules(link) == rules(f"{db1.data}/") == []
    assert rules(db2.data) == rules(db1.home / "nowhere") == ["other_directory"]
    db2.kill()
    assert rules(db2.data) == ["other_directory"], "a killed server leaves the number of its process behind"
