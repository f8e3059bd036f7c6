# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The client as a process of its own, and what it has written so far."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Row
from benchmarks.where import CHECKOUT, HERE, STATE

RATE = 100.0
WARM_SECONDS = 1.0
STABLE_SECONDS = 1.0
STOP_SECONDS = 30.0
TAIL_BYTES = 40_000  # some seconds of rows: reading all of them again and again would take the case's CPU


class NotServed(Exception):
    """The client was not served in time; the text says what its last writes met."""


class Clients:
    """One process that writes to as many services as there are settings."""

    def __init__(self, settings: list[dict[str, Any]]) -> None:
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; it begins to write at once."""
        for each in self._settings:
            ledger = Path(each["ledger"])
            ledger.parent.mkdir(parents=True, exist_ok=True)
            ledger.unlink(missing_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "build" / "collections")}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "client.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(self._settings) + "\n")
        self._process.stdin.flush()
        if self._process.stdout.readline().strip() != "ready":
            raise NotServed(f"the client ended with {self._process.wait()} before it began")

    def stop(self) -> None:
        """End it; what its clients wrote is in their ledgers."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


class Load:
    """Writes to one service for as long as a case takes."""

    def __init__(self, run_id: str, login: dict[str, Any], hosts: list[str]) -> None:
        self.ledger, settings = client(run_id, login, RATE, hosts)
        self._clients = Clients([settings])

    def start(self) -> None:
        """Start it and wait until it has been served for a second."""
        self._clients.start()
        self.served(None, 15.0, WARM_SECONDS)

    def served(
        self, address: str | None, within_seconds: float, stable_seconds: float = STABLE_SECONDS, since_ns: int = 0
    ) -> None:
        """Wait until one server (C(address); null: any) has acknowledged every row for a while, after C(since_ns)."""
        wait_served(self.ledger, address, within_seconds, stable_seconds, since_ns)

    def stop(self) -> list[Row]:
        """End it; all of its rows."""
        self._clients.stop()
        return read(self.ledger)


def client(run_id: str, login: dict[str, Any], rate: float, hosts: list[str]) -> tuple[Path, dict[str, Any]]:
    """The ledger and the settings of one client."""
    ledger = STATE / "ledgers" / f"{run_id}.jsonl"
    return ledger, {"run_id": run_id, "login": login, "hosts": hosts, "rate": rate, "ledger": str(ledger)}


def wait_served(
    ledger: Path, address: str | None, within_seconds: float, stable_seconds: float = STABLE_SECONDS, since_ns: int = 0
) -> None:
    """As C(Load.served), for any client's ledger. Raises NotServed."""
    until = time.monotonic() + within_seconds
    while not _stable(read(ledger, TAIL_BYTES), address, stable_seconds, since_ns):
        if time.monotonic() > until:
            last = [(row.outcome, row.address) for row in read(ledger, TAIL_BYTES)[-3:]]
            raise NotServed(f"not served by {address or 'anybody'} within {within_seconds:g} s; last writes: {last}")
        time.sleep(0.1)


def read(path: Path, tail_bytes: int | None = None) -> list[Row]:
    """The rows of a ledger, or of its end; a line that is being written, or cut, is left out."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - tail_bytes) if tail_bytes else 0
        file.seek(start)
        lines = file.read().splitlines(keepends=True)[1 if start else 0 :]
    return [Row(*json.loads(line)) for line in lines if line.endswith(b"\n")]


def _stable(rows: list[Row], address: str | None, seconds: float, since_ns: int) -> bool:
    """Whether the newest rows, over that time, were all acknowledged by one server."""
    if not rows:
        return False
    newest = rows[-1]
    wanted = address or newest.address
    for row in reversed(rows):
        if not row.acknowledged or row.address != wanted or row.sent_ns < since_ns:
            return False
        if newest.done_ns - row.done_ns >= seconds * 1e9:
            return True
    return False
