# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Following a ledger while its client writes it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.record import in_use
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import Row, parse_row
from ansible_collections.continuity.dr.plugins.plugin_utils.core.outage import Expected

POLL_SECONDS = 0.05


class Tail:
    """The rows of a ledger so far; `poll` adds what has been written since."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._offset = 0
        self._rest = b""
        self.rows: list[Row] = []
        self.ended: dict[str, Any] | None = None
        """The end of the last client; None while it runs, and after it was killed."""

    def poll(self) -> list[Row]:
        """The rows that are new since the last call. Half a line is left for the next one."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        new = [row for line in lines if (row := self._take(line)) is not None]
        self.rows.extend(new)
        return new

    def wait(self, enough: Callable[[list[Row]], bool], timeout: float) -> bool:
        """Poll until `enough` (given the new rows) is true. False after `timeout` seconds or without a client."""
        deadline = time.monotonic() + timeout
        while True:
            alive = in_use(self._path)  # asked before the rows: what a client wrote last is still seen
            if enough(self.poll()):
                return True
            if not alive or time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)

    def last_problem(self) -> Row | None:
        """The newest row that was not acknowledged."""
        return next((row for row in reversed(self.rows) if not row.acknowledged), None)

    def _take(self, line: bytes) -> Row | None:
        try:
            data = json.loads(line)
        except ValueError:  # empty, or torn by a kill
            return None
        if "event" not in data:
            return parse_row(data)
        self.ended = data if data["event"] == "ended" else None
        return None


class StableService:
    """Tells, row by row, whether the expected primary has acknowledged every row for long enough."""

    def __init__(self, expected: Expected | None, seconds: float, since: float | None = None) -> None:
        self._expected = expected
        self._seconds = seconds
        self._since = since
        self._first: Row | None = None

    def __call__(self, rows: list[Row]) -> bool:
        """Take the new rows; True when the service is stable at the last of them."""
        stable = False
        for row in rows:
            good = row.acknowledged if self._expected is None else self._expected.matches(row)
            if not good or (self._since is not None and row.done < self._since):
                self._first, stable = None, False
                continue
            if self._first is None or self._first.server != row.server:
                self._first = row
            stable = (row.done_ns - self._first.done_ns) / 1e9 >= self._seconds
        return stable
