# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one client of every case: it writes numbered rows and notes what became of each. Many may share a process.

It is built of the collection's canary (its session and its way to ask for a name), and adds one thing: where a peer
switches no name, it tries both servers in turn, as that peer's users do. Every row is committed by itself and never
sent again; a connection may take 1 s; after a failure it tries again 20 ms later.

Settings come as a JSON list with an object for each client, in one line on standard input; the process prints one line
when it is ready and stops on SIGTERM.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from itertools import cycle
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Login
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.names import Names, NoAddress
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.session import CannotConnect, Session

RETRY_SECONDS = 0.02
CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 1.0
STATEMENT = "INSERT INTO continuity_canary (run_id, seq) VALUES ($1, $2)"


class ByName:
    """Asks for the name at every connection, and again while writes fail."""

    def __init__(self, name: str, resolvers: list[str]) -> None:
        self._names = Names(name, resolvers)

    def next(self, current: str | None) -> str:
        """Where to write now; C(current) is where the last write failed."""
        addresses = self._names.look_up().addresses
        return current if current in addresses else addresses[0]


class BothHosts:
    """Goes to the other server after every failure, as libpq does with two hosts and target_session_attrs."""

    def __init__(self, addresses: list[str]) -> None:
        self._turn = cycle(addresses)

    def next(self, current: str | None) -> str:
        """The server whose turn it is."""
        return next(self._turn)


class Client:
    """Writes one row after another."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._login = Login(**settings["login"])
        hosts = settings["hosts"]
        self._finder = BothHosts(hosts) if hosts else ByName(self._login.name, list(self._login.resolvers))
        self._run_id = settings["run_id"]
        self._pause = 1.0 / settings["rate"]
        self._session: Session | None = None
        self._failed = True
        self._ledger = Path(settings["ledger"])
        self._stop = False

    def run(self) -> None:
        """Write until told to stop."""
        with self._ledger.open("w", encoding="utf-8", buffering=1) as file:
            due, seq = time.monotonic(), 0
            while not self._stop:
                time.sleep(max(0.0, due - time.monotonic()))
                seq += 1
                sent = time.monotonic_ns()
                outcome, address = self._write(seq)
                file.write(json.dumps([seq, outcome, sent, time.monotonic_ns(), address]) + "\n")
                self._failed = outcome != "acknowledged"
                now = time.monotonic()
                due = now + RETRY_SECONDS if self._failed else max(due + self._pause, now)

    def _write(self, seq: int) -> tuple[str, str | None]:
        """One row, sent at most once."""
        if self._session is not None and self._session.ended_meanwhile():
            self._drop()
        address = self._session.address if self._session is not None else None
        if self._failed or self._session is None:
            try:
                address = self._move()
            except (CannotConnect, NoAddress, OSError):
                return "refused", address
        session = self._session
        if session is None:
            raise AssertionError("_move left no session")
        reply = session.ask(STATEMENT, (self._run_id, seq), ANSWER_SECONDS)
        if reply.state in ("complete", "error"):
            return ("acknowledged" if reply.state == "complete" else "refused"), session.address
        self._drop()
        return "in_doubt", session.address

    def _move(self) -> str:
        """A session with the server that is to be written to now; its address."""
        current = self._session.address if self._session is not None else None
        wanted = self._finder.next(current)
        if self._session is None or wanted != current:
            self._drop()
            self._session = Session(self._login, wanted, CONNECT_SECONDS, ANSWER_SECONDS * 0.9)
        return wanted

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None

    def stop(self) -> None:
        """After the row that it is writing."""
        self._stop = True


def main() -> None:
    """The first one in the process's own thread, which the signal reaches; the others beside it."""
    first, *others = clients = [Client(settings) for settings in json.loads(sys.stdin.readline())]

    def stop(_number: int, _frame: object) -> None:
        for client in clients:
            client.stop()

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    threads = [threading.Thread(target=client.run) for client in others]
    for thread in threads:
        thread.start()
    first.run()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
