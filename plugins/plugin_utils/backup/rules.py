# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sudoers lines that backups and restores need on a member, and no more."""

from __future__ import annotations

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import READ_BYTES, Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import KINDS
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import sudo_line

#: The transient units, by what they do
UNITS = ("backup", "verify", "restore", "restored", "dump", "checksums")


def as_database(stanza: Stanza) -> list[list[str]]:
    """Every command that runs as the database's user."""
    cluster, aside, run = stanza.cluster, stanza.aside, stanza.run_directory
    restored, auto = stanza.restored, cluster.recovery_settings()
    logs = [
        *(f"{stanza.log_path}/{stanza.name}-{what}.log" for what in ("backup", "verify")),
        f"{run}/{stanza.name}-restore.log",
        f"{run}/postgresql.log",
    ]
    written = ("restore.env", "pg_hba.conf", "pg_ident.conf", "postgresql.conf")
    return [
        stanza.info(),
        *(stanza.list_archive(key) for key in stanza.repositories),
        restored.psql(),
        restored.controldata(),
        restored.status(),
        stanza.stop_restored(),
        *(["/usr/bin/tail", "-c", str(READ_BYTES), path] for path in logs),
        *(["/usr/bin/tee", f"{run}/{name}"] for name in written),
        ["/usr/bin/mkdir", "-p", "-m", "700", aside, run],
        ["/usr/bin/find", aside, "-mindepth", "1", "-maxdepth", "1"],
        ["/usr/bin/du", "-sb", aside],
        stanza.forget_fetched(),
        ["/usr/bin/rm", "-f", f"{run}/postgresql.log"],
        ["/usr/bin/rm", "-f", f"{aside}/postmaster.pid"],
        ["/usr/bin/rm", "-rf", aside, run],
        ["/usr/bin/rm", "-rf", run],
        ["/usr/bin/rm", "-rf", stanza.kept],
        ["/usr/bin/test", "-s", f"{aside}/global/pg_control"],
        ["/usr/bin/find", cluster.data_directory, "-mindepth", "1", "-maxdepth", "1"],
        *(["/usr/bin/test", "-e", path] for path in (aside, stanza.kept, stanza.tablespaces, cluster.config_file)),
        *(["/usr/bin/test", "-e", f"{path}/PG_VERSION"] for path in (aside, cluster.data_directory)),
        stanza.recover_again(),
        ["/usr/bin/mv", "-T", cluster.data_directory, stanza.kept],
        ["/usr/bin/mv", "-T", aside, cluster.data_directory],
        ["/usr/bin/mv", "-T", cluster.data_directory, aside],
        ["/usr/bin/mv", "-T", stanza.kept, cluster.data_directory],
        stanza.clean_for_start(auto),
        stanza.clean_after_start(auto),
    ]


def as_root(stanza: Stanza) -> list[list[str]]:
    """Every command that runs with root's rights: the transient units, which run as the database's user."""
    begun = [stanza.make(key, kind) for key in stanza.repositories for kind in KINDS]
    begun += [stanza.verify(key) for key in stanza.repositories]
    begun += [stanza.restore(), stanza.serve(), stanza.dump(), stanza.checksums()]
    control = [["/usr/bin/systemctl", verb, stanza.unit(what)] for what in UNITS for verb in ("stop", "reset-failed")]
    return begun + control


def sudo_rules(stanza: Stanza, login: str) -> list[str]:
    """The lines for one member; what the engine's own lines allow (its psql, its stop and start) is not repeated."""
    lines = [sudo_line(login, stanza.cluster.user, command) for command in as_database(stanza)]
    return lines + [sudo_line(login, "root", command) for command in as_root(stanza)]
