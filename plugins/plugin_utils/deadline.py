# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bound on blocking work inside one of Ansible's worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any


class DeadlineExceeded(BaseException):
    """The work took longer than its bound.

    A BaseException: a connection plugin that catches every Exception and tries again must not swallow it.
    """


class Deadline:
    """Raise DeadlineExceeded in the main thread after ``seconds``; an outer timer is put back on exit.

    A task's own ``timeout`` uses the same signal, so what is left of it goes on afterwards. Where it ends first, it
    is left alone: its bound holds in here too, and its own error is raised.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._handler: Any = None
        self._outer = 0.0
        self._yields = False
        self._started = 0.0

    def __enter__(self) -> Deadline:
        self._started = time.monotonic()
        self._yields = 0 < signal.getitimer(signal.ITIMER_REAL)[0] < self.seconds
        if self._yields:
            return self
        self._handler = signal.signal(signal.SIGALRM, self._expired)
        self._outer, _interval = signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._yields:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._handler)
        if self._outer:
            left = self._outer - (time.monotonic() - self._started)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))

    @staticmethod
    def _expired(signum: int, frame: FrameType | None) -> None:
        raise DeadlineExceeded


def kill_children() -> None:
    """Kill what this process started and no longer waits for: the client of a connection that hangs."""
    for children in Path("/proc/self/task").glob("*/children"):
        try:
            pids = [int(pid) for pid in children.read_text().split()]
        except OSError:  # the thread has ended, or the kernel does not tell
            continue
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except OSError:  # gone already
                continue
