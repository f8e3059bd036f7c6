# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A primary with a real pgBackRest and two repositories on this machine; only sudo and systemd are stand-ins."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import fake_member
import psycopg
import pytest
from fake_member import FakeMember
from real_server import AS_USER, free_port, programs

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.make import Maker
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.prove import Canary, Check
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.restore import Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.rules import sudo_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.swap import Swapper
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import target_of
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import sudo_rules as cluster_rules

SERVICE = "shop"
UNIT = "postgresql@15-main.service"
CANARY = Canary("postgres", "canary")
CONF = """port = {port}
listen_addresses = ''
unix_socket_directories = '{home}/socket'
hba_file = '{home}/pg_hba.conf'
ident_file = ''
archive_mode = on
archive_command = 'pgbackrest --config={home}/pgbackrest.conf --stanza=shop archive-push %p'
fsync = off
shared_buffers = 16MB
max_connections = 33
autovacuum = off
"""
PGBACKREST = """[global]
repo1-path={repo1}
repo2-path={repo2}
repo1-retention-full=5
repo2-retention-full=5
log-path={home}/log
lock-path={home}/lock
spool-path={home}/spool
archive-async=y
compress-type=none
start-fast=y
archive-timeout=20
job-retry=0
[shop]
pg1-path={home}/data
pg1-port={port}
pg1-socket-path={home}/socket
"""
# A transient unit: it runs beside its caller, and stays after its end as RemainAfterExit has it
SYSTEMD_RUN = r"""
file=
for word; do case $word in
  --unit=*) unit=${word#--unit=}; shift ;; --property=EnvironmentFile=*) file=${word#*=*=}; shift ;;
  --*) shift ;; *) break ;; esac; done
u=@HOME@/units/$unit; mkdir -p "$u"; rm -f "$u/Result"
echo active > "$u/ActiveState"; echo running > "$u/SubState"
( [ -z "$file" ] || { set -a; . "$file"; set +a; }
  cd /; umask 022; @AS_USER@"$@" > "$u/output" 2>&1 < /dev/null & echo $! > "$u/pid"; wait $!; rc=$?
  if [ $rc = 0 ]; then echo exited > "$u/SubState"
  else echo exit-code > "$u/Result"; echo failed > "$u/SubState"; echo failed > "$u/ActiveState"; fi
) > /dev/null 2>&1 < /dev/null 9>&- &
while [ ! -s "$u/pid" ]; do sleep 0.01; done
"""
STOP_TRANSIENT = """  stop) if [ -e "$unit/pid" ]; then
      kill "$(cat "$unit/pid")" 2>/dev/null; rm -f "$unit/pid" "$unit/ActiveState" "$unit/SubState" "$unit/Result"
    else echo inactive > "$unit/ActiveState"; fi ;;
"""


