# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One attempt to write one row, and what exactly became of it.

`acknowledged` means that the server said committed, and nothing else. `refused` means that the row is certainly not
there: it never left, or the server rolled it back. Everything between the two is `in_doubt`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Config, quoted_table
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.names import Found, Names, NoAddress
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.session import CannotConnect, Reply, Session
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import Outcome, Server

# Who answers, in the words of core.ledger.Server. The timeline is the first 8 hex digits of a WAL file's name.
IDENTITY = (
    "host(inet_server_addr()), inet_server_port(), (SELECT system_identifier FROM pg_control_system()), "
    "CASE WHEN pg_is_in_recovery() THEN NULL ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END, "
    "pg_is_in_recovery()"
)


@dataclass(frozen=True)
class Attempt:
    """The outcome of one row, without its number and times."""

    outcome: Outcome
    address: str | None = None
    port: int | None = None
    server: Server | None = None
    error_class: str | None = None
    sqlstate: str | None = None
    message: str | None = None
    costly: bool = False
    """The server refused after it had checked a password: asking again at once would cost it a good part of a core."""

    def to_dict(self) -> dict[str, Any]:
        """The row's part of the ledger line."""
        line: dict[str, Any] = {"outcome": self.outcome, "address": self.address, "port": self.port}
        if self.server is not None:
            line["server"] = asdict(self.server)
        if self.error_class is not None:
            line["error"] = {"class": self.error_class, "sqlstate": self.sqlstate, "message": self.message}
        return line


class RowWriter:
    """Keeps one session with whatever the name points at and writes rows through it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._names = Names(config.login.name, config.login.resolvers)
        self._statement = f"INSERT INTO {quoted_table(config.table)} (run_id, seq) VALUES ($1, $2) RETURNING {IDENTITY}"
        self._session: Session | None = None
        self._look_again = False
        self._turn = 0

    def write(self, seq: int) -> Attempt:
        """Write the row `seq`, once. Takes at most the bounds of a look-up, a connection and an answer."""
        if self._session is not None and self._session.ended_meanwhile():
            self._drop()
        if self._session is None or self._look_again:
            failed = self._find_server()
            if failed is not None:
                return failed
        session = self._session
        if session is None:
            raise AssertionError("_find_server left neither a session nor a failed attempt")
        reply = session.ask(self._statement, (self._config.run_id, seq), self._config.answer_seconds)
        attempt = outcome_of(reply, session)
        self._look_again = attempt.outcome != "acknowledged"
        if reply.state == "no_answer":
            session.cancel()
        if reply.state not in ("complete", "error"):
            self._drop()
        return attempt

    def close(self) -> None:
        """End the session."""
        self._drop()

    def _find_server(self) -> Attempt | None:
        """Have a session with an address that the name gives now; an Attempt when there is none to be had."""
        try:
            found = self._names.look_up()
        except NoAddress as error:
            self._drop()
            return Attempt("refused", error_class="no_address", message=str(error))
        if self._session is not None and self._session.address in found.addresses:
            return None  # the name has not moved: the server that refused is asked again over the same session
        self._drop()
        return self._connect(found)

    def _connect(self, found: Found) -> Attempt | None:
        login, bound = self._config.login, self._config.answer_seconds
        address = found.addresses[self._turn % len(found.addresses)]
        try:
            # The server's own bound is the shorter one, so that a slow statement is refused rather than left in doubt.
            self._session = Session(login, address, timeout=bound, statement_timeout=bound * 0.9)
        except CannotConnect as error:
            self._turn += 1
            message = f"{error} (resolver: {found.resolver})"
            costly, port = error.after_password, login.port_of(address)
            return Attempt("refused", address, port, error_class=error.kind, message=message, costly=costly)
        self._look_again = False
        return None

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


def outcome_of(reply: Reply, session: Session) -> Attempt:
    """Judge the answer to an INSERT; what is not certain is in doubt."""
    address, port = session.address, session.port
    if reply.state == "error":
        return Attempt("refused", address, port, None, "server_error", reply.sqlstate, reply.message)
    if reply.state != "complete":
        kind = {"no_answer": "no_answer", "lost": "connection_lost", "fatal": "session_ended"}[reply.state]
        return Attempt("in_doubt", address, port, None, kind, reply.sqlstate, reply.message)
    server = server_of(reply.rows[0])
    if reply.warnings:
        # A commit whose wait for the synchronous standby was cancelled ends like a good one, with a warning: the row is
        # committed here and perhaps nowhere else. Its text depends on the server's language, so any warning counts.
        return Attempt("in_doubt", address, port, server, "commit_warning", None, reply.warnings[0])
    return Attempt("acknowledged", address, port, server)


def server_of(row: tuple[str | None, ...]) -> Server:
    """The server that gave an answer to `IDENTITY`. A standby has no timeline of its own to tell: 0."""
    address, port, system_id, timeline, in_recovery = row[:5]
    return Server(
        address=address,
        port=int(port) if port else None,
        system_id=str(system_id),
        timeline=int(timeline, 16) if timeline else 0,
        in_recovery=in_recovery == "t",
    )
