# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real server with a database of a given size, half of it compressible, and one repository of pgBackRest."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

from real_primary import CONF, Primary

#: What pgbench makes for each step of its scale, its index included
SCALE_BYTES = 15_000_000
ROW_BYTES = 1000
#: Transactions of pgbench for each megabyte of data: the log to recover is about a tenth of the data
TRANSACTIONS_PER_MB = 10
#: As in the lab: async archiving, two processes, lz4. One full backup is kept, the one that is restored.
PGBACKREST = """[global]
repo1-path={repo1}
repo1-retention-full=1
log-path={home}/log
lock-path={home}/lock
spool-path={home}/spool
archive-async=y
compress-type=lz4
process-max=2
start-fast=y
[shop]
pg1-path={home}/data
pg1-port={port}
pg1-socket-path={home}/socket
"""


class Database(Primary):
    """db1, with much more in it."""

    conf = CONF + "shared_buffers = 128MB\nmax_wal_size = 4GB\n"  # the last one wins
    pgbackrest_conf = PGBACKREST
    repositories = ("repo1",)

    def filled(self, size: int) -> None:
        """Make it, of about so many bytes. What fills it is not archived: only later changes are recovered."""
        self.created()
        self.pgbackrest("stanza-create")
        self.sql("alter system set archive_command = 'true'", "select pg_reload_conf()")
        self._pgbench("-i", "-I", "dtgvp", "-s", max(1, size // 2 // SCALE_BYTES))
        self.sql("create table noise (id bigint, payload bytea)")
        chance = random.Random(size)
        with (
            self.connect() as connection,
            connection.cursor().copy("copy noise from stdin (format binary)") as copy,
        ):
            copy.set_types(["int8", "bytea"])
            for number in range(size // 2 // ROW_BYTES):
                copy.write_row((number, chance.randbytes(ROW_BYTES)))
        self.sql("vacuum noise", "checkpoint")
        self.sql("select pg_switch_wal()", "alter system reset archive_command", "select pg_reload_conf()")

    def changed(self, size: int) -> None:
        """Write and archive the log that a restore has to recover."""
        self._pgbench("-n", "-c", 2, "-j", 2, "-t", max(100, TRANSACTIONS_PER_MB * size // 2**20 // 2))
        self.archived()

    def _pgbench(self, *words: object) -> None:
        place = ["-h", self.home / "socket", "-p", self.port]
        self.as_user(self.bin_directory / "pgbench", "-q" if "-i" in words else "", *place, *words, "postgres")

    @property
    def newest(self) -> dict[str, Any]:
        """The newest backup, in pgBackRest's words."""
        found: dict[str, Any] = json.loads(self.pgbackrest("--output=json", "info"))[0]["backup"][-1]
        return found

    def log_bytes(self) -> int:
        """How much log lies after the newest backup."""
        ((found,),) = self.sql(f"select (pg_current_wal_lsn() - '{self.newest['lsn']['stop']}')::bigint")
        return int(found)


def cold(*folders: Path) -> None:
    """Begin alike: nothing is left to be written, and these files are read from the disk."""
    os.sync()
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
