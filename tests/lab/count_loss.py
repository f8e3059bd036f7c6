# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Count the lost writes of a run a second time, by another program: the canary's ledger minus the surviving table.

It shares no code with the collection on purpose, so that a mistake there cannot confirm itself. It reads the ledger,
asks the table row by row, and prints one JSON object:

    count_loss.py --ledger runs/RUN/canary/payments-db.jsonl --dsn "host=203.0.113.11 dbname=shop user=canary"
    ssh db2 psql -XAtc "SELECT seq FROM continuity_canary WHERE run_id = 'RUN'" | count_loss.py --ledger FILE --rows -

A password comes from PGPASSWORD or ~/.pgpass, as for psql. Exit code 0: counted, look at `lost`; 2: could not count.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any


class CannotCount(Exception):
    """Something needed for counting is not there."""


def entries(path: str) -> list[dict[str, Any]]:
    found = []
    for line in Path(path).read_bytes().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # torn by a kill
    return found


def read_ledger(path: str) -> dict[str, list[int]]:
    fates: dict[str, list[int]] = {"acknowledged": [], "refused": [], "in_doubt": []}
    for entry in entries(path):
        if "seq" in entry:
            fates[entry["outcome"]].append(entry["seq"])
    return fates


def run_id_of(path: str) -> str:
    for entry in entries(path):
        if entry.get("event") == "began":
            return str(entry["run_id"])
    raise CannotCount(f"{path}: no client has written that it began")


def rows_from_text(source: str) -> list[int]:
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    return [int(word) for word in text.split()]


def rows_from_table(dsn: str, table: str, run_id: str) -> list[int]:
    import psycopg

    if not re.fullmatch(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?", table):
        raise CannotCount(f"{table}: not the name of a table")
    quoted = ".".join(f'"{part}"' for part in table.split("."))
    with psycopg.connect(dsn, connect_timeout=5) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT seq FROM {quoted} WHERE run_id = %s", (run_id,))
        return [int(seq) for (seq,) in cursor]


def compare(fates: dict[str, list[int]], table: list[int]) -> dict[str, object]:
    surviving: dict[int, int] = {}
    for seq in table:
        surviving[seq] = surviving.get(seq, 0) + 1
    lost = [seq for seq in fates["acknowledged"] if seq not in surviving]
    known = {seq for seqs in fates.values() for seq in seqs}
    return {
        "acknowledged": len(fates["acknowledged"]),
        "refused": len(fates["refused"]),
        "in_doubt": len(fates["in_doubt"]),
        "surviving": len(table),
        "lost": len(lost),
        "lost_rows": sorted(lost),
        "in_doubt_survived": sum(seq in surviving for seq in fates["in_doubt"]),
        "refused_survived": sum(seq in surviving for seq in fates["refused"]),
        "twice": sorted(seq for seq, times in surviving.items() if times > 1),
        "not_in_ledger": sorted(seq for seq in surviving if seq not in known),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--ledger", required=True, help="the canary's ledger")
    parser.add_argument("--run-id", help="run of the rows; the ledger says it where it is not given")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--dsn", help="connection string of the surviving primary")
    source.add_argument("--rows", help="file with the surviving row numbers, - for standard input")
    parser.add_argument("--table", default="continuity_canary")
    asked = parser.parse_args()
    try:
        run_id = asked.run_id or run_id_of(asked.ledger)
        table = rows_from_text(asked.rows) if asked.rows else rows_from_table(asked.dsn, asked.table, run_id)
        print(json.dumps({"run_id": run_id, **compare(read_ledger(asked.ledger), table)}))
    except Exception as error:
        print(f"count_loss.py: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
