# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real PostgreSQL for the canary, on loopback addresses and ports of its own, and a name server to send it about."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import psycopg
import pytest
from real_server import server_folder

from ansible_collections.continuity.dr.plugins.plugin_utils.canary import control
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Config, Login
from ansible_collections.continuity.dr.plugins.plugin_utils.process import controller

HBA = "host all all all trust\nhost replication all all trust\n"
FUNCTIONS = "pg_control_system(), pg_current_wal_insert_lsn(), pg_walfile_name(pg_lsn)"
# What a test finds, whatever the one before it did.
FRESH = (
    "ALTER SYSTEM RESET ALL",
    "SELECT pg_reload_conf()",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
    "AND pid <> pg_backend_pid()",
    "DROP DATABASE IF EXISTS shop",
    "DROP TABLE IF EXISTS continuity_canary, orders",
    # a role with grants of its own, as a hardened server's has, cannot be dropped
    "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'canary') THEN DROP OWNED BY canary; END IF; END $$",
    "DROP ROLE IF EXISTS canary",
    f"GRANT EXECUTE ON FUNCTION {FUNCTIONS} TO PUBLIC",
    "CREATE ROLE canary LOGIN PASSWORD 'kept-from-everyone-41' CONNECTION LIMIT 10",
    "CREATE TABLE continuity_canary (run_id text NOT NULL, seq bigint NOT NULL, "
    "written_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (run_id, seq))",
    "GRANT SELECT, INSERT ON continuity_canary TO canary",
)


def programs() -> Path:
    on_path = shutil.which("initdb")
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *([Path(on_path).resolve().parent] if on_path else [])]
    folder = next((one for one in folders if (one / "initdb").exists() and (one / "pg_basebackup").exists()), None)
    assert folder, "PostgreSQL's server programs are not installed (make packages; Debian: apt-get install postgresql)"
    return folder


