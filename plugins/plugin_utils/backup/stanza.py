# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where one stanza of pgBackRest and a restored cluster live on a member, and the closed list of commands run there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Kind
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster

_STANZA = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)
_PATH = re.compile(r"/[^\s\x00-\x1f\x7f:;'\"%]+")
PROGRAM = "/usr/bin/pgbackrest"
LOG_PATH = "/var/log/pgbackrest"
#: How much of a log is read, from its end
READ_BYTES = 4_000_000

#: What a restored server must not do before it was looked at: be reached, archive, replicate, start what is its own.
ISOLATED = {
    "listen_addresses": "",
    "archive_mode": "off",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "synchronous_standby_names": "",
    "max_logical_replication_workers": "0",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "autovacuum": "off",
    # Programs that a standby had run, such as one that deletes from the archive
    "archive_cleanup_command": "",
    "recovery_end_command": "",
    # Damage that ends a process would be met again and again
    "restart_after_crash": "off",
    "ssl": "off",
    "hot_standby": "on",
    "recovery_target_action": "pause",
    # The log is evidence: where it is and how it is written must not depend on what was restored
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_destination": "stderr",
    "log_filename": "postgresql.log",
    "log_file_mode": "0600",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
    "log_min_messages": "warning",
    "log_line_prefix": "%m:",
    "external_pid_file": "",
}


