# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restored server must show before anybody may call the restore a success, and the SQL that asks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.observe import json_of
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.read import Recovery
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import Choice

#: Why a server did not come to its target, by what its last words hold.
FATAL = {
    "recovery ended before configured recovery target": "target_not_reached",
    "recovery target timeline": "wrong_timeline",
    "is not a child of this server's history": "wrong_timeline",
    "WAL ends before end of online backup": "wal_missing",
    "could not find redo location": "wal_missing",
    "could not locate required checkpoint record": "wal_missing",
    "could not locate a valid checkpoint record": "wal_missing",
    "requested recovery stop point is before consistent": "target_before_backup",
    "incorrect checksum in control file": "control_file_damaged",
}

# A control file tells of a new timeline late, at the checkpoint after the promotion: what is written now knows it
STATE = r"""
select json_build_object('recovery', pg_is_in_recovery(),
  'paused', case when pg_is_in_recovery() then pg_is_wal_replay_paused() end,
  'locked', pg_is_in_recovery() and exists (select from pg_locks where locktype = 'relation' and granted
    and mode = 'AccessExclusiveLock'),
  'replayed', case when pg_is_in_recovery() then (pg_last_wal_replay_lsn() - '0/0')::bigint end,
  'position', case when not pg_is_in_recovery() then (pg_current_wal_flush_lsn() - '0/0')::bigint end,
  'timeline', case when pg_is_in_recovery() then (select min_recovery_end_timeline from pg_control_recovery())
    else ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int end,
  'system_id', (select system_identifier::text from pg_control_system()),
  'next_xid', txid_snapshot_xmax(txid_current_snapshot()),
  'asked', current_setting('recovery_target_time') || current_setting('recovery_target_lsn')
    || current_setting('recovery_target_name'),
  'checksums', current_setting('data_checksums'));
"""

DATABASES = r"""
select json_build_object('databases', json_agg(datname order by datname)) from pg_database
where datallowconn and datname <> 'template0';
"""

#: Every row of every table is counted, which reads all of them; the dump reads what they hold as well. A row that was
#: inserted or changed since a transaction carries its number or a later one, frozen or not; an age below 0 is a row's
#: that is so old that the numbers have gone round.
_COUNTS = r"""
select json_build_object('database', current_database(), 'tables', coalesce(json_object_agg(name, rows), '{}'),
  'written', coalesce(json_object_agg(name, written), '{}'))
from (select name, (xpath('/row/n/text()', found))[1]::text::bigint as rows,
    (xpath('/row/w/text()', found))[1]::text::bigint as written
  from (select format('%I.%I', n.nspname, c.relname) as name, query_to_xml(format('select count(*) as n,
      count(*) filter (where age(xmin) between 0 and @age) as w from only %I.%I', n.nspname, c.relname),
      false, true, '') as found
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_') t
  ) t;
"""


@dataclass(frozen=True)
class Check:
    """One of the plan's own verification queries; its one value must be ``expect``."""

    database: str
    query: str
    expect: str = "t"

    @classmethod
    def from_options(cls, entries: Sequence[Mapping[str, Any] | str]) -> list[Check]:
        """Read the plan's list. Raises ValueError for what is no query."""
        found = []
        for number, entry in enumerate(entries):
            given = {"query": entry} if isinstance(entry, str) else dict(entry)
            unknown = set(given) - {"database", "query", "expect"}
            query = str(given.get("query") or "").strip().rstrip("; \n")
            # A second statement could allow itself to write; a search for clean data asks production as well
            if unknown or not query or set(query) & set("\\;\x00"):
                wanted = "query (one statement of SQL without backslashes and semicolons)"
                raise ValueError(f"verification[{number}]: give {wanted}, database and expect")
            expect = given.get("expect", "t")
            text = {True: "t", False: "f"}.get(expect, str(expect)) if isinstance(expect, bool) else str(expect)
            found.append(cls(str(given.get("database") or "postgres"), query, text))
        return found


@dataclass(frozen=True)
class Canary:
    """The table that a canary writes to."""

    database: str
    table: str


@dataclass(frozen=True)
class Shown:
    """What the restored server showed of its data."""

    counts: Mapping[str, Mapping[str, int]]
    checks: Sequence[tuple[Check, str]]
    canary: Mapping[str, Any] | None = None
    error: str = ""
    #: by database and table: rows that were inserted or changed since the transaction that was asked about
    written: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def questions(
    databases: Sequence[str],
    checks: Sequence[Check],
    canary: Canary | None,
    target: float | None,
    since: int | None = None,
) -> str:
    """SQL that counts all rows and asks the plan's queries and the canary's table; it writes nothing.

    ``since``: the first transaction, in 64 bits, whose rows are counted as written since.
    """
    counts = _COUNTS.replace("@age", "-1" if since is None else f"age(''{int(since) % 2**32}''::xid)")
    lines = ["set default_transaction_read_only = on;"]
    for database in databases:
        # What anybody may have put into a schema must not stand in for a function that a superuser calls here
        lines += [_connect(database), "set search_path = pg_catalog;", "\\echo @@counts", counts]
    for number, check in enumerate(checks):
        lines += [_connect(check.database), f"\\echo @@check {number}", f"{check.query}\n;"]
    if canary:
        table = ".".join(sql_name(part) for part in canary.table.split("."))
        after = f"count(*) filter (where written_at > to_timestamp({float(target)!r}))" if target is not None else "0"
        lines += [
            _connect(canary.database),
            "\\echo @@canary",
            f"select json_build_object('rows', count(*), 'after', {after}, "
            f"'newest', extract(epoch from max(written_at))) from {table};",
        ]
    return "\n".join([*lines, "\\echo @@end"])


