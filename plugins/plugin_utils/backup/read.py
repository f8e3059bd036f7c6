# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What pgBackRest and a recovering server print, as values. Nothing here judges."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import (
    Archive,
    Backup,
    Repository,
    segment_size,
)

_SEGMENT = re.compile(r"(?:^|/)([0-9A-F]{24})-[0-9a-f]{40}(?:\.[a-z0-9]+)?$")
_HISTORY = re.compile(r"(?:^|/)([0-9A-F]{8})\.history$")
_CHECKED = re.compile(r"archiveId: (\S+), total WAL checked: (\d+), total valid WAL: (\d+)")
_OF_BACKUP = re.compile(r"backup: (\S+), status: (.+?), total files checked: (\d+), total valid files: (\d+)")
_COUNTS = re.compile(r"(missing|checksum invalid|size invalid|other): (\d+)")


def repositories(info: str, listings: Mapping[int, str], sites: Mapping[int, str]) -> tuple[Repository, ...]:
    """Every repository of the plan, from ``info`` and the listings of their archives. Missing text is no answer."""
    stanza = _stanza(info)
    said = {int(each["key"]): each.get("status") or {} for each in stanza.get("repo") or ()}
    found = []
    for key, site in sites.items():
        status = said.get(key) or {"code": 99, "message": "pgBackRest does not know it" if stanza else "no answer"}
        backups = tuple(_backup(each) for each in stanza.get("backup") or () if _key(each) == key)
        # 0 is ok; 1 and 2 say that there is no stanza or no backup yet: it was read, and is empty
        reachable = int(status.get("code", 99)) in (0, 1, 2, 3)
        message = str(status.get("message", "unknown"))
        found.append(Repository(key, site, reachable, message, backups, archive(listings.get(key, ""), backups)))
    return tuple(found)


def system_ids(info: str) -> dict[int, str]:
    """The system identifier of the newest database in each repository."""
    return {_key({"database": each}): str(each.get("system-id")) for each in _stanza(info).get("db") or ()}


def versions(info: str) -> dict[int, str]:
    """The major version of the newest database in each repository."""
    return {_key({"database": each}): str(each.get("version")) for each in _stanza(info).get("db") or ()}


def _stanza(info: str) -> dict[str, Any]:
    try:
        found = json.loads(info)
        return dict(found[0]) if found else {}
    except (ValueError, TypeError, KeyError, IndexError):
        return {}


def _key(entry: Mapping[str, Any]) -> int:
    return int((entry.get("database") or {}).get("repo-key", 1))


def _backup(entry: Mapping[str, Any]) -> Backup:
    archived, when, info = entry.get("archive") or {}, entry["timestamp"], entry.get("info") or {}
    lsn = entry.get("lsn") or {}
    return Backup(
        label=str(entry["label"]),
        kind=entry["type"],
        started=float(when["start"]),
        stopped=float(when["stop"]),
        wal_start=str(archived.get("start") or ""),
        wal_stop=str(archived.get("stop") or ""),
        lsn_start=position(lsn.get("start") or "0/0"),
        lsn_stop=position(lsn.get("stop") or "0/0"),
        size=int(info.get("size") or 0),
        repository_size=int((info.get("repository") or {}).get("size") or info.get("size") or 0),
        error=bool(entry.get("error")),
        references=tuple(entry.get("reference") or ()),
    )


def position(text: str) -> int:
    """A place in the log in bytes.

    >>> position("1/A0")
    4294967456
    """
    high, _slash, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def archive(listing: str, backups: Sequence[Backup]) -> Archive | None:
    """The archive of one repository from its listing; None where there is none or it was not read."""
    try:
        names = dict(json.loads(listing))
    except (ValueError, TypeError):
        return None
    segments: dict[str, float] = {}
    timelines: set[int] = set()
    for name, entry in names.items():
        if match := _SEGMENT.search(name):
            # A segment of no bytes holds nothing, whatever its name says
            if int(entry.get("size", 0)) > 0:
                segments[match[1]] = float(entry["time"])
        elif match := _HISTORY.search(name):
            timelines.add(int(match[1], 16))
    return Archive(segments, frozenset(timelines), segment_size(backups)) if names else None


