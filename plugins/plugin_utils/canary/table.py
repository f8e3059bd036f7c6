# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What others than the client do to the canary's table: make it once, read it after a failover, clean it on request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Login, quoted_name, quoted_table
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.names import Names, NoAddress
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.session import CannotConnect, Session
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.writing import IDENTITY, server_of
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import Row, Server
from ansible_collections.continuity.dr.plugins.plugin_utils.core.outage import Expected

CONNECT_SECONDS = 3.0
STATEMENT_SECONDS = 20.0
COLUMNS = {"run_id": "text", "seq": "bigint", "written_at": "timestamp with time zone"}

Rows = list[tuple[str | None, ...]]


class Table:
    """The canary's table, through the endpoint's name, in one session. Every method raises CanaryError."""

    def __init__(self, login: Login, table: str) -> None:
        self._table = table
        self._quoted = quoted_table(table)
        self._session = _connect(login)
        self.server = server_of(self._ask(f"SELECT {IDENTITY}")[0])

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def surviving(self, run_id: str) -> set[int]:
        """The numbers of the run's rows that the table holds now."""
        rows = self._ask(f"SELECT seq FROM {self._quoted} WHERE run_id = $1", (run_id,))
        return {int(str(row[0])) for row in rows}

    def purge(self, run_id: str) -> int:
        """Delete the run's rows; returns how many there were."""
        sql = f"WITH gone AS (DELETE FROM {self._quoted} WHERE run_id = $1 RETURNING 1) SELECT count(*) FROM gone"
        return int(str(self._ask(sql, (run_id,))[0][0]))

    def missing(self, role: str) -> list[str]:
        """What stands between the role and its work, as statements to run. Raises CanaryError for a foreign table."""
        create = (
            f"CREATE TABLE {self._quoted} (run_id text NOT NULL, seq bigint NOT NULL, "
            "written_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (run_id, seq))"
        )
        grant = f"GRANT SELECT, INSERT ON {self._quoted} TO {quoted_name(role)}"
        columns = self._ask(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
            (self._quoted,),
        )
        if not columns:
            return [create, grant]
        found = {str(name): kind for name, kind in columns}
        if any(found.get(name) != kind for name, kind in COLUMNS.items()):
            raise CanaryError(
                f"{self._table} is there and is no canary's table (its columns: {', '.join(found)}); name another one",
                reason="foreign_table",
            )
        held = self._ask(
            "SELECT has_table_privilege($1, to_regclass($2), 'SELECT') "
            "AND has_table_privilege($1, to_regclass($2), 'INSERT')",
            (role, self._quoted),
        )
        return [] if held[0][0] == "t" else [grant]

    def make(self, statements: Sequence[str]) -> None:
        """Run what `missing` found."""
        for statement in statements:
            self._ask(statement)

    def _ask(self, sql: str, parameters: Sequence[str] = ()) -> Rows:
        reply = self._session.ask(sql, parameters, STATEMENT_SECONDS)
        if reply.state == "complete":
            return reply.rows
        code = f" ({reply.sqlstate})" if reply.sqlstate else ""
        raise CanaryError(f"{self._session.address} said to the canary: {reply.message}{code}", reason="table_failed")


def read_surviving(
    login: Login, table: str, run_id: str, expected: Expected | None, timeout: float
) -> tuple[set[int], Server]:
    """The surviving rows as the expected primary has them, read through the endpoint's name, and who gave them.

    Tries again for `timeout` seconds. Raises CanaryError when the name leads to nobody, or to another server than
    expected: rows that a former primary still holds prove nothing.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return _read_once(login, table, run_id, expected)
        except CanaryError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.2)


def _read_once(login: Login, table: str, run_id: str, expected: Expected | None) -> tuple[set[int], Server]:
    source = Table(login, table)
    try:
        server = source.server
        # The same question as for an acknowledgement, so it is asked of one.
        answer = Row(0, "acknowledged", 0.0, 0.0, 0, 0, server=server)
        if not (expected or Expected()).matches(answer):
            facts: dict[str, Any] = asdict(server)
            raise CanaryError(
                f"the name leads to {facts}, which is not the expected primary", reason="unexpected_server"
            )
        return source.surviving(run_id), server
    finally:
        source.close()


def _connect(login: Login) -> Session:
    try:
        found = Names(login.name, login.resolvers).look_up()
    except NoAddress as error:
        raise CanaryError(f"the canary finds no server: {error}", reason="no_address") from None
    problems = []
    for address in found.addresses:
        try:
            return Session(login, address, CONNECT_SECONDS, STATEMENT_SECONDS * 0.9)
        except CannotConnect as error:
            problems.append(str(error))
    raise CanaryError(f"the canary cannot connect: {'; '.join(problems)}", reason="cannot_connect")
