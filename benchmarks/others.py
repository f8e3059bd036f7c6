# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The other clients of a resolver: they keep its cache full, so that the record in it is of any age at any moment.

Alone, our client fills the cache once, when it connects. How old that is when the primary stops would then depend on
how long the verb takes until there, and the case would show that instead of what a cache costs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

EVERY_SECONDS = 0.1
FIRST_SECONDS = 15.0


class OtherClients:
    """Ask for a record again and again, beside everything else. C(ask) tells whether there was an answer."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def start(self, age_seconds: float) -> None:
        """Fill the cache and go on, then let the record become so old. Raises TimeoutError when nobody answers."""
        until = time.monotonic() + FIRST_SECONDS
        while not self._ask():
            if time.monotonic() > until:
                raise TimeoutError(f"the caching resolver gave no answer within {FIRST_SECONDS:g} s")
            self._ended.wait(EVERY_SECONDS)
        self._thread.start()
        self._ended.wait(age_seconds)

    def stop(self) -> None:
        """Ask no more."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _go_on(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._ask()
