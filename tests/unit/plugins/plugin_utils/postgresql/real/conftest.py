# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two members with real PostgreSQL servers on this machine; only sudo and systemd are stand-ins."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest
from fake_member import FakeMember
from real_server import AS_USER, free_port, programs, server_folder

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream, sudo_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member

SERVICE = "payments-db"
UNIT = "postgresql@15-main.service"
CONF = """port = {port}
listen_addresses = '127.0.0.1'
unix_socket_directories = '{home}/socket'
hba_file = '{home}/pg_hba.conf'
ident_file = ''
cluster_name = '{host}'
wal_log_hints = on
wal_keep_size = 64MB
fsync = off
shared_buffers = 16MB
max_connections = 30
autovacuum = off
max_wal_senders = 5
wal_retrieve_retry_interval = 100ms
"""
LONG_RUN = """
for word; do case $word in --unit=*) unit=${word#--unit=}; shift ;; --*) shift ;; *) break ;; esac; done
mkdir -p "@HOME@/units/$unit"
if @AS_USER@"$@" > @HOME@/long.log 2>&1; then echo success; else echo exit-code; fi > "@HOME@/units/$unit/Result"
"""


class Server(FakeMember):
    """One member with a real cluster."""

    def __init__(self, folder: Path, host: str) -> None:
        super().__init__(folder / host, bin_directory=programs(), as_user=AS_USER)
        self.host, self.port = host, free_port()
        (self.home / "postgresql.conf").write_text(CONF.format(port=self.port, home=self.home, host=host))
        (self.home / "pg_hba.conf").write_text("local all all trust\nhost all,replication all 127.0.0.1/32 trust\n")
        pg_ctl = f"{AS_USER}{self.bin_directory}/pg_ctl -D {self.data}"
        options = f"-c config_file={self.home}/postgresql.conf"
        unit = f"{self.home}/units/{UNIT}"
        self.hook(
            UNIT,
            "start",
            f'[ "$(cat {unit}/LoadState 2>/dev/null)" != masked ] || exit 1\n'
            f"{pg_ctl} -l {self.home}/log -o '{options}' -w -s start < /dev/null > /dev/null 2>&1 && "
            f"echo active > {unit}/ActiveState",
        )
        # As systemd does, know the server's process, and notice that it has ended by itself
        main = f"main=$(head -n 1 {self.data}/postmaster.pid 2>/dev/null || echo none); echo $main > {unit}/MainPID"
        ended = "[ ! -d /proc/$main ]"
        self.hook(
            UNIT, "before-show", f"{main}; {ended} && [ -e {unit}/ActiveState ] && echo inactive > {unit}/ActiveState"
        )
        self.hook(UNIT, "stop", f"{pg_ctl} -m fast -w -s stop > /dev/null 2>&1; echo inactive > {unit}/ActiveState")
        self.program("systemd-run", LONG_RUN)
        for path in (self.home, *self.home.iterdir()):
            path.chmod(0o755)
            if AS_USER:
                shutil.chown(path, "postgres", "postgres")

    def member(self, host: str = "", **changes):
        own = {"port": self.port, "config_file": str(self.home / "postgresql.conf"), "address": "127.0.0.1"}
        return super().member(host or self.host, **own, **changes)

    def as_user(self, *command: object) -> None:
        done = subprocess.run(
            f"{AS_USER}{' '.join(map(str, command))}", shell=True, capture_output=True, text=True, cwd="/", check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def connect(self, **options):
        user = {"user": "postgres"} if AS_USER else {}
        return psycopg.connect(
            host=str(self.home / "socket"), port=self.port, dbname="postgres", autocommit=True, **user, **options
        )

    def sql(self, statement: str):
        with self.connect() as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def steps(self) -> Member:
        """The member as a verb handles it, in a playbook that holds no lease."""
        return Member(
            SERVICE, Cluster.from_member(self.member()), None, lambda script, seconds: self.run(script, seconds + 30)
        )

    def run(self, script: str, seconds: float = 30.0):
        # Both members are on this machine: each keeps its state below its own home
        return super().run(script.replace("/STATE/", f"{self.state}/"), seconds)

    def rights(self, other: Server) -> set[tuple[str, str]]:
        """(user, command) of all that the printed sudoers file would allow here."""
        rules = sudo_rules(Cluster.from_member(self.member()), [Upstream("127.0.0.1", other.port)], "login")
        parsed = [re.fullmatch(r"login ALL=\((\S+)\) NOPASSWD: (.*)", rule) for rule in rules]
        return {(match[1], re.sub(r"\\(.)", r"\1", match[2])) for match in parsed if match}

    def see(self) -> Observation:
        return self.steps.observed()

    def start(self) -> None:
        assert self.run(f"systemctl start {UNIT}").rc == 0, (self.home / "log").read_text()[-1500:]

    def stop(self) -> None:
        assert self.run(f"systemctl stop {UNIT}").rc == 0

    @staticmethod
    def until(condition, what: str, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
            time.sleep(0.02)

    def pids(self) -> list[int]:
        """The postmaster and its children; none when it does not run."""
        try:
            main = int((self.data / "postmaster.pid").read_text().split()[0])
            return [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]
        except FileNotFoundError:
            return []

    def signal(self, number: int) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> list[int]:
        pids = self.pids()
        self.signal(signal.SIGKILL)
        self.until(lambda: not any(Path(f"/proc/{pid}/root").exists() for pid in pids), "killed")
        return pids

    def crash(self) -> None:
        """As a SIGKILL of everything does: nobody gets to say goodbye."""
        assert self.kill()
        # A machine's init buries the dead at once; in a container nobody may, and a zombie's locks look like a server's
        for path in (self.data / "postmaster.pid", *(self.home / "socket").iterdir()):
            path.unlink()
        self.unit(UNIT, ActiveState="failed")


@pytest.fixture(scope="session")
def template():
    """A fresh cluster, made once and copied for each test."""
    folder = server_folder()
    first = Server(folder, "first")
    first.as_user(
        first.bin_directory / "initdb", "-D", first.data, "-A", "trust", "--no-sync", "-E", "UTF8", "--wal-segsize=1"
    )
    first.start()
    first.sql("create role replicator superuser login")
    first.sql("create table entry (number int primary key)")
    assert first.run(f"systemctl stop {UNIT}").rc == 0
    yield first.data
    shutil.rmtree(folder)


@pytest.fixture
def pair(template, monkeypatch):
    """db1, a primary, and db2, its streaming standby (cloned by the collection's own step)."""
    monkeypatch.setattr(lease, "STATE_DIRECTORY", "/STATE")
    folder = server_folder()
    db1, db2 = Server(folder, "db1"), Server(folder, "db2")
    try:
        for server in (db1, db2):
            server.as_user("cp", "-a", template, server.data)
        db1.start()
        (db2.state / SERVICE).mkdir()
        (db2.state / SERVICE / "rejoining").touch()
        assert bring_back(db2, db1)["method"] == "clone"
        shutil.rmtree(db2.home / "data.kept")
        yield db1, db2
        for server, other in ((db1, db2), (db2, db1)):
            assert server.rights(other) >= {(user, " ".join(argv)) for user, argv in server.commands}
    finally:
        for server in (db1, db2):
            server.kill()
        shutil.rmtree(folder)


@pytest.fixture
def follow():
    """`follow(db1, db2)`: bring db1 back as a replica of db2."""
    return bring_back


def bring_back(old: Server, new: Server):
    branch = new.steps.bring_to({"state": "settled", "synchronous": None})["branch"]
    upstream = {**new.member(), "replication_address": "127.0.0.1"}
    result = old.steps.bring_to(
        {"state": "replica", "upstream": upstream, "timeout": 60.0, "clone": True, "history": branch}
    )
    old.until(lambda: old.see().receiving, "streaming")
    return result
