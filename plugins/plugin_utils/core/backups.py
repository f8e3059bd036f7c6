# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in the repositories of one service, which backup is due, and what stands against the promise to restore.

A repository is a copy of its own: a set of backups and the archive of the write-ahead log since. A replica and a RAID
are no backups: they repeat a mistake at once. Times are seconds since 1970, positions are bytes since 0/0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["full", "diff", "incr"]
KINDS: tuple[Kind, ...] = ("full", "diff", "incr")
#: A backup of the kind that is due counts from any kind before it in this order: a full one is a differential as well.
_COUNTS_AS: Mapping[Kind, tuple[Kind, ...]] = {"full": ("full",), "diff": ("full", "diff"), "incr": KINDS}

MIB = 1 << 20
SEGMENT_SIZES = tuple(MIB << power for power in range(11))
DEFAULT_SEGMENT_SIZE = 16 * MIB


@dataclass(frozen=True)
class Backup:
    """One backup in one repository."""

    label: str
    kind: Kind
    started: float
    stopped: float
    wal_start: str
    wal_stop: str
    lsn_start: int
    lsn_stop: int
    size: int
    repository_size: int
    error: bool = False
    references: tuple[str, ...] = ()

    @property
    def timeline(self) -> int:
        """The timeline on which it ended."""
        return int(self.wal_stop[:8], 16)

    @property
    def usable(self) -> bool:
        """It ended, holds something, and met no bad page."""
        return not self.error and self.size > 0 and bool(self.wal_start and self.wal_stop)


@dataclass(frozen=True)
class Archive:
    """The archived segments of the write-ahead log by name, with the time each was archived."""

    segments: Mapping[str, float]
    timelines: frozenset[int] = frozenset()
    segment_size: int = DEFAULT_SEGMENT_SIZE

    def number(self, segment: str) -> int:
        """The place of a segment in the log, whatever its timeline.

        >>> Archive({}).number("000000020000000100000003")
        259
        """
        return int(segment[8:16], 16) * ((1 << 32) // self.segment_size) + int(segment[16:], 16)

    def along(self, timeline: int) -> dict[int, float]:
        """The segments that recovery along ``timeline`` can read, by number; the newest branch of each counts."""
        found: dict[int, tuple[int, float]] = {}
        for name, archived in self.segments.items():
            branch, number = int(name[:8], 16), self.number(name)
            if branch <= timeline and branch >= found.get(number, (0, 0.0))[0]:
                found[number] = (branch, archived)
        return {number: archived for number, (_branch, archived) in found.items()}

    @property
    def newest_timeline(self) -> int | None:
        """The highest timeline of which anything is archived."""
        return max((*self.timelines, *(int(name[:8], 16) for name in self.segments)), default=None)

    @property
    def newest(self) -> float | None:
        """When the last segment was archived."""
        return max(self.segments.values(), default=None)


@dataclass(frozen=True)
class Repository:
    """One copy, as it was found just now."""

    key: int
    site: str = ""
    reachable: bool = True
    message: str = "ok"
    backups: tuple[Backup, ...] = ()
    archive: Archive | None = None
    #: when a restore from it was last proven, and when its contents were last verified
    proven: float | None = None
    verified: float | None = None

    @property
    def usable(self) -> tuple[Backup, ...]:
        """The backups that can be restored from, oldest first."""
        known = {backup.label for backup in self.backups if backup.usable}
        return tuple(each for each in self.backups if each.label in known and known.issuperset(each.references))

    @property
    def newest(self) -> Backup | None:
        """The newest backup that can be restored from."""
        return max(self.usable, key=lambda backup: backup.stopped, default=None)


@dataclass(frozen=True)
class Schedule:
    """What the plan promises; an interval of None is not planned."""

    full_every: float
    diff_every: float | None = None
    incr_every: float | None = None
    verify_every: float | None = None
    #: how much may be lost where only backups are left; None: nothing was promised
    rpo: float | None = None

    def every(self, kind: Kind) -> float | None:
        """The interval of a kind."""
        return {"full": self.full_every, "diff": self.diff_every, "incr": self.incr_every}[kind]

    @property
    def shortest(self) -> float:
        """The longest time that may lie between two backups of any kind."""
        return min(filter(None, (self.every(kind) for kind in KINDS)))


@dataclass(frozen=True)
class Timer:
    """What starts the backups on one member."""

    member: str
    installed: bool | None
    active: bool | None
    failed: bool | None = None
    primary: bool = False


@dataclass(frozen=True)
class Found:
    """Everything that was observed of a service's backups."""

    repositories: tuple[Repository, ...]
    timers: tuple[Timer, ...] = ()
    #: the server says that its archiver fails; None: nobody could be asked
    archiver_failing: bool | None = None
    #: seconds after which the server itself archives what was written; None: something waits, or nobody can tell
    archived_within: float | None = None
    replicas: tuple[str, ...] = field(default=())


def due(repository: Repository, schedule: Schedule, now: float) -> Kind | None:
    """The kind of backup that the plan wants now; None: the last one is young enough.

    A differential or incremental one rests on a full one, which is always planned: without a usable one it is first.
    """
    for kind in KINDS:
        every, age = schedule.every(kind), age_of(repository.usable, _COUNTS_AS[kind], now)
        if every is not None and (age is None or age >= every):
            return kind
    return None


def age_of(backups: Iterable[Backup], kinds: Sequence[Kind], now: float) -> float | None:
    """Seconds since the end of the newest of these kinds; a clock that runs behind makes no backup from the future."""
    ended = [backup.stopped for backup in backups if backup.kind in kinds]
    return max(now - max(ended), 0.0) if ended else None


def segment_size(backups: Iterable[Backup]) -> int:
    """The size of a segment, from where backups began and ended and what the segments there are called.

    >>> segment_size([])
    16777216
    """
    places = [(backup.lsn_start, backup.wal_start) for backup in backups if backup.usable]
    fitting = [size for size in SEGMENT_SIZES if all(_named(lsn, size) == name[8:] for lsn, name in places)]
    if not places or DEFAULT_SEGMENT_SIZE in fitting or not fitting:
        return DEFAULT_SEGMENT_SIZE
    return fitting[0]


def _named(lsn: int, size: int) -> str:
    return f"{lsn >> 32:08X}{(lsn & 0xFFFFFFFF) // size:08X}"


def gaps(archive: Archive, first: str, timeline: int, until: int | None = None) -> tuple[int, ...]:
    """The segments that are missing from ``first`` to ``until`` (the newest one), by number.

    pgBackRest's own `verify` does not count a segment that is not there, so it is counted here.
    """
    have = archive.along(timeline)
    last = max(have, default=archive.number(first)) if until is None else until
    return tuple(number for number in range(archive.number(first), last + 1) if number not in have)
