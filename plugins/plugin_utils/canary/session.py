# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One database session in which nothing takes longer than it is given.

It stands directly on libpq's asynchronous calls (psycopg's documented `pq` module): a driver's `execute` waits for as
long as a frozen server is silent, and does not tell a statement that never left from one whose answer never came.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Login
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import missing_library

try:
    import psycopg
    from psycopg import pq
    from psycopg.conninfo import make_conninfo
except ImportError as error:
    _MISSING: ImportError | None = error
else:
    _MISSING = None

State = Literal["complete", "error", "fatal", "no_answer", "lost"]


def require_driver() -> None:
    """Raise CanaryError with the command that installs the driver, when it is missing."""
    if _MISSING is not None:
        raise missing_library("psycopg 3", "psycopg[binary]>=3.2,<4", _MISSING)


class CannotConnect(Exception):
    """No session. `kind`: `connect_timeout` (no answer in time) or `connect_refused` (machine or server said no)."""

    def __init__(self, kind: str, message: str, after_password: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.after_password = after_password


@dataclass
class Reply:
    """What came back for one statement.

    `complete`: the server is done and said so. `error`: it refused, and the session lives on. `fatal`: it said that it
    ends the session. `no_answer`: silence until the bound. `lost`: the connection broke.
    """

    state: State
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    sqlstate: str | None = None
    message: str | None = None
    warnings: list[str] = field(default_factory=list)


class Session:
    """A session with the server at one address. Raises CannotConnect; the bound is `timeout` seconds for everything."""

    def __init__(self, login: Login, address: str, timeout: float, statement_timeout: float) -> None:
        require_driver()
        self.address = address
        self.port = login.port_of(address)
        self._warnings: list[str] = []
        self._ended = False
        settings: dict[str, Any] = {
            "host": login.name.removesuffix("."),  # what a certificate is checked against
            "hostaddr": address,
            "port": self.port,
            "dbname": login.database,
            "user": login.role,
            "sslmode": login.sslmode,
            "gssencmode": "disable",
            "application_name": "continuity_canary",
            "options": f"-c statement_timeout={int(statement_timeout * 1000)}",
        }
        if login.password is not None:
            settings["password"] = login.password
        self._connection = pq.PGconn.connect_start(make_conninfo("", **settings).encode())
        try:
            self._connect(time.monotonic() + timeout, timeout)
        except BaseException:
            self.close()
            raise
        self._connection.nonblocking = 1
        self._connection.notice_handler = self._notice

    def ask(self, sql: str, parameters: Sequence[str | int] = (), timeout: float = 1.0) -> Reply:
        """Send one statement and wait for its whole answer, at most `timeout` seconds. Never raises for the server.

        It counts as complete only when the server has said that it waits for the next one: in the extended protocol a
        row may come back before the commit that follows it.
        """
        self._warnings = []
        values = [str(parameter).encode() for parameter in parameters]
        deadline = time.monotonic() + timeout
        reply = Reply("complete")
        try:
            self._connection.send_query_params(sql.encode(), values)
            finished = self._read(reply, deadline)
        except psycopg.OperationalError as error:
            if reply.state != "fatal":  # the server's own last words say more than the broken connection after them
                reply.state, reply.message = "lost", _text(error)
        else:
            if not finished:
                reply.state, reply.message = "no_answer", f"no answer within {timeout:g} s"
            elif reply.state in ("complete", "error") and self._connection.status != pq.ConnStatus.OK:
                reply.state = "lost"
        reply.warnings = self._warnings
        return reply

    def ended_meanwhile(self) -> bool:
        """Whether the server has closed the idle session, so that nothing needs to be sent to find that out."""
        try:
            while not self._ended and self._wait(select.POLLIN, time.monotonic()):
                self._connection.consume_input()
                self._connection.is_busy()  # a goodbye to an idle session comes as a notice, once it is parsed
        except psycopg.OperationalError:
            return True
        return self._ended or self._connection.status != pq.ConnStatus.OK

    def cancel(self) -> None:
        """Ask the server, beside us and for at most 1 s, to give up what it is still doing for this session.

        A primary that waits for a lost synchronous standby keeps the session of every unanswered write: without this
        the canary would take one connection a second until none is left for anybody.
        """
        if not psycopg.capabilities.has_cancel_safe():
            return
        try:
            request = self._connection.cancel_conn()
            request.start()
        except psycopg.Error:
            return
        threading.Thread(target=_drive_cancel, args=(request,), daemon=True).start()

    def close(self) -> None:
        """End the session; never waits."""
        self._connection.finish()

    def _connect(self, deadline: float, timeout: float) -> None:
        while True:
            progress = self._connection.connect_poll()
            if progress == pq.PollingStatus.OK:
                return
            if progress == pq.PollingStatus.FAILED:
                message = _text(self._connection.get_error_message())
                raise CannotConnect("connect_refused", message, bool(self._connection.used_password))
            events = select.POLLIN if progress == pq.PollingStatus.READING else select.POLLOUT
            if not self._wait(events, deadline):
                raise CannotConnect("connect_timeout", f"{self.address} did not answer within {timeout:g} s")

    def _read(self, reply: Reply, deadline: float) -> bool:
        """Collect results until the server is ready for the next statement; False when it was silent for too long."""
        connection = self._connection
        while connection.flush():
            if not self._wait(select.POLLIN | select.POLLOUT, deadline):
                return False
            connection.consume_input()
        while True:
            while connection.is_busy():
                if not self._wait(select.POLLIN, deadline):
                    return False
                connection.consume_input()
            result = connection.get_result()
            if result is None:
                return True
            _take(result, reply)

    def _wait(self, events: int, deadline: float) -> bool:
        poll = select.poll()
        poll.register(self._connection.socket, events)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def _notice(self, result: Any) -> None:
        severity = result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) or b""
        self._ended = self._ended or severity in (b"FATAL", b"PANIC")
        if severity == b"WARNING":
            self._warnings.append(_text(result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""))


def _take(result: Any, reply: Reply) -> None:
    """Add one of libpq's results to the reply."""
    if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        for row in range(result.ntuples):
            values = (result.get_value(row, column) for column in range(result.nfields))
            reply.rows.append(tuple(None if value is None else value.decode() for value in values))
        return
    sqlstate = result.error_field(pq.DiagnosticField.SQLSTATE)
    severity = result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED)
    primary = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.get_error_message()
    reply.sqlstate = sqlstate.decode() if sqlstate else None
    reply.message = _text(primary)
    # Without a severity the text is libpq's own: the connection broke, and the server said nothing about the statement.
    reply.state = "lost" if severity is None else "error" if severity == b"ERROR" else "fatal"


def _drive_cancel(request: Any) -> None:
    deadline = time.monotonic() + 1.0
    try:
        while (progress := request.poll()) not in (pq.PollingStatus.OK, pq.PollingStatus.FAILED):
            poll = select.poll()
            poll.register(request.socket, select.POLLIN if progress == pq.PollingStatus.READING else select.POLLOUT)
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                break
    except psycopg.Error:  # nothing was asked of it: the session is given up either way
        pass
    finally:
        request.finish()


def _text(message: object) -> str:
    text = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
    return " ".join(text.split())[:300]
