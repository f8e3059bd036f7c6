# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backup, from which copy and along which timeline, serves a restore target; or every reason why none does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Archive, Backup, Repository, gaps
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal

TargetKind = Literal["latest", "last_clean", "time", "lsn", "name"]
ALLOWED = "latest, last_clean, a time with its zone (2026-11-22T02:10:00Z), lsn=0/16B3748 or name=<restore point>"

#: Repositories keep whole seconds: what is noted as 7 may have happened until 8
CLOCK_SECONDS = 1.0

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_LSN = re.compile(r"(?P<high>[0-9A-Fa-f]{1,8})/(?P<low>[0-9A-Fa-f]{1,8})", re.ASCII)
# A restore point's name travels in an environment file and a server's log: no quote, no backslash, no line break
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,62}", re.ASCII)


@dataclass(frozen=True)
class Target:
    """What the data is to be brought back to. ``value`` as PostgreSQL reads it; ``at`` its place in time or log."""

    kind: TargetKind
    value: str = ""
    at: float | int | None = None

    def __str__(self) -> str:
        if self.kind in ("latest", "last_clean"):
            return self.kind
        return self.value if self.kind == "time" else f"{self.kind}={self.value}"


@dataclass(frozen=True)
class Choice:
    """A way to reach the target."""

    repository: int
    backup: Backup
    timeline: int
    target: Target
    #: the newest segment that recovery can read: where ``latest`` must have come to
    last_segment: int


def target_of(text: object) -> Target:
    """Read what an operator wrote. Raises ValueError with the value and what is allowed.

    >>> target_of("2026-11-22T03:10:00+01:00").value
    '2026-11-22 02:10:00.000000+00'
    >>> target_of("lsn=1/a0")
    Target(kind='lsn', value='1/A0', at=4294967456)
    """
    written = text.isoformat() if isinstance(text, datetime) else str(text).strip()
    kind, equals, value = written.partition("=")
    if written in ("latest", "last_clean"):
        return Target("latest" if written == "latest" else "last_clean")
    if equals and kind == "lsn" and (match := _LSN.fullmatch(value)):
        return Target("lsn", value.upper(), (int(match["high"], 16) << 32) + int(match["low"], 16))
    if equals and kind == "name" and _NAME.fullmatch(value):
        return Target("name", value)
    match = _TIME.fullmatch(written)
    if match and not match["zone"]:
        raise ValueError(f'"{written}" has no time zone; allowed: {ALLOWED}')
    try:
        at = datetime.fromisoformat(written.upper()).astimezone(UTC) if match else None
    except (ValueError, OverflowError):  # the 30th of February, the hour 25
        at = None
    if at is None:
        raise ValueError(f'"{written}" is no restore target; allowed: {ALLOWED}')
    return Target("time", at.strftime("%Y-%m-%d %H:%M:%S.%f+00"), at.timestamp())


def choose(
    repositories: Sequence[Repository], target: Target, timeline: int | None = None, only: int | None = None
) -> Choice | tuple[Refusal, ...]:
    """The first copy in order that can serve the target, or every reason against each of them.

    Of the latest, the copy whose archive goes on for longest: one may have been left behind days ago.

    ``timeline``: the branch to follow; None takes the newest one in the copy's archive. ``only``: one copy's key.
    """
    wanted = [each for each in repositories if only is None or each.key == only]
    if not wanted:
        known = ", ".join(str(each.key) for each in repositories) or "none"
        return (Refusal("no_such_repository", str(only), known, "there is no such repository", "name one of them"),)
    found = [_from(repository, target, timeline) for repository in wanted]
    choices = [each for each in found if isinstance(each, Choice)]
    if not choices:
        return tuple(each for each in found if isinstance(each, Refusal))
    return choices[0] if target.kind != "latest" else max(choices, key=lambda each: (each.timeline, each.last_segment))


def _from(copy: Repository, target: Target, timeline: int | None) -> Choice | Refusal:
    name = f"repository {copy.key}"
    if not copy.reachable:
        hint = "repair it, or restore from another one"
        return Refusal("repository_unreachable", copy.message, "ok", f"{name} cannot be read", hint)
    if not copy.usable:
        held = f"{len(copy.backups)} unusable" if copy.backups else "none"
        return Refusal("no_backup", held, "a usable backup", f"{name} holds none", "restore from another repository")
    if copy.archive is None or not copy.archive.segments:
        return Refusal("no_archive", "none", "archived log", f"{name} holds no log", "restore from another repository")
    branch = copy.archive.newest_timeline if timeline is None else timeline
    known = sorted({*copy.archive.timelines, *(int(each[:8], 16) for each in copy.archive.segments)})
    if branch is None or branch not in known:
        limit = ", ".join(map(str, known))
        hint = "name a timeline that is there"
        return Refusal("timeline_not_archived", str(branch), limit, f"{name} does not know the timeline", hint)
    return _serving(copy, copy.archive, target, branch)


