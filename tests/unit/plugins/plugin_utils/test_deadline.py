# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import deadline
from ansible_collections.continuity.dr.plugins.plugin_utils.deadline import Deadline, DeadlineExceeded


class TaskTimeout(BaseException):
    """Stands for what Ansible raises at a task's own `timeout`."""


@contextmanager
def task_timeout(seconds):
    """As Ansible bounds a task: the same signal, a handler of its own."""

    def expired(*_args):
        raise TaskTimeout

    signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield expired
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def armed() -> float:
    return signal.getitimer(signal.ITIMER_REAL)[0]


def test_work_that_blocks_ends_at_its_bound():
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded), Deadline(0.1):
        time.sleep(10)
    assert 0.1 <= time.monotonic() - started < 1
    assert armed() == 0 and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_work_that_is_quick_leaves_no_timer_behind():
    with Deadline(0.05):
        pass
    assert armed() == 0
    time.sleep(0.1)


def test_an_error_of_the_work_passes_and_disarms():
    with pytest.raises(KeyError), Deadline(0.05):
        raise KeyError
    assert armed() == 0
    time.sleep(0.1)


def test_nobody_who_catches_every_exception_swallows_it():
    with pytest.raises(DeadlineExceeded), Deadline(0.05):
        try:
            time.sleep(10)
        except Exception:
            pytest.fail("a connection plugin that tries again would hang for ever")


def test_a_tasks_own_timeout_goes_on_with_what_is_left():
    with task_timeout(0.9) as handler:
        with Deadline(0.2):
            time.sleep(0.1)
        assert signal.getsignal(signal.SIGALRM) is handler
        assert 0 < armed() <= 0.81
        with pytest.raises(TaskTimeout):
            time.sleep(10)


def test_a_tasks_own_timeout_goes_on_after_a_bound_that_was_reached():
    with task_timeout(0.9):
        with pytest.raises(DeadlineExceeded), Deadline(0.1):
            time.sleep(10)
        assert 0 < armed() <= 0.81
        with pytest.raises(TaskTimeout):
            time.sleep(10)


def test_a_tasks_own_timeout_that_is_shorter_holds_inside_too():
    started = time.monotonic()
    with task_timeout(0.1), pytest.raises(TaskTimeout), Deadline(5):
        time.sleep(3)
    assert time.monotonic() - started < 1


def test_the_inner_bound_ends_first_and_the_outer_is_kept():
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded), Deadline(1):
        with pytest.raises(DeadlineExceeded), Deadline(0.1):
            time.sleep(10)
        assert 0.1 <= time.monotonic() - started < 0.9
        time.sleep(10)
    assert 1 <= time.monotonic() - started < 3
    assert armed() == 0


def test_the_outer_bound_that_is_shorter_holds_inside_too():
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded), Deadline(0.1), Deadline(5):
        time.sleep(3)
    assert time.monotonic() - started < 1
    assert armed() == 0 and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


KILLING = """
import subprocess, sys, time
sys.path[:0] = {path!r}
from ansible_collections.continuity.dr.plugins.plugin_utils.deadline import kill_children
children = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
kill_children()
kill_children()
print(*[child.pid for child in children])
"""


def test_children_are_killed_and_buried_and_none_is_no_error():
    # In a process of its own: the children of the one that runs the tests are not ours to kill
    script = KILLING.format(path=sys.path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=20, check=True
    )
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_kernel_that_does_not_tell_children_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "children").mkdir()
    monkeypatch.setattr(deadline, "Path", lambda _proc: tmp_path)
    deadline.kill_children()
