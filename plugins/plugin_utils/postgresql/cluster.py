# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where one PostgreSQL cluster lives on its member, and the closed list of commands run there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A name in a connection string, where a space or a quote would begin another setting
_NAME = (re.compile(r"[A-Za-z0-9_.:-]+", re.ASCII), "letters, digits and _ . : -")
_UNIT = (re.compile(r"[A-Za-z0-9_.:@\\-]+", re.ASCII), "a unit of systemd")
_PATH = (re.compile(r"/[^\s\x00-\x1f\x7f]*"), "an absolute path without spaces")
_CLUSTER = (re.compile(r"[0-9]+/[A-Za-z0-9_-]+", re.ASCII), "<version>/<name>, for example 15/main")
_PATHS = ("data_directory", "config_file", "bin_directory", "socket_directory")
#: What a plan may say of a cluster, by key; a port has a type, which is checked where the plan is read.
_KEYS = {"cluster": _CLUSTER, "unit": _UNIT, "user": _NAME} | dict.fromkeys(_PATHS, _PATH)


def _checked(field: str, value: Any, allowed: tuple[re.Pattern[str], str]) -> Any:
    if not allowed[0].fullmatch(str(value)):
        raise ValueError(f"{field} {value!r}: give {allowed[1]}")
    return value


def malformed(options: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Every text of a plan's engine or member that names no cluster: by key what is there, and what is allowed.

    >>> malformed({"cluster": "15-main", "replication": {"user": "replicator"}})
    {'cluster': ('15-main', '<version>/<name>, for example 15/main')}
    """
    said = {key: options.get(key) for key in _KEYS}
    replication = options.get("replication")
    said["replication.user"] = replication.get("user") if isinstance(replication, Mapping) else None
    allowed = {**_KEYS, "replication.user": _NAME}
    wrong = {key: text for key, text in said.items() if isinstance(text, str) and not allowed[key][0].fullmatch(text)}
    return {key: (text, allowed[key][1]) for key, text in wrong.items()}


def _host(member: Mapping[str, Any]) -> str:
    if not member.get("host"):
        raise ValueError("host: give the name of the machine, which is also its name in replication")
    return str(member["host"])


def _port(member: Mapping[str, Any]) -> int:
    port = str(member.get("port") or 5432)
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"port {member['port']!r}: give a number from 1 to 65535")
    return int(port)


@dataclass(frozen=True)
class Upstream:
    """The server a replica follows, as its ``primary_conninfo`` names it. Raises ValueError for anything but names."""

    host: str
    port: int
    user: str = "replicator"

    def __post_init__(self) -> None:
        _checked("host", self.host, _NAME)
        _checked("user", self.user, _NAME)

    @classmethod
    def from_member(cls, member: Mapping[str, Any]) -> Upstream:
        """The replication address of a plan's member, or the one that clients use."""
        host = member.get("replication_address") or member.get("address") or _host(member)
        user = (member.get("replication") or {}).get("user") or "replicator"
        return cls(str(host), _port(member), str(user))

    def conninfo(self, application_name: str) -> str:
        """Connection string without a password: that stays in the member's own password file."""
        name = _checked("application_name", application_name, _NAME)
        return f"host={self.host} port={self.port} user={self.user} application_name={name}"

    def source(self) -> str:
        """Connection string for a copy or a rewind."""
        return f"host={self.host} port={self.port} user={self.user} dbname=postgres connect_timeout=3"


@dataclass(frozen=True)
class Cluster:
    """One cluster as Debian lays it out; every part can be set per member.

    Example: ``Cluster.from_member({"host": "db1", "cluster": "15/main", "port": 5432})``.
    """

    member: str
    version: str
    name: str
    port: int
    data_directory: str
    config_file: str
    bin_directory: str
    unit: str
    socket_directory: str = "/var/run/postgresql"
    user: str = "postgres"

    def __post_init__(self) -> None:
        _checked("host", self.member, _NAME)
        _checked("user", self.user, _NAME)
        _checked("unit", self.unit, _UNIT)
        for field in _PATHS:
            _checked(field, getattr(self, field), _PATH)

    @classmethod
    def from_member(cls, options: Mapping[str, Any]) -> Cluster:
        """Fill what the plan leaves out. Raises ValueError with the field that is missing or malformed."""
        version, _slash, name = str(_checked("cluster", options.get("cluster"), _CLUSTER)).partition("/")
        return cls(
            member=_host(options),
            version=version,
            name=name,
            port=_port(options),
            data_directory=options.get("data_directory") or f"/var/lib/postgresql/{version}/{name}",
            config_file=options.get("config_file") or f"/etc/postgresql/{version}/{name}/postgresql.conf",
            bin_directory=options.get("bin_directory") or f"/usr/lib/postgresql/{version}/bin",
            unit=options.get("unit") or f"postgresql@{version}-{name}.service",
            socket_directory=options.get("socket_directory") or "/var/run/postgresql",
            user=options.get("user") or "postgres",
        )

    @property
    def kept_directory(self) -> str:
        """Where the old data is kept when a member is cloned anew beside it."""
        return f"{self.data_directory}.kept"

    @property
    def new_directory(self) -> str:
        """Where a clone is copied to, until it is whole and takes the old data's place."""
        return f"{self.data_directory}.new"

    # The closed list: every command that runs with other rights than the login's. Each is literal once the
    # cluster and its upstreams are known, so a sudoers file can name them one by one (see sudo_rules).
    def psql(self) -> list[str]:
        """Run statements from standard input over the local socket, up to the first that fails; print bare rows."""
        flags = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.socket_directory, "-p", str(self.port)]
        return [f"{self.bin_directory}/psql", *flags, "-d", "postgres", "-f", "-"]

    def replication_login(self, upstream: Upstream) -> list[str]:
        """Try whether this member could follow ``upstream`` with the password it has; at most 2 s to connect."""
        login = f"host={upstream.host} port={upstream.port} user={upstream.user} replication=1 connect_timeout=2"
        return [f"{self.bin_directory}/psql", "-XAtq", "-w", login, "-c", "IDENTIFY_SYSTEM"]

    def controldata(self) -> list[str]:
        """Read the control file: all that a stopped server still says of itself."""
        return [f"{self.bin_directory}/pg_controldata", "-D", self.data_directory]

    def status(self) -> list[str]:
        """Ask for the postmaster, whether it answers clients or not: exit code 0 runs, 3 does not run, 4 no data."""
        return [f"{self.bin_directory}/pg_ctl", "status", "-D", self.data_directory]

    def stop(self) -> list[str]:
        """Begin a clean shutdown that ends sessions and sends replicas all they lack; do not wait for its end."""
        return [f"{self.bin_directory}/pg_ctl", "stop", "-W", "-m", "fast", "-D", self.data_directory]

    def stop_now(self) -> list[str]:
        """End a shutdown that hangs on a standby that is gone. Nothing is lost: the same data recovers at its start."""
        return [f"{self.bin_directory}/pg_ctl", "stop", "-m", "immediate", "-D", self.data_directory]

    def standby_signal(self) -> str:
        """Path of the file whose presence makes the data start as a replica."""
        return f"{self.data_directory}/standby.signal"

    def recovery_settings(self) -> str:
        """Path of the settings that the server itself writes, read last of all: where an upstream is named."""
        return f"{self.data_directory}/postgresql.auto.conf"

    def rewind(self, upstream: Upstream) -> list[str]:
        """Take stopped data back to where its timeline and the one of ``upstream`` parted, and on from there."""
        # The configuration lives outside the data directory on Debian: without --config-file the crash
        # recovery that pg_rewind runs first would find none.
        target = ["--target-pgdata", self.data_directory, "--config-file", self.config_file]
        return [f"{self.bin_directory}/pg_rewind", *target, "--source-server", upstream.source()]

    def clone(self, upstream: Upstream) -> list[str]:
        """Copy ``upstream`` whole into the new directory, which must not be there."""
        flags = ["-X", "stream", "-c", "fast", "-w"]
        return [f"{self.bin_directory}/pg_basebackup", "-D", self.new_directory, *flags, "-d", upstream.source()]

    def long_unit(self) -> str:
        """The transient unit that long work (rewind, clone) runs as: it outlives a controller that dies."""
        return f"continuity-{self.version}-{self.name}.service"

    def long_run(self, command: list[str]) -> list[str]:
        """Begin ``command`` as the transient unit and return once it runs; its end is the unit's result."""
        flags = ["--quiet", f"--unit={self.long_unit()}", f"--uid={self.user}", "--property=Type=exec"]
        return ["/usr/bin/systemd-run", *flags, *command]

    def as_user(self, command: list[str]) -> str:
        """Shell text that runs ``command`` as the database's user ($as: see observe.RUN_AS)."""
        return f"$as -u {shlex.quote(self.user)} -- {shlex.join(command)}"

    def as_root(self, command: list[str]) -> str:
        """Shell text that runs ``command`` with root's rights."""
        return f"$root {shlex.join(command)}"


