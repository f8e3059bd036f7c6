# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger's file: written line by line as things happen, by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import Ledger, parse

SYNC_SECONDS = 0.1
#: Whoever asks `in_use` holds the lock for microseconds: that must not be taken for another client.
LOCK_SECONDS = 0.5


class LedgerFile:
    """Opens the ledger to append to it. Raises CanaryError when another client has it open.

    Each line reaches the kernel at once, so a killed client loses nothing, and the disk 100 ms later at the latest. The
    flush happens beside the writes: a slow disk under the controller must not look like a slow database.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if not _locked(self._file):
            os.close(self._file)
            raise CanaryError(f"another canary writes {path}", reason="already_running")
        self.earlier: Ledger = read(path)
        """What stood there already: a resumed run goes on with higher numbers."""
        self._separate_torn_line()
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._syncer: threading.Thread | None = None

    def start(self) -> None:
        """Begin to flush in the background. No thread survives a fork, started or not, so it is made here."""
        self._syncer = threading.Thread(target=self._sync, daemon=True)
        self._syncer.start()

    def append(self, line: Mapping[str, Any]) -> None:
        """Add one line. Raises OSError when the disk is full: a write that cannot be recorded must be the last."""
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        while data:
            data = data[os.write(self._file, data) :]
        self._dirty.set()

    def close(self) -> None:
        """Bring everything to the disk and let go of the file."""
        self._closing.set()
        self._dirty.set()
        if self._syncer is not None:
            self._syncer.join(timeout=5)
        os.fsync(self._file)
        os.close(self._file)

    def _sync(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            self._dirty.clear()
            os.fsync(self._file)
            self._closing.wait(SYNC_SECONDS)

    def _separate_torn_line(self) -> None:
        """A client that was killed in the middle of a line must not spoil the next one."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")


def read(path: str | Path) -> Ledger:
    """The ledger at `path`; an empty one when there is no file. Raises LedgerError, OSError."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return parse(file)
    except FileNotFoundError:
        return Ledger(rows=())


def _locked(file: int) -> bool:
    """Take the lock that a client keeps for its whole life, or tell that another has it."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        else:
            return True


def in_use(path: str | Path) -> bool:
    """Whether a client has the ledger open just now. The kernel answers, so a killed client never looks alive."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: who asks at the same time is no client
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
