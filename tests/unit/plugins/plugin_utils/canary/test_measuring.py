# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whole stories: a client writes, something happens, and the numbers must be those of a second, separate program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.canary import control, steps
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.measuring import (
    Request,
    load,
    measurement_file,
    take,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.record import read
from ansible_collections.continuity.dr.plugins.plugin_utils.core.measurement import Fenced
from ansible_collections.continuity.dr.plugins.plugin_utils.core.outage import Expected

from .conftest import until

CHECKOUT = Path(__file__).resolve().parents[5]


def request(config, stage="failover", **more) -> Request:
    one = {"service": config.service, "run_id": config.run_id, "stage": stage, "ledger": config.ledger}
    one |= {"login": config.login, "table": config.table, "stable_for_seconds": 0.5, "timeout_seconds": 5.0}
    return Request(**{**one, **more})


def count_loss(ledger: str, dsn: str) -> dict:
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "tests/lab/count_loss.py"), "--ledger", ledger, "--dsn", dsn],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    return json.loads(done.stdout)


@pytest.fixture
def moving(pair, config, name_server):
    """A client that reaches a primary and its standby through one name, and the way to move the name."""
    primary, standby = pair
    names = name_server()
    names.addresses = [primary.address]
    ports = {primary.address: primary.port, standby.address: standby.port}
    one = config("payments-db.shop.example.", resolvers=(names.resolver,), ports=ports)
    control.start(one, 20, 10.0)
    return one, primary, standby, names


def promote(standby) -> None:
    standby.sql("SELECT pg_promote(true, 10)")


def new_primary(standby) -> Expected:
    return Expected(standby.system_id(), 2, frozenset({standby.address}))


def test_a_failover_is_measured_from_the_last_old_to_the_first_new_acknowledgement(moving) -> None:
    one, primary, standby, names = moving
    until(lambda: primary.sql("SELECT sent_lsn = replay_lsn FROM pg_stat_replication") == [(True,)], "caught up")
    fault = time.time()
    primary.kill()
    promote(standby)
    names.addresses = [standby.address]
    measured = take(request(one, fault_time=fault, expected=new_primary(standby)))
    rows = read(one.ledger).rows
    old = [row for row in rows if row.acknowledged and row.server.timeline == 1]
    new = [row for row in rows if row.acknowledged and row.server.timeline == 2]
    assert measured["outage_seconds"] == pytest.approx((new[0].done_ns - old[-1].done_ns) / 1e9, abs=1e-5)
    assert 0 < measured["outage_seconds"] < 5
    assert (measured["outage_last_row"], measured["outage_first_row"]) == (old[-1].seq, new[0].seq)
    assert [(by["port"], by["timeline"]) for by in measured["acknowledged_by"]] == [
        (primary.port, 1),
        (standby.port, 2),
    ]
    assert measured["surviving_from"]["timeline"] == 2
    assert measured["stable"] and measured["acknowledged_by_old_primary"] == 0
    control.stop(one.ledger)
    counted = count_loss(one.ledger, standby.dsn())
    assert measured["lost"] == counted["lost"]


def test_a_forced_loss_is_counted_row_by_row(moving) -> None:
    one, primary, standby, names = moving
    standby.sql("ALTER SYSTEM SET primary_conninfo = ''")
    standby.sql("SELECT pg_reload_conf()")
    until(lambda: not primary.sql("SELECT 1 FROM pg_stat_replication"), "held back")
    time.sleep(0.5)
    fault = time.time()
    primary.kill()
    promote(standby)
    names.addresses = [standby.address]
    measured = take(request(one, fault_time=fault, expected=new_primary(standby)))
    control.stop(one.ledger)
    counted = count_loss(one.ledger, standby.dsn())
    assert measured["lost"] == counted["lost"] > 20
    assert measured["lost_rows"] == counted["lost_rows"][:100]
    assert [n for first, last in measured["lost_ranges"] for n in range(first, last + 1)] == counted["lost_rows"]
    assert 0.4 < measured["lost_seconds"] < 5
    assert measured["lost_seconds_at_least"] <= measured["lost_seconds"]
    # The next stage of the same run does not count the same rows again.
    names.addresses = [standby.address]
    control.start(one, 10, 5.0)
    again = take(request(one, stage="failback", window_start=time.time(), expected=new_primary(standby)))
    assert again["lost"] == 0 and again["lost_ranges"] == []
    assert [stage["stage"] for stage in load(measurement_file(one.ledger))] == ["failover", "failback"]


def test_planted_losses_are_found_exactly(server, config) -> None:
    one = config()
    control.start(one, 60, 10.0)
    control.stop(one.ledger)
    planted = {3, 17, 18, 19, 42}
    server.sql(f"DELETE FROM continuity_canary WHERE run_id = 'run-1' AND seq IN ({str(planted)[1:-1]})")
    measured = take(request(one, stage="planted"))
    counted = count_loss(one.ledger, server.dsn())
    assert measured["lost_rows"] == counted["lost_rows"] == sorted(planted)
    assert measured["lost"] == counted["lost"] == 5
    assert measured["lost_ranges"] == [[3, 3], [17, 19], [42, 42]]
    assert measured["compared"] == counted["acknowledged"]