def sudo_rules(cluster: Cluster, upstreams: list[Upstream], login: str) -> list[str]:
    """The sudoers lines a login needs on this member, and no more; ``docs/rights.md`` shows them."""
    data = cluster.data_directory
    as_database = [
        cluster.psql(),
        cluster.controldata(),
        cluster.status(),
        cluster.stop(),
        cluster.stop_now(),
        ["/usr/bin/touch", cluster.standby_signal()],
        ["/usr/bin/rm", "-f", cluster.standby_signal()],
        ["/usr/bin/test", "-e", cluster.standby_signal()],
        ["/usr/bin/tee", "-a", cluster.recovery_settings()],
        ["/usr/bin/test", "-e", data],
        ["/usr/bin/test", "-e", cluster.kept_directory],
        ["/usr/bin/rm", "-rf", cluster.new_directory],
        ["/usr/bin/mv", "-T", data, cluster.kept_directory],
        ["/usr/bin/mv", "-T", cluster.new_directory, data],
        *[cluster.replication_login(upstream) for upstream in upstreams],
    ]
    as_root = [["/usr/bin/systemctl", verb, cluster.unit] for verb in ("start", "stop", "mask", "unmask")]
    as_root += [["/usr/bin/systemctl", "reset-failed", cluster.long_unit()]]
    for upstream in upstreams:
        as_root += [cluster.long_run(cluster.rewind(upstream)), cluster.long_run(cluster.clone(upstream))]
    lines = [sudo_line(login, cluster.user, command) for command in as_database]
    return lines + [sudo_line(login, "root", command) for command in as_root]


def sudo_line(login: str, user: str, command: list[str]) -> str:
    """One line of a sudoers file: this command, literally, and no other."""
    return f"{login} ALL=({user}) NOPASSWD: {_escaped(command)}"


def _escaped(command: list[str]) -> str:
    """Sudoers reads , : = and backslash specially, and a wildcard as one."""
    return " ".join("".join(f"\\{c}" if c in ",:=\\*?[]!" else c for c in word) for word in command)