@dataclass(frozen=True)
class Stanza:
    """One stanza on one member, and the data directory that a restore fills beside the production one."""

    name: str
    cluster: Cluster
    repositories: Mapping[int, str]
    aside: str
    program: str = PROGRAM
    config: str = ""
    log_path: str = LOG_PATH

    def __post_init__(self) -> None:
        if not _STANZA.fullmatch(self.name):
            raise ValueError(f"stanza {self.name!r}: give letters, digits, hyphens and underscores")
        if not self.repositories:
            raise ValueError("repositories: give at least one, for example [{key: 1, site: dc1}]")
        for field in ("aside", "program", "log_path"):
            if not _PATH.fullmatch(getattr(self, field)) or "/../" in f"{getattr(self, field)}/":
                raise ValueError(f"{field} {getattr(self, field)!r}: give an absolute path of plain letters")
        data = self.cluster.data_directory
        for field, path in (("aside", self.aside), ("data_directory", data)):
            if posixpath.normpath(path) != path or path.startswith("//"):  # else two names of one place would differ
                raise ValueError(f"{field} {path!r}: give it without //, . and a last /")
        live = f"{data}/"
        if f"{self.aside}/".startswith(live) or live.startswith(f"{self.aside}/"):
            raise ValueError(f"restore directory {self.aside!r}: is or holds the data directory; give another one")

    @classmethod
    def from_options(cls, backup: Mapping[str, Any], member: Mapping[str, Any]) -> Stanza:
        """Read a plan's ``backup`` and one of its members. Raises ValueError with the field that is wrong."""
        cluster = Cluster.from_member(member)
        keys: dict[int, str] = {}
        for entry in backup.get("repositories") or ():
            key = str(entry.get("key", ""))
            if not (key.isascii() and key.isdigit() and 1 <= int(key) <= 256):
                raise ValueError(
                    f"repositories: key {entry.get('key')!r}: give the number of pgBackRest's repoN, 1 to 256"
                )
            keys[int(key)] = str(entry.get("site") or "")
        aside = (
            member.get("restore_directory") or backup.get("restore_directory") or f"{cluster.data_directory}.restored"
        )
        return cls(
            name=str(backup.get("stanza") or ""),
            cluster=cluster,
            repositories=keys,
            aside=str(aside),
            program=str(backup.get("program") or PROGRAM),
            config=str(backup.get("config") or ""),
            log_path=str(backup.get("log_path") or LOG_PATH),
        )

    @property
    def run_directory(self) -> str:
        """What a restore needs beside the data: its settings, its socket, its log, and the proof that it is ours."""
        return f"{self.aside}.run"

    @property
    def tablespaces(self) -> str:
        """Where a restore puts the tablespaces of the backup; not there where it has none."""
        return f"{self.run_directory}/tablespaces"

    @property
    def environment(self) -> str:
        """Path of the options of a restore. Only this file differs between restores, so every command is literal."""
        return f"{self.run_directory}/restore.env"

    @property
    def restored(self) -> Cluster:
        """The restored cluster, reached over a socket of its own only."""
        return replace(
            self.cluster,
            data_directory=self.aside,
            socket_directory=self.run_directory,
            unit=self.unit("restored"),
            config_file=f"{self.run_directory}/postgresql.conf",
        )

    @property
    def kept(self) -> str:
        """Where a restore in place keeps the data that was there."""
        return f"{self.cluster.data_directory}.before-restore"

    def unit(self, what: str) -> str:
        """A transient unit: it outlives a controller that dies."""
        return f"continuity-{what}-{self.cluster.version}-{self.cluster.name}.service"

    def long(self, what: str, command: list[str], *properties: str) -> list[str]:
        """Begin ``command`` as a transient unit and return once it runs.

        It stays after its end (RemainAfterExit): a unit that is gone would look like one that succeeded.
        """
        flags = ["--quiet", f"--unit={self.unit(what)}", f"--uid={self.cluster.user}", "--property=Type=exec"]
        flags.append("--property=RemainAfterExit=yes")
        return ["/usr/bin/systemd-run", *flags, *(f"--property={each}" for each in properties), *command]

    def pgbackrest(self, *words: str) -> list[str]:
        """A command of pgBackRest for this stanza."""
        config = [f"--config={self.config}"] if self.config else []
        return [self.program, *config, f"--stanza={self.name}", *words]

    def info(self) -> list[str]:
        """Say what all repositories hold."""
        return self.pgbackrest("--output=json", "info")

    def list_archive(self, key: int) -> list[str]:
        """Name every file of the log archive in one repository."""
        return self.pgbackrest(f"--repo={key}", "--output=json", "--recurse", "repo-ls", f"archive/{self.name}")

    def make(self, key: int, kind: Kind) -> list[str]:
        """Make a backup in one repository."""
        return self.long(
            "backup", self.pgbackrest(f"--repo={key}", f"--type={kind}", "--log-level-file=info", "backup")
        )

    def verify(self, key: int) -> list[str]:
        """Read every file of one repository again; what it found is in its log."""
        words = (f"--repo={key}", "--output=text", "--verbose", "--log-level-file=info", f"--log-path={self.log_path}")
        return self.long("verify", self.pgbackrest(*words, "verify"))

    def restore(self) -> list[str]:
        """Fill the restore directory; a second run goes on where the first was cut off (``--delta``)."""
        words = [f"--pg1-path={self.aside}", "--delta", "--archive-mode=off", "--log-level-file=info"]
        # A backup names where tablespaces and links were: on this machine those are production's
        words += [
            "--reset-tablespace-map",
            f"--tablespace-map-all={self.tablespaces}",
            "--no-link-all",
            "--reset-link-map",
        ]
        words += [f"--log-path={self.run_directory}", f"--lock-path={self.run_directory}", "restore"]
        return self.long("restore", self.pgbackrest(*words), f"EnvironmentFile={self.environment}")

    def serve(self) -> list[str]:
        """Start the restored server, isolated: what is set here wins over whatever was restored."""
        own = {
            **ISOLATED,
            "port": str(self.cluster.port),
            "unix_socket_directories": self.run_directory,
            "hba_file": f"{self.run_directory}/pg_hba.conf",
            "ident_file": f"{self.run_directory}/pg_ident.conf",
            "log_directory": self.run_directory,
            "cluster_name": "restored",
        }
        settings = [word for name, value in own.items() for word in ("-c", f"{name}={value}")]
        where = ["-D", self.aside, f"--config-file={self.run_directory}/postgresql.conf"]
        return self.long("restored", [f"{self.cluster.bin_directory}/postgres", *where, *settings], "KillMode=mixed")

    def stop_restored(self) -> list[str]:
        """Stop the restored server and wait for it."""
        return [f"{self.cluster.bin_directory}/pg_ctl", "stop", "-w", "-m", "fast", "-D", self.aside]

    def dump(self) -> list[str]:
        """Read every row of the restored server once."""
        where = [
            "-h",
            self.run_directory,
            "-p",
            str(self.cluster.port),
            "--no-unlogged-table-data",
            "--no-sync",
            "-f",
            "/dev/null",
        ]
        return self.long("dump", [f"{self.cluster.bin_directory}/pg_dumpall", *where])

    def checksums(self) -> list[str]:
        """Check every page of the stopped restored data against its checksum."""
        return self.long("checksums", [f"{self.cluster.bin_directory}/pg_checksums", "--check", "-D", self.aside])

    def fetched(self, key: int) -> str:
        """Where the log of one repository is fetched to, ahead of the recovery that reads it."""
        return f"{self.run_directory}/spool{key}"

    def archive_get(self, key: int) -> str:
        """How the restored server fetches the log: from the repository that is being proven and from no other.

        It is fetched ahead, to a place of this repository's own, and not to production's.
        """
        words = [f"--repo={key}", "--archive-async", f"--spool-path={self.fetched(key)}", f"--pg1-path={self.aside}"]
        words += [f"--log-path={self.run_directory}", f"--lock-path={self.run_directory}"]
        return " ".join([*self.pgbackrest(*words, "archive-get", "%f"), '"%p"'])

    def forget_fetched(self) -> list[str]:
        """Delete what an earlier restore fetched: also that something was missing, which it may no longer be."""
        return ["/usr/bin/rm", "-rf", *(self.fetched(key) for key in self.repositories)]

    def recover_again(self) -> list[str]:
        """Have the data in place end its recovery once more, where the archive hears of the new timeline."""
        return ["/usr/bin/touch", f"{self.cluster.data_directory}/recovery.signal"]

    def clean_for_start(self, settings: str) -> list[str]:
        """Take out of the server's own settings what kept a restored server apart."""
        return ["/usr/bin/sed", "-i", "-e", "/^archive_mode = .off.$/d", "-e", "/^restore_command/d", settings]

    def clean_after_start(self, settings: str) -> list[str]:
        """Take out what only the recovery needed."""
        return ["/usr/bin/sed", "-i", "-e", "/^recovery_target/d", "-e", "/^restore_command/d", settings]
