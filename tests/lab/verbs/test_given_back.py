# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that was killed and is refused when it is run again keeps nobody out."""

from __future__ import annotations

import os
import signal
import time

from harness import inside, run_verb, sql, start_verb, wait_for_step, writable

PORTS = {"db1": 5433, "db2": 5434}
MOVE = ("scope=accounts-db", "target_site=dc2")
STATE = "/var/lib/continuity/accounts-db"


def guard() -> dict[str, str]:
    said = inside("ns0", "dig +short @127.0.0.1 TXT _continuity.accounts-db.shop.example.").strip('"')
    return dict(word.partition("=")[::2] for word in said.split())


def leases() -> list[str]:
    return [member for member in PORTS if inside(member, f"cat {STATE}/lease 2>/dev/null", check=False)]


def test_a_killed_run_that_is_refused_gives_back_its_claim_and_nobody_elses(healthy: None) -> None:
    run_id = f"killed-{time.time_ns()}"
    process = start_verb("switchover", *MOVE, f"continuity_run_id={run_id}")
    wait_for_step(run_id, "accounts-db", "claim", "done")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    sql("db2", PORTS["db2"], "select pg_wal_replay_pause()")
    # As if it were a while ago: what did a step a moment ago may be at work
    for member in PORTS:
        inside(member, f"f={STATE}/acted; [ ! -e $f ] || sed -i -E 's/ [0-9]+$/ 0/' $f")
    held = guard()
    assert (held["run"], held["state"]) == (run_id, "claimed")

    other = run_verb("switchover", *MOVE)
    assert {"claim_held", "replay_paused"} <= set(other.rules("accounts-db")), other.output
    assert guard() == held, "it is not the other run's to give back"

    again = run_verb("switchover", *MOVE, f"continuity_run_id={run_id}")
    assert again.rc == 2 and set(again.rules("accounts-db")) == {"replay_paused"}, again.output
    given = guard()
    assert (given["run"], given["state"]) == (run_id, "released")
    assert int(given["epoch"]) == int(held["epoch"]) + 1, "what is left of the first process is refused"
    assert leases() == []
    for member in PORTS:
        assert inside(member, f"cat {STATE}/epoch") == given["epoch"]
    assert writable(PORTS, "accounts") == ["db1"]

    sql("db2", PORTS["db2"], "select pg_wal_replay_resume()")
    assert run_verb("switchover", *MOVE).rc == 0
    assert writable(PORTS, "accounts") == ["db2"]
