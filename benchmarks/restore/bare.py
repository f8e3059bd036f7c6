# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same by hand: pgBackRest's own commands, and a server that recovers what was restored. Nothing is proven."""

from __future__ import annotations

import shutil
import time

import psycopg
from real_primary import until

from benchmarks.restore.database import Database

CONF = """port = {port}
listen_addresses = ''
unix_socket_directories = '{folder}'
hba_file = '{home}/pg_hba.conf'
ident_file = ''
max_connections = 33
"""
LIMIT_SECONDS = 3600


def backup(database: Database) -> dict[str, float]:
    """A full backup."""
    started = time.monotonic()
    database.pgbackrest("--repo=1", "--type=full", "backup")
    return {"wall": time.monotonic() - started}


def restore(database: Database, label: str) -> tuple[dict[str, float], int]:
    """Restore this set and recover to the archive's end; the seconds, and how many rows of history are there."""
    data, folder = database.home / "bare", database.home / "bare.run"
    for each in (data, folder):
        each.mkdir(mode=0o700)
        database.give(each)
    conf = folder / "postgresql.conf"
    conf.write_text(CONF.format(port=database.port, folder=folder, home=database.home), encoding="utf-8")
    conf.chmod(0o644)
    control = f"{database.bin_directory}/pg_ctl -D {data} -w -t {LIMIT_SECONDS} -s"
    try:
        started = time.monotonic()
        database.pgbackrest("--repo=1", f"--set={label}", f"--pg1-path={data}", "--archive-mode=off", "restore")
        copied = time.monotonic()
        # The server would keep a pipe open
        database.as_user(f"{control} -l {folder}/log -o '-c config_file={conf}' start >/dev/null 2>&1 </dev/null")
        until(lambda: _serves(database), "the restored server has recovered", LIMIT_SECONDS)
        ended = time.monotonic()
        ((rows,),) = database.sql("select count(*) from pgbench_history", folder=folder)
        database.as_user(f"{control} -m immediate stop")
    finally:
        shutil.rmtree(data)
        shutil.rmtree(folder)
    return {"wall": ended - started, "copy": copied - started, "recovery": ended - copied}, int(rows)


def _serves(database: Database) -> bool:
    try:
        return database.sql("select pg_is_in_recovery()", folder=database.home / "bare.run") == [(False,)]
    except psycopg.OperationalError:
        return False
