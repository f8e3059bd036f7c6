# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Watch a command's processes: end all of them after a while, and add up what they have in memory.

They are found by their parents: each of Ansible's workers leads a session of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from pathlib import Path
from types import TracebackType

EVERY_SECONDS = 1.0  # each look costs some ms per process
_PROPORTIONAL = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


class Watch:
    """Looks at a process and all below it, in a thread, until the block ends."""

    def __init__(self, leader: int, limit_seconds: float, memory: bool) -> None:
        self.peak_mb = 0.0
        self.too_long = False
        self._leader, self._limit, self._memory = leader, limit_seconds, memory
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if error is not None:  # whoever waited was told to stop: nothing of the command may go on
            self._kill()

    def _look(self) -> None:
        until = time.monotonic() + self._limit
        while True:
            if self._memory:
                self.peak_mb = max(self.peak_mb, in_memory(self._leader))
            left = until - time.monotonic()
            if self._ended.wait(max(0.0, min(left, EVERY_SECONDS) if self._memory else left)):
                return
            if time.monotonic() >= until:
                self.too_long = True
                self._kill()
                return

    def _kill(self) -> None:
        for process in (self._leader, *below(self._leader)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def below(leader: int) -> list[int]:
    """Its children, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                children.setdefault(_parent(each), []).append(int(each.name))
    found, open_ = [], [leader]
    while open_:
        new = children.get(open_.pop(), [])
        found += new
        open_ += new
    return found


def _parent(process: Path) -> int:
    stat = (process / "stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[1])  # behind the name, which may hold anything: state, parent


def in_memory(leader: int) -> float:
    """What a process and all below it have in memory, in MB; pages that several share count once (PSS)."""
    total = 0
    for process in (leader, *below(leader)):
        with contextlib.suppress(OSError):
            found = _PROPORTIONAL.search(Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8"))
            total += int(found[1]) if found else 0
    return total / 1024
