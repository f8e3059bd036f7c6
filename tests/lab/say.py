# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the lab talks: one line a step, one exception for everything that an operator must act on."""

from __future__ import annotations

import fcntl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_STARTED = time.monotonic()


class LabError(Exception):
    """Something that the lab cannot repair by itself; the text says what happened and what to do next."""


def step(text: str) -> None:
    """Print one line of progress with the seconds since the command started."""
    print(f"lab {time.monotonic() - _STARTED:6.1f}s  {text}", file=sys.stderr, flush=True)


def wait(what: str, ready: Callable[[], bool], seconds: float, pause: float = 0.1) -> None:
    """Ask C(ready) until it says yes; LabError naming C(what) after C(seconds)."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds:g} s. `lab.py status` shows what is missing.")
        time.sleep(pause)


@contextmanager
def alone() -> Iterator[None]:
    """Hold the machine's only right to change the lab: two commands at once would each remove what the other makes."""
    with Path(tempfile.gettempdir(), "continuity-lab.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            step("another lab command is at work; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
