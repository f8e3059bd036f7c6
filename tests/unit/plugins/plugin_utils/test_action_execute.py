# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A script on a member: sent on standard input, bounded, and a machine that does not answer is data."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from fake_action import FakeConnection, made, over
from fake_member import FakeMember

from ansible_collections.continuity.dr.plugins.plugin_utils import action as door
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Output, Step, Unreachable

LEASE = {"service": "payments-db", "run_id": "run-a", "epoch": 8}


class Asking(Step):
    module = "member_lease"


def test_a_script_travels_on_standard_input_and_both_streams_come_back(tmp_path):
    connection = FakeConnection(over(FakeMember(tmp_path).environment))
    output = made(Asking, LEASE, connection).execute("echo said; echo wrong >&2; exit 7", 5)
    assert output == Output(7, "said\n", "wrong\n")
    assert connection.scripts == ["echo said; echo wrong >&2; exit 7"]


def test_a_connection_that_fails_is_unreachable_with_its_first_line():
    def failing(*_):
        raise AnsibleConnectionFailure("Failed to connect: timed out\nmore")

    with pytest.raises(Unreachable, match="db1 cannot be reached: Failed to connect: timed out$") as lost:
        made(Asking, LEASE, FakeConnection(failing)).execute("true")
    assert (lost.value.reason, lost.value.result) == ("unreachable", {"reachable": False})


@pytest.mark.parametrize("reset", [None, AnsibleError("cannot reset"), OSError("gone"), "hangs"])
def test_a_connection_that_hangs_is_unreachable_within_the_bound_and_is_forgotten(monkeypatch, reset):
    killed, reset_calls = [], []

    def resetting():
        reset_calls.append(1)
        if reset == "hangs":
            time.sleep(60)
        if reset is not None:
            raise reset

    monkeypatch.setattr(door, "kill_children", lambda: killed.append(1))
    connection = FakeConnection(lambda *_: time.sleep(60), resetting)
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"db1 gave no answer within 0.3 s"):
        made(Asking, LEASE, connection).execute("true", 0.1, connect=0.2)
    assert time.monotonic() - started < 5
    assert reset_calls == [1] and len(killed) == (1 if reset is None else 2)


HANGING = """
import subprocess, sys, time
sys.path[:0] = {path!r}
from fake_action import FakeConnection, made
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step

def hangs(command, script):
    print(subprocess.Popen(["sleep", "60"]).pid, flush=True)
    time.sleep(60)

class Asking(Step):
    module = "member_lease"
    def step(self, args, task_vars):
        return {{"rc": self.execute("true", 0.2, connect=0.1).rc}}

started = time.monotonic()
result = made(Asking, {lease!r}, FakeConnection(hangs)).run(task_vars={{}})
print(round(time.monotonic() - started, 1), result["failed"], result["reachable"], result["reason"])
"""


def test_the_client_of_a_connection_that_hangs_is_killed():
    # In a process of its own: every child of the process is killed
    script = HANGING.format(path=sys.path, lease=LEASE)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    pid, elapsed, *said = done.stdout.split()
    assert float(elapsed) < 2 and said == ["True", "False", "unreachable"]
    assert not Path(f"/proc/{pid}").exists()
