# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sign of life every few seconds while something takes long, whatever it waits for."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType

BEAT_SECONDS = 5.0


class Heartbeat:
    """Calls `beat` with the seconds gone, every few seconds while its block is at work."""

    def __init__(self, beat: Callable[[float], None] | None, every: float | None = None) -> None:
        self._beat, self._every = beat, BEAT_SECONDS if every is None else every
        self._over = threading.Event()

    def __enter__(self) -> None:
        """Begin; a machine that has no thread left goes on without."""
        if self._beat is None:
            return
        # The step's own bound is a signal: it must arrive in the thread that is to be interrupted
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            threading.Thread(target=self._run, args=(self._beat, time.monotonic()), daemon=True).start()
        except RuntimeError:
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, without waiting for a line that is just being printed."""
        self._over.set()

    def _run(self, beat: Callable[[float], None], started: float) -> None:
        while not self._over.wait(self._every):
            beat(time.monotonic() - started)
