# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The script that asks one member about a service's repositories, its archiver and its timer, and what it printed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.backup import read
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.schedule import timer_of
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Repository, Timer
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.act import psql
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import RUN_AS

#: Bound of each question to pgBackRest; one repository that hangs must not hide the others
ASK_SECONDS = 20.0

SERVER = r"""
select json_build_object('recovery', pg_is_in_recovery(), 'now', extract(epoch from clock_timestamp()),
  'timeline', (select timeline_id from pg_control_checkpoint()),
  'system_id', (select system_identifier::text from pg_control_system()),
  'archive_mode', current_setting('archive_mode'),
  'archive_timeout', (select setting::int from pg_settings where name = 'archive_timeout'),
  'ready', (select count(*) from pg_ls_archive_statusdir() where name like '%.ready'),
  'failing', (select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
      from pg_stat_archiver),
  'archived', (select extract(epoch from last_archived_time) from pg_stat_archiver));
"""


@dataclass(frozen=True)
class Answer:
    """What one member said."""

    repositories: tuple[Repository, ...]
    timer: Timer
    server: dict[str, Any] | None
    now: float | None
    system_ids: Mapping[int, str]
    versions: Mapping[int, str]
    #: the restore that this member holds beside its data, as it was noted
    restore: dict[str, Any] | None = None

    @property
    def archived_within(self) -> float | None:
        """PostgreSQL switches to a new segment by itself where anything was written; none waits to be archived."""
        server = self.server or {"recovery": True}
        if server["recovery"] or server["failing"] or server["ready"] or not server["archive_timeout"]:
            return None
        return float(server["archive_timeout"])


def script(stanza: Stanza, service: str) -> str:
    """Ask all of it at once; a repository that does not answer costs its own bound only."""
    cluster, timer = stanza.cluster, shlex.quote(timer_of(stanza))
    lines = [
        lease.FUNCTIONS,
        RUN_AS,
        lease.variables(service),
        "answers=$(mktemp -d) || exit 1\ntrap 'rm -rf \"$answers\"' EXIT",
        _bounded(cluster.as_user(stanza.info()), "info"),
        *[_bounded(cluster.as_user(stanza.list_archive(key)), f"archive_{key}") for key in stanza.repositories],
        f'( {psql(cluster, SERVER, 5, redirect="2>/dev/null ")} ) > "$answers/server" &',
        "wait",
        "echo @@now; date +%s",
        'echo @@info; cat "$answers/info"; echo',
        *[f'echo "@@archive {key}"; cat "$answers/archive_{key}"; echo' for key in stanza.repositories],
        'echo @@server; cat "$answers/server"; echo',
        f"echo @@timer; systemctl show -p LoadState -p ActiveState {timer}",
        f"echo @@started; systemctl show -p Result -p ActiveState {shlex.quote(timer_of(stanza, 'service'))}",
        'for file in "$state"/backup_proven_* "$state"/backup_verified_*; do',
        '  [ -e "$file" ] && { echo "@@note ${file##*/}"; cat "$file"; }',
        "done",
        'echo @@restore; cat "$state/restore" 2>/dev/null; echo',
    ]
    return "\n".join(lines) + "\n"


def _bounded(command: str, name: str) -> str:
    return f'timeout -k 1 {ASK_SECONDS:g} {command} </dev/null >"$answers/{name}" 2>/dev/null &'


def parse(stdout: str, stanza: Stanza) -> Answer:
    """Read what the script printed; what is not there stays unknown."""
    said = dict(read.sections(stdout))
    listings = {key: said.get(f"archive {key}", "") for key in stanza.repositories}
    notes = {name.removeprefix("note "): text for name, text in said.items() if name.startswith("note ")}
    server, timer, started = (
        json_of(said.get("server", "")),
        pairs(said.get("timer", "")),
        pairs(said.get("started", "")),
    )
    system_ids = read.system_ids(said.get("info", ""))
    found = tuple(
        replace(
            _of_this_cluster(each, system_ids.get(each.key), server),
            proven=_noted(notes.get(f"backup_proven_{each.key}")),
            verified=_noted(notes.get(f"backup_verified_{each.key}")),
        )
        for each in read.repositories(said.get("info", ""), listings, stanza.repositories)
    )
    installed = None if "LoadState" not in timer else timer["LoadState"] not in ("not-found", "masked")
    return Answer(
        repositories=found,
        timer=Timer(
            member=stanza.cluster.member,
            installed=installed,
            active=None if not timer.get("ActiveState") else timer["ActiveState"] == "active",
            failed=None if not started.get("ActiveState") else started["ActiveState"] == "failed",
            primary=bool(server and not server["recovery"]),
        ),
        server=server,
        now=float(said["now"]) if said.get("now", "").strip().isdigit() else None,
        system_ids=system_ids,
        versions=read.versions(said.get("info", "")),
        restore=json_of(said.get("restore", "")),
    )


def _of_this_cluster(copy: Repository, held: str | None, server: Mapping[str, Any] | None) -> Repository:
    """Another cluster's backups are none of this one, however good they are: the plan names a wrong stanza."""
    own = (server or {}).get("system_id")
    if own is None or held in (None, own):
        return copy
    message = f"it holds cluster {held}, the server here is {own}: does the plan name this cluster's stanza?"
    return replace(copy, reachable=False, message=message)


def pairs(text: str) -> dict[str, str]:
    """``Name=value`` lines of systemctl."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def json_of(text: str) -> dict[str, Any] | None:
    """The last object in a text, or None where there is none or it was cut off."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                return dict(json.loads(line))
            except ValueError:
                return None
    return None


def _noted(text: str | None) -> float | None:
    note = json_of(text or "") or {}
    return float(note["time"]) if isinstance(note.get("time"), (int, float)) else None