@dataclass(frozen=True)
class Verified:
    """What `pgbackrest verify` said: everything that it names as wrong, and the backups it found whole."""

    ended: bool
    labels: frozenset[str] = frozenset()
    wrong: tuple[str, ...] = ()
    files: int = 0

    def missing(self, backups: Sequence[Backup]) -> tuple[str, ...]:
        """Backups that the repository lists and of which verify found nothing: it passes over what is not there."""
        return tuple(each.label for each in backups if each.label not in self.labels)


def verified(log: str) -> Verified:
    """Read the last run in the log of `verify`, which ends with exit code 0 whatever it found."""
    said = log.rpartition("verify command begin")[2].splitlines()
    wrong: list[str] = []
    labels: set[str] = set()
    files, about, ok, ended = 0, "the repository", False, False
    for line in map(str.strip, said):
        ended = ended or "verify command end: completed successfully" in line
        ok = ok or line == "status: ok"
        if match := _CHECKED.search(line):
            about = f"archive {match[1]}"
        elif match := _OF_BACKUP.search(line):
            about, files = f"backup {match[1]}", files + int(match[3])
            labels.add(match[1])
            if match[2] != "valid":
                wrong.append(f"{about} is {match[2]}")
        else:
            wrong += [f"{about}: {count} {what}" for what, count in _COUNTS.findall(line) if count != "0"]
            if line.startswith("No usable") or " ERROR: " in line:
                wrong.append(line.partition("ERROR: ")[2] or line)
    if ended and not ok and not wrong:
        wrong.append("it did not say that the repository is ok")
    return Verified(ended, frozenset(labels), tuple(dict.fromkeys(wrong)), files)


@dataclass(frozen=True)
class Recovery:
    """What the log of a restored server says of its recovery."""

    stopped: str = ""
    stopped_at: float | None = None
    consistent: bool = False
    last_commit: float | None = None
    last_segment: str = ""
    promoted: bool = False
    paused: bool = False
    fatal: str = ""
    problems: tuple[str, ...] = field(default=())


_STOPPED = re.compile(r"recovery stopping (?:before|after|at) .*")
_AT = re.compile(r"(?:, time |at log time )(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\+(\d\d)")
_RESTORED = re.compile(r'restored log file "([0-9A-F]{24})" from archive')


def recovery(log: str) -> Recovery:
    """Read a whole log, oldest line first."""
    stopped, fatal, segment = "", "", ""
    at: float | None = None
    last: float | None = None
    wrong = []
    for line in log.splitlines():
        if match := _STOPPED.search(line):
            stopped, at = match[0], _time(line)
        elif "last completed transaction was at log time" in line:
            last = _time(line)
        elif match := _RESTORED.search(line):
            segment = match[1]
        elif "FATAL:" in line and "the database system is" not in line:
            fatal = line.partition("FATAL:")[2].strip()
        elif "PANIC:" in line or "page verification failed" in line or "invalid page" in line:
            wrong.append(line.strip())
    return Recovery(
        stopped=stopped,
        stopped_at=at,
        consistent="consistent recovery state reached" in log,
        last_commit=last,
        last_segment=segment,
        promoted="archive recovery complete" in log,
        paused="pausing at the end of recovery" in log,
        fatal=fatal,
        problems=tuple(wrong),
    )


def _time(line: str) -> float | None:
    """The server logs in the time zone that the restored settings give it; only whole hours are read."""
    match = _AT.search(line)
    if not match:
        return None
    return datetime.fromisoformat(f"{match[1]}+{match[2]}:00").astimezone(UTC).timestamp()


def sections(stdout: str) -> Iterator[tuple[str, str]]:
    """Split what a script printed at its ``@@name`` lines; a name may come several times."""
    name = ""
    lines: list[str] = []
    for line in stdout.splitlines():
        if line.startswith("@@"):
            if name:
                yield name, "\n".join(lines)
            name, lines = line.removeprefix("@@"), []
        else:
            lines.append(line)
    if name:
        yield name, "\n".join(lines)
