# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A primary with a real pgBackRest and its repositories on this machine; only sudo and systemd are stand-ins."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fake_member
import psycopg
from fake_member import FakeMember, Output
from real_server import AS_USER, free_port, programs

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.make import Maker
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.rules import sudo_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.swap import Swapper
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import sudo_rules as cluster_rules

SERVICE = "shop"
UNIT = "postgresql@15-main.service"
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
  cd /; umask 022; @AS_USER@"$@" > "$u/output" 2>&1 < /dev/null &
  echo $! > "$u/MainPID"; echo $! > "$u/pid"; wait $!; rc=$?; echo 0 > "$u/MainPID"
  if [ $rc = 0 ]; then echo exited > "$u/SubState"
  else echo exit-code > "$u/Result"; echo failed > "$u/SubState"; echo failed > "$u/ActiveState"; fi
) > /dev/null 2>&1 < /dev/null 9>&- &
while [ ! -s "$u/pid" ]; do sleep 0.01; done
"""
STOP_TRANSIENT = """  stop) if [ -e "$unit/pid" ]; then
      kill "$(cat "$unit/pid")" 2>/dev/null; cd "$unit"; rm -f pid MainPID ActiveState SubState Result
    else echo inactive > "$unit/ActiveState"; fi ;;
"""


class Primary(FakeMember):
    """db1: a primary that archives into two repositories. `folder` has a short path: its sockets lie below."""

    conf = CONF
    pgbackrest_conf = PGBACKREST
    repositories: tuple[str, ...] = ("repo1", "repo2")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "db1", bin_directory=programs("pgbackrest"), as_user=AS_USER)
        self.port = free_port()
        for name in (*self.repositories, "log", "lock", "spool"):
            (self.home / name).mkdir()
        (self.home / "postgresql.conf").write_text(self.conf.format(port=self.port, home=self.home))
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
        path.write_text(self.pgbackrest_conf.format(home=self.home, port=self.port, repo1=repo1, repo2=repo2))
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

    def run(self, script: str, seconds: float = 60.0) -> Output:
        """Each member's state is below its own home."""
        return super().run(script.replace(f"{lease.STATE_DIRECTORY}/", f"{self.state}/"), seconds + 60)

    def created(self, *words: str) -> None:
        """Make the data directory and start; `words` are more of initdb's."""
        own = ["-A", "trust", "--no-sync", "-k", "-E", "UTF8"]
        self.as_user(self.bin_directory / "initdb", "-D", self.data, *own, *words)
        self.start()

    def as_user(self, *command: object) -> str:
        done = subprocess.run(
            f"{AS_USER}{' '.join(map(str, command))}", shell=True, capture_output=True, text=True, cwd="/", check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def pgbackrest(self, *words: object) -> str:
        """One of its commands. It takes turns with the archiver, whose lock it would not wait for."""
        deadline = time.monotonic() + 120
        while True:
            try:
                return self.as_user("pgbackrest", f"--config={self.config}", "--stanza=shop", *words)
            except AssertionError as failed:
                if "[050]" not in str(failed) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def connect(self, folder: Path | None = None) -> psycopg.Connection[tuple[Any, ...]]:
        """A session of the database's owner, over the socket in this folder."""
        user: dict[str, Any] = {"user": "postgres"} if AS_USER else {}
        where = str(folder or self.home / "socket")
        return psycopg.connect(host=where, port=self.port, dbname="postgres", autocommit=True, **user)

    def sql(self, *statements: str, folder: Path | None = None) -> list[tuple[Any, ...]]:
        with self.connect(folder) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def write(self) -> float:
        """One row of the canary; returns when it was written."""
        ((at,),) = self.sql("insert into canary (run_id, seq) values ('t', nextval('numbers')) returning written_at")
        return at.timestamp()

    def archived(self) -> None:
        """Wait until everything that was written so far is in each repository."""
        ((name,),) = self.sql("select pg_walfile_name(pg_current_wal_insert_lsn())")
        self.sql("select pg_create_restore_point('before the switch')", "select pg_switch_wal()")
        for repo in self.repositories:
            until(partial(self._holds, repo, name), f"{name} in {repo}")

    def _holds(self, repo: str, segment: str) -> bool:
        return any((self.home / repo).rglob(f"{segment}-*"))

    def planned_repositories(self) -> list[dict[str, Any]]:
        """As a plan names them: each at a site of its own."""
        return [{"key": key, "site": f"dc{key}"} for key in range(1, len(self.repositories) + 1)]

    def stanza(self, **changes: Any) -> Stanza:
        options: dict[str, Any] = {
            "stanza": "shop",
            "repositories": self.planned_repositories(),
            "config": str(self.config),
            "log_path": str(self.home / "log"),
            "restore_directory": str(self.home / "restored"),
            **changes,
        }
        own: dict[str, Any] = {"port": self.port, "config_file": str(self.home / "postgresql.conf")}
        own["address"] = "127.0.0.1"
        return Stanza.from_options(options, self.member("db1", **own))

    def maker(self, **changes: Any) -> Maker:
        return Maker(SERVICE, self.stanza(**changes), None, self.run)

    def restorer(self, execute: Callable[[str, float], Any] | None = None, **changes: Any) -> Swapper:
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


def until(condition: Callable[[], Any], what: str, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
