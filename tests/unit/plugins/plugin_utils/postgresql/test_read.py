# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a server's own answer to neutral words, and each thing that stands in the way with both its values."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import EVERY_VERB, Observation
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import read
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import Answer, parse


def answer(server: dict[str, Any], **logins: str) -> Answer:
    return Answer(server, True, False, "active", 0, None, {}, False, False, "", logins)


def judged(server: dict[str, Any], **logins: str) -> Observation:
    return read.observation("db1", "dc1", "198.51.100.11", answer(server, **logins))


def test_a_member_that_was_not_heard_is_unknown_in_every_word():
    seen = read.observation("db1", "dc1", "198.51.100.11", None)
    assert seen == Observation("db1", "dc1", address="198.51.100.11")
    assert (seen.reachable, seen.role) == (False, "unknown")
    assert {seen.running, seen.writable, seen.position, seen.lag_bytes, seen.fenced, seen.epoch} == {None}


def test_a_primary_made_read_only_is_a_primary_that_takes_no_writes(server):
    seen = judged(server("primary", read_only=True))
    assert seen.is_primary and seen.writable is False


def test_a_replica_stands_at_the_newest_position_it_holds(server):
    assert judged(server("replica", received=10, replayed=20)).position == 20
    assert judged(server("replica", received=None, replayed=20)).position == 20
    assert judged(server("replica", received=None, replayed=None)).position is None


def test_lag_in_bytes_is_known_only_while_it_streams(server):
    behind = server("replica", received=4000, replayed=4000)
    assert judged(behind).lag_bytes == 96
    for receiver in (None, {**behind["receiver"], "status": "waiting"}, {**behind["receiver"], "latest_end": None}):
        assert judged({**behind, "receiver": receiver}).lag_bytes is None
    assert judged(server("primary")).lag_bytes is None


def test_lag_in_seconds_is_the_age_of_the_newest_thing_known_and_never_less(server):
    silent = server("replica")["receiver"]
    assert judged(server("replica")).lag_seconds == 0.5, "everything announced is here: since the last word"
    assert judged(server("replica", receiver={**silent, "last_message": None})).lag_seconds == 10.0
    assert judged(server("replica", received=4000, replayed=4000)).lag_seconds == 10.0
    assert judged(server("replica", receiver=None)).lag_seconds == 10.0
    assert judged(server("replica", receiver=None, last_commit=None)).lag_seconds is None
    assert judged(server("replica", receiver=None, last_commit=1000.5)).lag_seconds == 0.0
    assert judged(server("replica", receiver=None, last_commit=1002.0)).lag_seconds is None, "clocks differ"
    assert judged(server("primary")).lag_seconds is None


def test_a_word_that_was_heard_later_than_now_has_no_age(server):
    """The clock was set back since: 0 would say that nothing is missing. What is left is the newest commit's age."""
    silent = server("replica")["receiver"]
    stepped = judged(server("replica", receiver={**silent, "last_message": 1600.0}))
    assert (stepped.lag_seconds, stepped.committed) == (10.0, 990.0)
    further = judged(server("replica", receiver={**silent, "last_message": 1600.0}, last_commit=1592.0))
    assert (further.lag_seconds, further.committed) == (None, 1592.0)
    assert judged(server("replica", receiver={**silent, "last_message": 1000.9})).lag_seconds == 0.0


def test_the_time_of_a_commit_is_kept_where_its_age_is_the_lag_and_only_there(server):
    """It is another clock's than the age: who bounds a loss compares it with a third one."""
    silent = server("replica")["receiver"]
    assert judged(server("replica", received=4000, replayed=4000)).committed == 990.0
    assert judged(server("replica", receiver=None)).committed == 990.0
    assert judged(server("replica", receiver={**silent, "last_message": None})).committed == 990.0
    future = judged(server("replica", receiver=None, last_commit=1002.0))
    assert (future.lag_seconds, future.committed) == (None, 1002.0)
    assert judged(server("replica")).committed is None, "the lag is the age of the last word from upstream"
    assert judged(server("replica", receiver=None, last_commit=None)).committed is None
    assert judged(server("primary")).committed is None
    assert judged(server("primary")).clock == judged(server("replica")).clock == 1000.0, "its own, now"


def test_a_replica_without_a_live_upstream_says_that_it_receives_nothing(server):
    lonely = judged(server("replica", receiver=None))
    assert (lonely.receiving, lonely.upstream, lonely.last_contact) == (False, None, None)
    assert judged(server("primary")).receiving is None


def test_a_follower_that_is_not_streaming_is_shown_by_its_state_and_not_as_synchronous(server):
    catching_up = {"name": "db2", "state": "catchup", "sync": "sync"}
    assert judged(server("primary", followers=[catching_up])).followers == {"db2": "catchup"}