def free_port(address: str) -> int:
    """Below the ports that clients get: one that calls a dead server may else be given its port, and answer itself."""
    for _attempt in range(100):
        port = random.randint(20000, 30000)
        with socket.socket() as taken:
            try:
                taken.bind((address, port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


class Server:
    """One PostgreSQL cluster. initdb refuses root, so root runs it as the user `postgres`."""

    def __init__(self, folder: Path, address: str) -> None:
        self.bin = programs()
        self.folder, self.address, self.port = folder, address, free_port(address)
        self.data = folder / "data"

    def run(self, *command: object) -> str:
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        argv = [str(self.bin / str(command[0])), *map(str, command[1:])]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        done = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd="/", check=False, **user)
        log = (self.folder / "log").read_text()[-2000:] if (self.folder / "log").exists() else ""
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}{log}"
        return done.stdout

    def make(self) -> None:
        self.run(
            "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--wal-segsize=1"
        )
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write("fsync = off\nmax_connections = 30\nshared_buffers = 16MB\nwal_level = replica\n")

    def start(self) -> None:
        options = f"-c listen_addresses={self.address} -c port={self.port} -c unix_socket_directories=''"
        self.run("pg_ctl", "-D", self.data, "-l", self.folder / "log", "-o", options, "-w", "-s", "start")

    @property
    def started(self) -> bool:
        return (self.data / "postmaster.pid").exists()

    def refresh(self) -> None:
        """Back to the state that every test begins with; much faster than a new cluster."""
        (self.data / "pg_hba.conf").write_text(HBA)
        if not self.started:
            self.start()
        self.signal(signal.SIGCONT)
        for statement in FRESH:
            self.sql(statement)

    def stop(self) -> None:
        if self.started:
            self.signal(signal.SIGCONT)
            self.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "-s", "stop")

    def pids(self) -> list[int]:
        main = int((self.data / "postmaster.pid").read_text().split()[0])
        return [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]

    def signal(self, number: int) -> None:
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def kill(self) -> None:
        """As a power cut does: nobody gets to say goodbye."""
        pids = self.pids()
        self.signal(signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{pid}/stat").exists() and not zombie(pid) for pid in pids), "killed")
        (self.data / "postmaster.pid").unlink()

    def sql(self, statement: str, user: str = "postgres", dbname: str = "postgres") -> list[tuple[object, ...]]:
        parameters = {"host": self.address, "port": self.port, "user": user, "dbname": dbname}
        with psycopg.connect(**parameters, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def dsn(self, user: str = "canary") -> str:
        return f"host={self.address} port={self.port} user={user} dbname=postgres"

    def set(self, name: str, value: str) -> None:
        """Change a setting and wait until a new session sees it."""
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")
        until(lambda: self.sql(f"SELECT current_setting('{name}')")[0][0] == value, f"{name} = {value}")

    def system_id(self) -> str:
        return str(self.sql("SELECT system_identifier FROM pg_control_system()")[0][0])


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def until(condition: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    path = server_folder()
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def cluster(folder: Path) -> Iterator[Server]:
    one = Server(folder / "primary", "127.0.0.1")
    _make_folder(one)
    one.make()
    yield one
    one.stop()


@pytest.fixture
def server(cluster: Server) -> Server:
    cluster.refresh()
    return cluster


@pytest.fixture
def pair(folder: Path, server: Server) -> Iterator[tuple[Server, Server]]:
    """A primary at 127.0.0.1 and its asynchronous standby at 127.0.0.2, on different ports."""
    standby = Server(Path(tempfile.mkdtemp(dir=folder)), "127.0.0.2")
    _make_folder(standby)
    source = f"host={server.address} port={server.port} user=postgres"
    standby.run("pg_basebackup", "-d", source, "-D", standby.data, "-R", "-X", "stream", "-c", "fast", "--no-sync")
    standby.start()
    until(lambda: server.sql("SELECT state FROM pg_stat_replication") == [("streaming",)], "streaming")
    yield server, standby
    standby.stop()


def _make_folder(server: Server) -> None:
    server.folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(server.folder, "postgres", "postgres")


Make = Callable[..., Config]


@pytest.fixture
def config(server: Server, tmp_path: Path) -> Iterator[Make]:
    """Makes a Config for the server; whatever client still writes at the end is stopped."""
    ledger = str(tmp_path / "canary" / "payments-db.jsonl")
    pid, mark = controller()

    def make(name: str = "127.0.0.1", **changes: object) -> Config:
        login = {"name": name, "database": "postgres", "role": "canary", "port": server.port}
        for key in ("password", "resolvers", "ports", "role", "database", "port"):
            if key in changes:
                login[key] = changes.pop(key)
        known: dict[str, object] = {"service": "payments-db", "run_id": "run-1", "ledger": ledger, "rate": 100.0}
        known |= {"watch_pid": pid, "watch_mark": mark, "max_seconds": 120.0, **changes}
        return Config(login=Login(**login), **known)

    yield make
    if Path(ledger).exists():
        control.stop(ledger)


class NameServer(threading.Thread):
    """Answers A queries from `addresses`, as long as it is not `silent`; `rcode` and `asked` as the names say."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.addresses: list[str] = []
        self.rcode = dns.rcode.NOERROR
        self.silent, self.asked = False, 0

    @property
    def resolver(self) -> str:
        return f"127.0.0.1#{self.socket.getsockname()[1]}"

    def run(self) -> None:
        while True:
            data, sender = self.socket.recvfrom(4096)
            if not data:
                return
            self.asked += 1
            if self.silent:
                continue
            query = dns.message.from_wire(data)
            answer = dns.message.make_response(query)
            answer.set_rcode(self.rcode)
            if self.addresses and query.question[0].rdtype == dns.rdatatype.A:
                answer.answer.append(dns.rrset.from_text_list(query.question[0].name, 5, "IN", "A", self.addresses))
            self.socket.sendto(answer.to_wire(), sender)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as poke:
            poke.sendto(b"", self.socket.getsockname())
        self.join()
        self.socket.close()


@pytest.fixture
def name_server() -> Iterator[Callable[[], NameServer]]:
    made: list[NameServer] = []

    def make() -> NameServer:
        one = NameServer()
        one.start()
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