class Primary(FakeMember):
    """db1: a primary that archives into two repositories."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "db1", bin_directory=programs("pgbackrest"), as_user=AS_USER)
        self.port = free_port()
        for name in ("repo1", "repo2", "log", "lock", "spool"):
            (self.home / name).mkdir()
        (self.home / "postgresql.conf").write_text(CONF.format(port=self.port, home=self.home))
        (self.home / "pg_hba.conf").write_text("local all all trust\n")
        self.config = self.configured("pgbackrest.conf", self.home / "repo1", self.home / "repo2")
        self.stand_ins()
        for path in (self.home, *self.home.iterdir()):
            path.chmod(0o755)
            self.give(path)

    def give(self, path: Path) -> Path:
        if AS_USER:
            shutil.chown(path, "postgres", "postgres")
        return path

    def configured(self, name: str, repo1: Path, repo2: Path) -> Path:
        """A configuration of pgBackRest for these copies of the repositories."""
        path = self.home / name
        path.write_text(PGBACKREST.format(home=self.home, port=self.port, repo1=repo1, repo2=repo2))
        path.chmod(0o644)
        return path

    def stand_ins(self) -> None:
        allowed = "/usr/bin/touch|/usr/bin/rm|/usr/bin/tee|/usr/bin/mv|/usr/bin/test"
        more = "/usr/bin/mkdir|/usr/bin/tail|/usr/bin/find|/usr/bin/du"
        sudo = fake_member.SUDO.replace(allowed, f"{allowed}|{more}").replace(
            "  @BIN@/*) ;;",
            "  @BIN@/*|/usr/bin/pgbackrest) ;;\n  /usr/bin/sed) case $* in *@HOME@/*) ;; *) exit 97 ;; esac ;;",
        )
        # Questions run at the same time, so each must be noted in one write
        first, _newline, rest = sudo.partition('echo >> "@HOME@/sudo.log"\n')
        noted = first.replace("printf '%s\\037'", "line=$(printf '%s\\037'").replace(' >> "@HOME@/sudo.log"; ', ")\n")
        assert noted != first
        sudo = f'{noted}printf \'%s\\n\' "$line" >> "@HOME@/sudo.log"\n{rest}'
        sudo = sudo.replace("case $word in", "case $word in [0-9]*|[fd]) ;;")
        self._write("sudo", sudo)
        control = fake_member.SYSTEMCTL.replace("  stop|kill)", f"{STOP_TRANSIENT}  kill)")
        self._write("systemctl", control.replace("  start)", "  reset-failed|daemon-reload|enable) ;;\n  start)"))
        self.program("systemd-run", SYSTEMD_RUN)
        pg_ctl = f"{AS_USER}{self.bin_directory}/pg_ctl -D {self.data}"
        unit = f"{self.home}/units/{UNIT}"
        self.hook(
            UNIT,
            "start",
            f'[ "$(cat {unit}/LoadState 2>/dev/null)" != masked ] || exit 1\n[ ! -e {self.home}/no_start ] || exit 1\n'
            f"{pg_ctl} -l {self.home}/log/server -o '-c config_file={self.home}/postgresql.conf' -w -s start "
            f"< /dev/null > /dev/null 2>&1 9>&- && echo active > {unit}/ActiveState",
        )
        ended = f"[ ! -d /proc/$(head -n 1 {self.data}/postmaster.pid 2>/dev/null || echo none) ]"
        self.hook(UNIT, "before-show", f"{ended} && [ -e {unit}/ActiveState ] && echo inactive > {unit}/ActiveState")
        self.hook(UNIT, "stop", f"{pg_ctl} -m fast -w -s stop > /dev/null 2>&1; echo inactive > {unit}/ActiveState")

    def run(self, script: str, seconds: float = 60.0):
        return super().run(script.replace("/STATE/", f"{self.state}/"), seconds + 60)

    def as_user(self, *command: object) -> str:
        done = subprocess.run(
            f"{AS_USER}{' '.join(map(str, command))}", shell=True, capture_output=True, text=True, cwd="/", check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def pgbackrest(self, *words: object) -> str:
        return self.as_user("pgbackrest", f"--config={self.config}", "--stanza=shop", *words)

    def sql(self, *statements: str, folder: Path | None = None):
        user = {"user": "postgres"} if AS_USER else {}
        where = str(folder or self.home / "socket")
        with psycopg.connect(host=where, port=self.port, dbname="postgres", autocommit=True, **user) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def write(self) -> float:
        """One row of the canary; returns when it was written."""
        ((at,),) = self.sql("insert into canary (run_id, seq) values ('t', nextval('numbers')) returning written_at")
        return at.timestamp()

    def archived(self) -> None:
        """Wait until everything that was written so far is in both repositories."""
        ((name,),) = self.sql("select pg_walfile_name(pg_current_wal_insert_lsn())")
        self.sql("select pg_create_restore_point('before the switch')", "select pg_switch_wal()")
        for repo in ("repo1", "repo2"):
            until(lambda repo=repo: list((self.home / repo).rglob(f"{name}-*")), f"{name} in {repo}")

    def stanza(self, **changes) -> Stanza:
        options = {
            "stanza": "shop",
            "repositories": [{"key": 1, "site": "dc1"}, {"key": 2, "site": "dc2"}],
            "config": str(self.config),
            "log_path": str(self.home / "log"),
            "restore_directory": str(self.home / "restored"),
            **changes,
        }
        own = {"port": self.port, "config_file": str(self.home / "postgresql.conf"), "address": "127.0.0.1"}
        return Stanza.from_options(options, self.member("db1", **own))

    def maker(self, **changes) -> Maker:
        return Maker(SERVICE, self.stanza(**changes), None, self.run)

    def restorer(self, execute=None, **changes) -> Swapper:
        run = execute or self.run
        return Swapper(SERVICE, self.stanza(**changes), None, run)

    def start(self) -> None:
        assert self.run(f"systemctl start {UNIT}").rc == 0, (self.home / "log" / "server").read_text()[-1500:]

    def end(self) -> None:
        """End everything that was started below this folder, by its process id."""
        for pid in processes_of(self.home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not processes_of(self.home), "everything has ended")

    def rights(self) -> set[tuple[str, str]]:
        """(user, command) of all that the printed sudoers file would allow here."""
        cluster = Cluster.from_member(self.stanza().cluster.__dict__ | {"host": "db1", "cluster": "15/main"})
        rules = cluster_rules(cluster, [], "login") + sudo_rules(self.stanza(), "login")
        parsed = [re.fullmatch(r"login ALL=\((\S+)\) NOPASSWD: (.*)", rule) for rule in rules]
        return {(match[1], re.sub(r"\\(.)", r"\1", match[2])) for match in parsed if match}


def processes_of(home: Path) -> list[int]:
    """Servers and copies that work below this folder; a zombie has no command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(home).encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:  # it has just ended
            continue
    return found