def _connect(database: str) -> str:
    # Quoted for psql, and as a connection string for names that would look like one
    name = database.replace("\\", "\\\\").replace("'", "\\'")
    text = f"dbname='{name}'".replace("'", "''")
    return f"\\connect -reuse-previous=on '{text}'\nset default_transaction_read_only = on;"


def sql_name(name: str) -> str:
    """An identifier of SQL.

    >>> sql_name('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def shown(parts: Iterator[tuple[str, str]], checks: Sequence[Check], error: str) -> Shown:
    """Read what psql printed to ``questions``."""
    counts: dict[str, dict[str, int]] = {}
    written: dict[str, dict[str, int]] = {}
    answers: dict[int, str] = {}
    canary: dict[str, Any] | None = None
    ended = False
    for name, text in parts:
        if name == "counts":
            # Nothing where psql was ended by what it read, such as a damaged page
            said = json_of(text)
            counts |= {said["database"]: said["tables"]} if said else {}
            written |= {said["database"]: said["written"]} if said else {}
        elif name.startswith("check "):
            answers[int(name.removeprefix("check "))] = text.strip()
        elif name == "canary":
            canary = json_of(text)
        ended = ended or name == "end"
    wrong = "" if ended else error or "psql did not come to its end"
    asked = [(check, answers.get(n, "")) for n, check in enumerate(checks)]
    return Shown(counts, asked, canary, wrong, written)


def not_reached(choice: Choice, log: Recovery, number: int | None) -> str:
    """Why the recovery did not come to where it was to stop, by its own log; empty where it did.

    ``number``: the place of the last segment that it fetched. Without a target the log's end is the target, and a gap
    looks like the end.
    """
    if log.fatal:
        return f"the server ended with: {log.fatal}"
    if not log.consistent:
        return "the log does not say that a consistent state was reached"
    if log.problems:
        return f"the log tells of damage: {log.problems[0]}"
    return _not_at_the_end(choice, log, number) if choice.target.kind == "latest" else _not_at_target(choice, log)


def _not_at_the_end(choice: Choice, log: Recovery, number: int | None) -> str:
    if not log.promoted:
        return "the log does not say that recovery is complete"
    if number is None or number < choice.last_segment:
        return f"recovery ended at segment {number}, the archive goes on to {choice.last_segment}"
    return ""


#: How the server goes on after "recovery stopping", by the kind of target
_STOPS = {
    "time": ("before", "after"),
    "lsn": ("after WAL location", "before WAL location"),
    "name": ("at restore point",),
}


def _not_at_target(choice: Choice, log: Recovery) -> str:
    target = choice.target
    if not (log.stopped and log.paused):
        return "the log does not say that recovery stopped at the target"
    words = log.stopped.removeprefix("recovery stopping ")
    if not words.startswith(_STOPS[target.kind]) or (target.kind == "name" and f'"{target.value}"' not in words):
        return f"recovery stopped elsewhere: {log.stopped}"
    early = target.kind == "time" and log.stopped_at is not None and log.stopped_at < float(target.at or 0)
    return f"recovery stopped before the target: {log.stopped}" if early and words.startswith("before") else ""


def unproven(choice: Choice, seen: Shown, canary: Canary | None) -> Iterator[str]:
    """Everything that the data does not prove, as sentences."""
    if seen.error:
        yield f"not all data could be read: {seen.error}"
    if not any(rows for tables in seen.counts.values() for rows in tables.values()):
        yield "no table holds anything: the backup may be of an empty cluster"
    for check, answer in seen.checks:
        if answer != check.expect:
            yield f"in {check.database}, {check.query!r} gave {answer!r}, not {check.expect!r}"
    if canary:
        rows = seen.canary or {}
        if not rows.get("rows"):
            yield f"the canary's table {canary.table} holds no row"
        elif rows.get("after"):
            yield f"{rows['after']} rows of the canary are younger than the target {choice.target}"


def reason_of(fatal: str) -> str:
    """The one word for why a server ended."""
    return next((reason for words, reason in FATAL.items() if words in fatal), "recovery_failed")
