# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a running server holds, production's or the restored one, and how the two differ.

Every row is counted; the plan's queries and the canary's table are asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import observe, prove, read
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.machine import Machine
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.act import psql
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster

READ_SECONDS = 3600.0


def databases(machine: Machine, server: Cluster) -> list[str] | None:
    """The databases of a server; None where it does not answer."""
    listed = machine.look(psql(server, prove.DATABASES, 10)).stdout
    return (observe.json_of(listed) or {}).get("databases")


def shown(
    machine: Machine,
    server: Cluster,
    counted: Sequence[str] = (),
    checks: Sequence[prove.Check] = (),
    canary: prove.Canary | None = None,
    target: float | None = None,
    since: int | None = None,
) -> prove.Shown:
    """The rows of these databases, the answers to the checks, and what the canary's table holds."""
    text = prove.questions(counted, checks, canary, target, since)
    output = machine.look(psql(server, text, READ_SECONDS), READ_SECONDS + 5)
    return prove.shown(read.sections(output.stdout), checks, output.stderr.strip()[-300:])


def compared(machine: Machine, result: Mapping[str, Any]) -> dict[str, Any]:
    """Rows by table that the running primary has and the restored data has not (or the other way round).

    Of a table whose number of rows is the same, some may have been changed since: those would be lost as well.
    """
    present = databases(machine, machine.cluster)
    if present is None:
        return {"known": False, "why": "the primary does not answer, so nobody can compare"}
    now = machine.execute("date +%s\n", 5.0).stdout.strip()
    until = result.get("until")
    seconds = round(float(now) - float(until), 3) if now.isdigit() and until is not None else None
    since = result.get("next_xid")
    seen = shown(machine, machine.cluster, present, since=since)
    tables = []
    for database in sorted({*seen.counts, *result["counts"]}):
        have, get = seen.counts.get(database, {}), result["counts"].get(database, {})
        written = seen.written.get(database, {})
        for table in sorted({*have, *get}):
            if have.get(table) != get.get(table) or written.get(table):
                entry = {"database": database, "table": table, "now": have.get(table), "restored": get.get(table)}
                tables.append({**entry, "written": None if since is None else written.get(table, 0)})
    told = {"known": not seen.error, "why": seen.error, "tables": tables, "target": result["target"]}
    return {**told, "seconds": seconds, "source": "positions"}