def until(condition, what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


def built() -> Primary:
    """A running primary with a stanza, one full backup in each repository."""
    folder = Path(tempfile.mkdtemp(prefix="continuity-unit-", dir="/tmp"))  # short, for the sockets
    folder.chmod(0o755)
    made = Primary(folder)
    made.as_user(
        made.bin_directory / "initdb",
        "-D",
        made.data,
        "-A",
        "trust",
        "--no-sync",
        "-k",
        "-E",
        "UTF8",
        "--wal-segsize=1",
    )
    made.start()
    made.sql(
        "create table canary (run_id text, seq bigint, written_at timestamptz not null default clock_timestamp())",
        "create sequence numbers",
        "create table orders as select n, repeat('x', 500) as text from generate_series(1, 200) n",
    )
    made.pgbackrest("stanza-create")
    return made


@pytest.fixture(scope="session")
def _state():
    """What a script calls /var/lib/continuity is below each member's own home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "STATE_DIRECTORY", "/STATE")
        yield


@pytest.fixture(scope="session")
def history(_state):
    """A primary whose log holds rows before and after each kind of target; tests only read it and its repositories."""
    made = built()
    try:
        made.backups = made.maker().present(Schedule(86400))["made"]
        made.first = made.write()
        until(lambda: time.time() > made.first + 1.1, "a second later")
        made.sql("select pg_create_restore_point('after_one')")
        ((made.lsn,),) = made.sql("select pg_current_wal_insert_lsn()::text")
        made.target = time.time()
        made.second = made.write()
        made.archived()
        made.third = made.write()
        made.archived()
        made.write()
        made.archived()
        yield made
        assert made.rights() >= {
            (user, " ".join(argv)) for user, argv in made.commands if "damaged.conf" not in " ".join(argv)
        }
    finally:
        made.end()
        shutil.rmtree(made.home.parent)


@pytest.fixture
def world(_state):
    """A primary of the test's own."""
    made = built()
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(made.home.parent)


@pytest.fixture
def wanted():
    """`wanted("latest", repository=2)`: a request, judged by the canary and a query."""

    def make(text: str, checks=("select count(*) = 200 from orders",), **changes) -> Wanted:
        return Wanted(target_of(text), checks=tuple(Check.from_options(checks)), canary=CANARY, **changes)

    return make


@pytest.fixture(autouse=True)
def _clean(request):
    """Each test of the shared history begins and ends with an empty restore directory."""
    yield
    if "history" in request.fixturenames:
        request.getfixturevalue("history").restorer().discarded()