SETTINGS = {"full_page_writes": "on", "wal_log_hints": "on", "data_checksums": "off"}
PROBLEMS = [
    ("replica", {"replay_paused": True}, "replay_paused", "paused", "running", True),
    ("replica", {"apply_delay": "60000"}, "apply_delay", "60000 ms", "0 ms", True),
    ("replica", {"received": 4000 + 2**24 + 1}, "replay_backlog", "16777217 bytes", "16777216", False),
    ("primary", {"ready": 17}, "archiver_backlog", "17 segments wait", "16", False),
    (
        "primary",
        {"ready": 1, "archiver": {"failing": True}},
        "archiver_backlog",
        "1 segments wait",
        "no failure",
        False,
    ),
    ("primary", {"base_backups": 1}, "base_backup_running", "1", "0", False),
]


@pytest.mark.parametrize(("role", "changes", "rule", "measured", "limit", "also_failover"), PROBLEMS)
def test_what_stands_in_the_way_is_told_with_both_values(server, role, changes, rule, measured, limit, also_failover):
    assert judged(server(role)).problems == ()
    (problem,) = judged(server(role, **changes)).problems
    assert (problem.rule, problem.measured) == (rule, measured) and limit in problem.limit and problem.hint
    assert "switchover" in problem.blocks and ("failover" in problem.blocks) is also_failover


def test_a_backlog_that_is_replayed_in_moments_stands_in_nobodys_way(server):
    assert judged(server("replica", received=4000 + 2**24)).problems == ()
    assert judged(server("replica", received=None)).problems == ()


def test_an_idle_or_working_archiver_stands_in_nobodys_way(server):
    assert judged(server("primary", ready=16)).problems == ()
    assert judged(server("primary", archiver={"failing": True}, ready=0)).problems == ()


@pytest.mark.parametrize(
    ("settings", "possible"),
    [
        ({}, True),
        ({"wal_log_hints": "off", "data_checksums": "on"}, True),
        ({"wal_log_hints": "off"}, False),
        ({"full_page_writes": "off"}, False),
    ],
)
def test_a_planned_move_wants_the_old_primary_to_be_rewindable(server, settings, possible):
    own = server("primary")
    seen = judged({**own, "settings": {**own["settings"], **SETTINGS, **settings}})
    assert [problem.rule for problem in seen.problems] == ([] if possible else ["rewind_impossible"])
    assert all("failover" not in problem.blocks for problem in seen.problems)


@pytest.mark.parametrize("active", ["active", "activating", "inactive", "failed"])
def test_a_server_that_is_not_run_by_the_plans_unit_is_not_moved(server, seen, active):
    """A mask on another unit would not keep it down after a reboot."""
    said = seen(server("primary")).replace(
        "ActiveState=inactive", f"ActiveState={active}\nId=postgresql@15-old.service"
    )
    found = read.observation("db1", "dc1", "198.51.100.11", parse(said)["shop"])
    assert [problem.rule for problem in found.problems] == ([] if active.startswith("activ") else ["other_unit"])
    for problem in found.problems:
        assert "postgresql@15-old.service" in problem.measured
        assert problem.blocks == ("switchover",)


UNIT = "postgresql@15-main.service"
BELOW = f"/system.slice/{UNIT}"
OTHER = "/system.slice/postgresql@15-other.service"
CONTAINER = "1:name=systemd:/docker/c0ffee"


@pytest.mark.parametrize(
    ("active", "main", "groups", "wrong"),
    [
        ("active", 41, "", False),
        ("active", 41, f"0::{OTHER}", False),
        ("active", 7, f"0::{BELOW}", False),
        ("activating", 0, f"{CONTAINER}{BELOW}/sub", False),
        ("active", 7, f"0::{OTHER}", True),
        ("active", 0, "0::/user.slice/session-3.scope", True),
        ("activating", 0, f"{CONTAINER}{OTHER}", True),
        ("active", 7, "0::/", True),
        ("activating", 0, "0::/", False),
    ],
    ids=[
        "its main process",
        "its main process, whatever the group says",
        "started by a wrapper",
        "being started",
        "another unit's",
        "by hand, beside a unit without a process",
        "another unit's while this one starts",
        "no group to read, and another main process",
        "nothing known yet",
    ],
)
def test_a_unit_that_runs_something_else_stops_every_verb(server, seen, active, main, groups, wrong):
    """Its stop and mask would hit another server, be it here or as the fence of a failover."""
    own = json.dumps(server("primary", pid=41))
    said = seen(server("primary", pid=41)).replace(
        "ActiveState=inactive", f"ActiveState={active}\nId={UNIT}\nMainPID={main}"
    )
    assert own in said
    found = read.observation("db1", "dc1", "198.51.100.11", parse(f"{said}@@cgroup\n{groups}\n")["shop"])
    assert [(problem.rule, problem.blocks) for problem in found.problems] == (
        [("other_unit", (EVERY_VERB,))] if wrong else []
    )
    for problem in found.problems:
        assert UNIT in problem.measured and "41" in problem.measured and "unit" in problem.hint


