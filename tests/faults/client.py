# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of its own: it looks the name up, writes numbered rows, and keeps what became of each. A separate process.

It shares no code with the collection: what the collection's canary could miss, this one still sees. A row is sent once.
It counts as acknowledged only when the server has said so within a second and without a warning (a primary that gives
up its wait for a synchronous standby says so in one); what was not answered is in doubt. For the same reason no
statement is ever cancelled. Settings come as one JSON object on standard input, whose end is the client's end.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path
from typing import Any

import dns.exception
import dns.resolver
import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 1.0
STATEMENT = b"INSERT INTO continuity_canary (run_id, seq) VALUES ($1, $2)"
WORKING = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
Settings = dict[str, Any]


class Client:
    """One row after another, at most twenty a second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.nameservers = settings["resolvers"]
        self._resolver.timeout, self._resolver.lifetime = 0.5, 1.0
        self._session: pq.abc.PGconn | None = None
        self._address = ""
        self._warned = False

    def run(self) -> None:
        """Write until standard input ends."""
        number = 0
        with Path(self._settings["ledger"]).open("a", encoding="utf-8", buffering=1) as file:
            file.write(json.dumps({"event": "began", "run_id": self._settings["run_id"]}) + "\n")
            while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
                number += 1
                outcome = self._write(number)
                line = {"seq": number, "outcome": outcome, "time": time.time(), "address": self._address}
                file.write(json.dumps(line) + "\n")

    def _write(self, number: int) -> str:
        """What became of one row. After anything but an acknowledgement the name is looked up anew."""
        try:
            session = self._session = self._session or self._connect()
        except (dns.exception.DNSException, psycopg.Error):
            return "refused"
        outcome = "in_doubt"
        try:
            outcome = self._send(session, number)
        except psycopg.Error:
            outcome = "in_doubt"
        finally:
            if outcome != "acknowledged":
                session.finish()
                self._session = None
        return outcome

    def _connect(self) -> pq.abc.PGconn:
        # No search list and no cache: the record as the resolver has it now
        self._address = str(self._resolver.resolve(self._settings["name"], "A")[0])
        text = make_conninfo(
            "",
            hostaddr=self._address,
            port=self._settings["ports"].get(self._address, 1),  # a record may name a stranger
            dbname=self._settings["database"],
            user="canary",
            password=self._settings["password"],
            application_name="fault_ledger",
            connect_timeout=2,
        )
        session = pq.PGconn.connect(text.encode())
        if session.status != pq.ConnStatus.OK:
            session.finish()
            raise psycopg.OperationalError("no session")
        session.notice_handler = self._notice
        return session

    def _send(self, session: pq.abc.PGconn, number: int) -> str:
        self._warned = False
        session.send_query_params(STATEMENT, [self._settings["run_id"].encode(), str(number).encode()])
        until, states = time.monotonic() + ANSWER_SECONDS, []
        while True:
            while session.is_busy():
                if not select.select([session.socket], [], [], max(0.0, until - time.monotonic()))[0]:
                    return "in_doubt"
                session.consume_input()
            result = session.get_result()
            if result is None:
                break
            states.append(result.status)
        if session.status != pq.ConnStatus.OK or self._warned:
            return "in_doubt"
        return "acknowledged" if states and all(state in WORKING for state in states) else "refused"

    def _notice(self, result: pq.abc.PGresult) -> None:
        self._warned = True


if __name__ == "__main__":
    Client(json.loads(sys.stdin.readline())).run()
