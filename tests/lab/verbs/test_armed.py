# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is armed before the freeze: it does the move, and without its controller it does nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from harness import RUNS, inside, journal, run_verb, sql, start_verb, wait_for_step, writable

MOVE = ("scope=payments", "target_site=dc2")
PORTS = {"db1": 5432, "db2": 5432}


def test_a_planned_move_is_done_by_what_was_armed(healthy: None) -> None:
    run_id = f"armed-{time.time_ns()}"
    assert run_verb("switchover", *MOVE, f"continuity_run_id={run_id}").rc == 0
    done = {entry["step"]: entry["data"] for entry in journal(run_id, "payments-db") if entry["state"] == "done"}
    assert done["promote"]["armed"] and done["promote"]["changed"]
    assert done["point"]["armed"] and done["point"]["status"] == "switched"
    assert done["promote"]["promotion"]["proof_position"] == done["demote"]["position"]
    assert "armed" not in inside("db2", "ls /var/lib/continuity/payments-db").split()


def test_a_controller_that_dies_after_arming_promotes_nobody(healthy: None) -> None:
    run_id = f"killed-{time.time_ns()}"
    process = start_verb("switchover", *MOVE, f"continuity_run_id={run_id}")
    wait_for_step(run_id, "payments-db", "arm", "done", count=2)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, workers)):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=20)
    (place,) = (RUNS / run_id / "armed" / "payments-db").iterdir()  # of this one controller
    assert list(place.glob("*.topic")), "something was armed"
    ends = time.monotonic() + 5
    while list(place.glob("*.waiting")):
        assert time.monotonic() < ends, "what is armed outlives its controller"
        time.sleep(0.05)
    assert [entry for entry in journal(run_id, "payments-db") if entry["step"] == "promote"] == []
    assert not list(place.glob("*.fired")) and sql("db2", 5432, "select pg_is_in_recovery()") == "t"
    assert "db2" not in writable(PORTS, "shop")
    # and whoever comes next finds the service as it is, and moves it
    assert run_verb("switchover", *MOVE, f"continuity_run_id={run_id}").rc == 0
    assert writable(PORTS, "shop") == ["db2"]