@pytest.mark.parametrize(
    ("state", "starts"),
    [
        ("enabled", True),
        ("enabled-runtime", True),  # Debian: `auto` in start.conf, whose generator writes below /run at each boot
        ("disabled", False),  # Debian: `manual`
        ("masked", False),
        ("masked-runtime", None),  # until the next boot only
        ("linked", None),
        ("linked-runtime", None),
        ("alias", None),
        ("static", None),
        ("indirect", None),
        ("generated", None),
        ("transient", None),
        ("bad", None),
        ("", None),
        (None, None),
    ],
)
def test_whether_a_unit_starts_at_boot_is_told_only_where_systemd_says_so(server, seen, state, starts):
    line = "" if state is None else f"UnitFileState={state}\n"
    for said in (seen(server("primary")), seen(server("replica")), seen(state="in production")):
        found = parse(said.replace("LoadState=loaded\n", f"LoadState=loaded\n{line}"))["shop"]
        assert read.observation("db1", "dc1", "198.51.100.11", found).starts_at_boot is starts
    assert read.observation("db1", "dc1", "198.51.100.11", None).starts_at_boot is None


@pytest.mark.parametrize(
    ("status", "active", "runs", "wrong"),
    [
        (3, "active", "postgres", True),
        (3, "active", "postmaster", True),
        (3, "active", "", False),
        (3, "active", "patroni", False),
        (3, "deactivating", "postgres", False),
        (0, "active", "postgres", False),
    ],
)
def test_where_no_server_answers_a_unit_that_runs_another_one_is_told(seen, status, active, runs, wrong):
    """The fence of a failover stops the dead primary's unit: not one that carries a server of another service."""
    said = seen(state="in production", status=status).replace(
        "ActiveState=inactive", f"ActiveState={active}\nId={UNIT}\nMainPID=77"
    )
    said = said.replace("@@controldata", f"@@main {runs}\n@@controldata" if runs else "@@controldata")
    found = read.observation("db1", "dc1", "198.51.100.11", parse(said)["shop"])
    assert [(problem.rule, problem.blocks) for problem in found.problems] == (
        [("other_unit", (EVERY_VERB,))] if wrong else []
    )
    assert all("77" in problem.measured for problem in found.problems)


@pytest.mark.parametrize(("there", "wrong"), [("41 900", False), ("41 901", True), ("42 900", True), (None, True)])
def test_a_port_and_a_directory_of_two_servers_stop_every_verb(server, there, wrong):
    """A process number alone may be another server's, which had it before a reboot."""
    cluster = Cluster.from_member({"host": "db1", "cluster": "15/accounts", "port": 5433})
    said = answer(server("replica", data_directory="/data/payments", started="41 900", started_there=there))
    found = read.observation("db1", "dc1", "198.51.100.11", said, cluster)
    assert [(problem.rule, problem.blocks) for problem in found.problems] == (
        [("other_directory", (EVERY_VERB,))] if wrong else []
    )
    for problem in found.problems:
        assert problem.measured == "the server on port 5433 runs on /data/payments"
        assert problem.limit.startswith("/var/lib/postgresql/15/accounts") and "data_directory" in problem.hint


@pytest.mark.parametrize(
    ("said", "works"), [("7301|1|0/5000|", True), ("FATAL: no entry in pg_hba.conf", False), ("", False)]
)
def test_a_replication_login_works_or_its_error_is_quoted(server, said, works):
    seen = judged(server("primary"), **{"198.51.100.12:5432": said})
    assert [(p.rule, p.measured) for p in seen.problems] == (
        [] if works else [("replication_login", said or "no answer")]
    )


@pytest.mark.parametrize(
    ("recovery", "sent", "up", "promoting"),
    [
        ("replica", 3.0, 900.0, True),
        ("replica", 61.0, 900.0, True),
        ("replica", 800.0, 900.0, True),
        ("replica", 800.0, 10.0, False),
        ("replica", None, 900.0, False),
        ("primary", 3.0, 900.0, False),
    ],
)
def test_a_promotion_that_was_sent_may_come_as_long_as_that_server_is_in_recovery(
    server, recovery, sent, up, promoting
):
    """However long ago: a server that replays for an hour is a primary after it."""
    said = dataclasses.replace(answer(server(recovery, up_seconds=up)), promoting_seconds=sent)
    assert read.observation("db1", "dc1", "198.51.100.11", said).engine["promoting"] is promoting


def test_a_replica_receives_only_while_its_receiver_streams(server):
    streams = server("replica")
    assert judged(streams).receiving is True
    for status in ("starting", "waiting", "restarting", "stopping", None):
        assert judged({**streams, "receiver": {**streams["receiver"], "status": status}}).receiving is False