def _serving(copy: Repository, archive: Archive, target: Target, timeline: int) -> Choice | Refusal:
    """Of the backups before the target, the newest one from which the log reaches it without a gap."""
    name, have = f"repository {copy.key}", archive.along(timeline)
    before = [each for each in copy.usable if each.timeline <= timeline and _is_before(each, target)]
    if not before:
        oldest = min(copy.usable, key=lambda backup: backup.stopped)
        hint = f"the earliest target is the end of {oldest.label}"
        message = f"every backup of {name} is younger than the target"
        return Refusal("target_before_backup", str(target), _end_of(oldest, target), message, hint)
    newest, last = max(have.values()), max(have)
    if _is_after(archive, have, target):
        limit = _time(newest) if target.kind == "time" else f"segment {last}"
        hint = "have the primary archive what it wrote (select pg_switch_wal()), or choose an earlier target"
        return Refusal("target_not_archived", str(target), limit, f"the archive of {name} ends before it", hint)
    until = _last_needed(archive, have, target)
    whole = [each for each in before if not gaps(archive, each.wal_start, timeline, until)]
    if not whole:
        missing = gaps(archive, max(before, key=lambda each: each.stopped).wal_start, timeline, until)
        hint = "choose a target before the gap, or restore from another repository"
        message = f"segment {missing[0]} of the log is missing in {name}"
        return Refusal("archive_gap", f"{len(missing)} segments", "0", message, hint)
    return Choice(copy.key, max(whole, key=lambda each: each.stopped), timeline, target, last)


def _is_before(backup: Backup, target: Target) -> bool:
    """A backup is whole only at its end, so a target must not lie before that."""
    if target.kind == "time":
        return backup.stopped + CLOCK_SECONDS <= float(target.at or 0)
    return target.kind != "lsn" or backup.lsn_stop <= int(target.at or 0)


def _is_after(archive: Archive, have: dict[int, float], target: Target) -> bool:
    if target.kind == "time":
        return float(target.at or 0) >= max(have.values()) + CLOCK_SECONDS
    return target.kind == "lsn" and int(target.at or 0) // archive.segment_size > max(have)


def _last_needed(archive: Archive, have: dict[int, float], target: Target) -> int | None:
    """The last segment that recovery to the target reads; None: as far as there is any, or nobody can tell."""
    if target.kind == "lsn":
        return int(target.at or 0) // archive.segment_size
    if target.kind == "time":
        # Commits of a segment are older than its archiving, so the first one archived after the target holds it
        return min((number for number, archived in have.items() if archived >= float(target.at or 0)), default=None)
    return None


def _end_of(backup: Backup, target: Target) -> str:
    if target.kind == "lsn":
        return f"{backup.lsn_stop >> 32:X}/{backup.lsn_stop & 0xFFFFFFFF:X} or later"
    return f"after {_time(backup.stopped)}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def at_time(seconds: float) -> Target:
    """The target of a moment, in seconds since 1970.

    >>> at_time(1795313400.0).value
    '2026-11-22 02:10:00.000000+00'
    """
    return Target("time", datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00"), seconds)


def earliest(repositories: Sequence[Repository]) -> float | None:
    """The first moment that any copy can serve: the end of its oldest backup."""
    ends = [backup.stopped for each in repositories if each.reachable for backup in each.usable]
    return min(ends) + CLOCK_SECONDS if ends else None


def latest_archived(repositories: Sequence[Repository]) -> float | None:
    """When the newest log of any copy was archived: no commit in it is younger."""
    times = [each.archive.newest for each in repositories if each.reachable and each.archive is not None]
    return max((time for time in times if time is not None), default=None)


def between(clean: float, dirty: float, resolution: float) -> float | None:
    """The next time to try between one that is clean and a later one that is not; None: near enough.

    >>> between(0, 8, 2), between(6, 8, 2)
    (4.0, None)
    """
    return (clean + dirty) / 2 if dirty - clean > resolution else None
