# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fence, or a freeze, that is cut off between its mask and its stop leaves a server that would not start again."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import systemd
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member

SERVICE = "payments-db"
UNIT = "postgresql@15-main.service"


def fence(server: Any) -> str:
    return systemd.fence_script(SERVICE, None, [UNIT], [server.port], 5)


def cut_fence(server: Any) -> None:
    """Everything of the fence's script is killed while systemd is about to stop the unit."""
    there = server.home / "stopping"
    server.hook(UNIT, "before-stop", f"touch {there}; exec sleep 60")
    shell = subprocess.Popen(
        ["/bin/sh", "-s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=server.environment,
        start_new_session=True,
    )
    assert shell.stdin
    # `timeout` would have a process group of its own, and survive the others
    script = fence(server).replace("/STATE/", f"{server.state}/")
    shell.stdin.write(script.replace("timeout -k", "timeout --foreground -k"))
    shell.stdin.close()
    server.until(there.exists, "the unit is being stopped")
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()
    (server.home / "units" / UNIT / "before-stop").unlink()


def cut_freeze(server: Any, target: Any) -> None:
    """The script of the freeze is killed by the command that was to stop the server."""
    cluster = Cluster.from_member(server.member())
    stop = cluster.as_user(cluster.stop())

    def execute(script: str, seconds: float) -> Any:
        assert stop in script
        return server.run(script.replace(stop, "kill -KILL $$"), seconds)

    upstream = {**target.member(), "replication_address": "127.0.0.1"}
    with pytest.raises(Exception, match="db1: failed"):
        Member(SERVICE, cluster, None, execute).bring_to({"state": "stopped", "timeout": 60.0, "upstream": upstream})


def told(server: Any) -> list[tuple[str, str]]:
    return [(problem.rule, problem.measured) for problem in server.see().problems]


def boots_as(server: Any) -> str:
    """What a reboot makes of it."""
    server.stop()
    server.run(f"systemctl start {UNIT}")
    return str(server.see().role)


def settle(server: Any) -> Any:
    return server.steps.bring_to({"state": "settled", "synchronous": None})


def test_a_fence_that_was_cut_off_is_told_and_settling_lifts_its_mask(pair):
    db1, _db2 = pair
    cut_fence(db1)
    assert db1.see().is_primary and db1.see().half_fenced
    assert told(db1) == [("half_fenced", f"{UNIT} is masked")]
    assert settle(db1)["changed"] is True
    assert told(db1) == [] and settle(db1)["changed"] is False
    assert boots_as(db1) == "primary"


def test_until_then_a_reboot_ends_it(pair):
    """Or nothing here would be worth a rule."""
    db1, _db2 = pair
    cut_fence(db1)
    assert boots_as(db1) == "none"


def test_a_freeze_that_was_cut_off_is_told_and_its_undo_mends_both(pair):
    """The mask, and the standby.signal that would make it a replica of its own replica."""
    db1, db2 = pair
    cut_freeze(db1, db2)
    (problem,) = db1.see().problems
    assert problem.measured == f"{UNIT} is masked, standby.signal is there"
    assert f"rm -f {db1.data}/standby.signal; sudo systemctl unmask {UNIT}" in problem.hint
    undone = db1.steps.bring_to({"state": "primary", "timeout": 60.0, "proof_position": None})
    assert (undone["changed"], told(db1)) == (True, [])
    assert boots_as(db1) == "primary"


def test_whoever_unmasks_it_by_hand_is_told_what_is_left(pair):
    db1, db2 = pair
    cut_freeze(db1, db2)
    db1.run(f"systemctl unmask {UNIT}")
    assert told(db1) == [("half_fenced", "standby.signal is there")]
    settle(db1)
    assert told(db1) == [] and boots_as(db1) == "primary"


def test_the_freeze_again_goes_on_from_there(pair, follow):
    db1, db2 = pair
    cut_freeze(db1, db2)
    upstream = {**db2.member(), "replication_address": "127.0.0.1"}
    stopped = db1.steps.bring_to({"state": "stopped", "timeout": 60.0, "upstream": upstream})
    db2.steps.bring_to({"state": "primary", "timeout": 60.0, "proof_position": stopped["position"]})
    assert db1.see().fenced
    assert follow(db1, db2)["method"] == "follow"
    assert told(db1) == told(db2) == [] and boots_as(db1) == "replica"


def test_the_fence_again_goes_on_from_there(pair):
    db1, _db2 = pair
    cut_fence(db1)
    assert systemd.parse(db1.run(fence(db1)).stdout, [UNIT]).fenced
    assert db1.see().fenced and told(db1) == []


def test_a_replica_that_follows_and_is_masked_is_unmasked_and_left_running(pair, follow):
    db1, db2 = pair
    db2.run(f"systemctl mask {UNIT}")
    (before, *_others) = db2.pids()
    assert told(db2) == [("half_fenced", f"{UNIT} is masked")]
    done = follow(db2, db1)
    assert (done["method"], done["changed"], told(db2)) == ("none", True, [])
    assert db2.pids()[0] == before
    assert follow(db2, db1)["changed"] is False