def test_an_acknowledgement_of_a_fenced_member_is_flagged(server, config) -> None:
    one = config()
    control.start(one, 5, 10.0)
    fenced = Fenced(frozenset({"127.0.0.1"}), since=time.time())
    time.sleep(0.2)
    measured = take(request(one, fenced=[fenced]))
    assert measured["acknowledged_by_fenced"] >= 10 and measured["fenced_rows"]


def test_what_a_fenced_member_acknowledges_after_the_last_measurement_is_seen_at_the_end(server, config) -> None:
    one = config()
    control.start(one, 5, 10.0)
    measured = take(request(one, fenced=[Fenced(frozenset({"127.0.0.1"}), since=time.time() + 3600)]))
    since = time.time()
    assert measured["acknowledged_by_fenced"] == 0
    control.start(one, 10, 5.0)
    window = {"member": "db1", "addresses": ["127.0.0.1"], "since": str(since)}
    about = {"state": "stopped", "service": one.service, "run_id": one.run_id, "purge": False}
    stopped = steps.do({**about, "directory": str(Path(one.ledger).parent), "fenced": [window]}, check_mode=False)
    after = [row.seq for row in read(one.ledger).rows if row.acknowledged and row.sent >= since]
    assert stopped["acknowledged_by_fenced"] == len(after) >= 10
    failover, end = load(measurement_file(one.ledger))
    assert (failover["stage"], end["stage"]) == ("failover", "end")
    assert end["fenced_members"] == {"db1": len(after)} and end["fenced_rows"] == after[:100]
    # A client of the same run that goes on does not stumble over it
    control.start(one, 5, 10.0)
    take(request(one, stage="failback"))


def test_a_client_that_is_stuck_on_the_old_primary_does_not_look_like_health(moving) -> None:
    one, _primary, standby, _names = moving  # the name is never moved
    promote(standby)
    with pytest.raises(CanaryError, match="was not stable for 0.5 s within 1 s") as stuck:
        take(request(one, expected=new_primary(standby), timeout_seconds=1.0))
    measured = stuck.value.fields["measurement"]
    assert stuck.value.reason == "not_stable"
    assert measured["outage_seconds"] is None and measured["outage_unknown"] == "the new primary acknowledged no write"
    assert measured["lost"] is None and "not the expected primary" in measured["surviving_unknown"]
    assert measured["acknowledged"] > 0 and measured["stable"] is False


def test_what_could_not_be_read_is_null_and_kept(server, config) -> None:
    one = config()
    control.start(one, 10, 10.0)
    control.stop(one.ledger)
    server.stop()
    with pytest.raises(CanaryError, match="was not stable"):
        take(request(one, timeout_seconds=0.3, window_start=time.time()))
    kept = load(measurement_file(one.ledger))[0]
    assert (kept["acknowledged"], kept["lost"], kept["lost_seconds"], kept["outage_seconds"]) == (0, None, None, None)
    assert kept["outage_unknown"] == "no write was acknowledged" and "cannot connect" in kept["surviving_unknown"]
    assert kept["canary_ended"] == "sigterm"


def test_without_a_ledger_there_is_nothing_to_measure(config) -> None:
    with pytest.raises(CanaryError, match="no canary has run for payments-db"):
        take(request(config()))


def test_measuring_a_stage_again_replaces_it(server, config) -> None:
    one = config()
    control.start(one, 20, 10.0)
    server.sql("DELETE FROM continuity_canary WHERE seq = 2")
    first = take(request(one, stage="baseline"))
    second = take(request(one, stage="baseline"))
    assert (first["lost"], second["lost"]) == (1, 1), "its own earlier result is not taken for another stage's"
    assert len(load(measurement_file(one.ledger))) == 1


def test_count_loss_takes_row_numbers_from_anywhere(server, config, tmp_path) -> None:
    one = config()
    control.start(one, 5, 10.0)
    control.stop(one.ledger)
    (tmp_path / "rows").write_text("1\n2\n2\n700\n")
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "tests/lab/count_loss.py"), "--ledger", one.ledger, "--rows", "-"],
        input=(tmp_path / "rows").read_text(),
        capture_output=True,
        text=True,
        check=True,
    )
    counted = json.loads(done.stdout)
    assert counted["lost"] == counted["acknowledged"] - 2
    assert (counted["twice"], counted["not_in_ledger"]) == ([2], [700])


def test_count_loss_fails_when_it_cannot_count(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "tests/lab/count_loss.py"), "--ledger", str(tmp_path / "none"), "--rows", "-"],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "FileNotFoundError" in done.stderr
