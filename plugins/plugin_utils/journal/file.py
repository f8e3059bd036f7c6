# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Append to, read and verify the journal file of one service."""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.journal import chain
from ansible_collections.continuity.dr.plugins.plugin_utils.journal.mask import mask

STATES = ("started", "done", "failed", "refused", "skipped")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_CHUNK = 4096

Clock = Callable[[], tuple[int, int]]
"""Returns (nanoseconds since 1970 UTC, nanoseconds of the monotonic clock)."""


class JournalError(Exception):
    """The journal could not be written; what was about to happen must not happen unrecorded."""


def path_of(directory: str | os.PathLike[str], service: str) -> Path:
    """The journal file of `service` in the run directory."""
    return Path(directory) / "journal" / f"{service}.jsonl"


def append(
    directory: str | os.PathLike[str],
    run_id: str,
    service: str,
    step: str,
    state: str,
    data: Mapping[str, Any] | None = None,
    *,
    clock: Clock | None = None,
    fsync: bool = True,
) -> dict[str, Any]:
    """Write one line to the journal of `service` and return it as it was written (secrets masked).

    The line is on disk when this returns (``fsync=False``: with the next line that is written without it). Workers
    may call this at the same time: the file is locked. A last line that a crash cut off is moved to
    ``<service>.jsonl.torn`` first, and an entry of step ``journal`` says so.

    Raises:
        JournalError: the directory cannot be written, the state is none of `STATES`, or the service is no file name.

    Example:
        append("runs/20261122T031500Z-3f9a", run_id, "payments-db", "fence", "started", {"stage": "failover"})
    """
    if state not in STATES:
        raise JournalError(f"journal state {state!r} is none of {', '.join(STATES)}")
    if not _SERVICE.match(service):
        raise JournalError(f"journal of {service!r}: a service's name is letters, digits, '.', '_' and '-'")
    path = path_of(directory, service)
    try:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            last = _repair(descriptor, path, run_id, service, clock or _now)
            entry = _entry(last, run_id, service, step, state, data, clock or _now)
            _write(descriptor, entry)
            if fsync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)  # gives the lock back
    except OSError as error:
        raise JournalError(f"cannot write the journal {path}: {error.strerror or error}") from error
    return entry


def read(path: str | os.PathLike[str], steps: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Every readable entry of a journal, in the file's order; a missing file is an empty journal.

    `steps`: only the entries of these. The lines of others are not parsed: a third of the time for what is asked often.
    """
    lines, _torn = _lines(path)
    if steps is not None:
        wanted = re.compile(b'"step":"(?:%s)"' % b"|".join(re.escape(step).encode() for step in steps))
        found = map(chain.parse, filter(wanted.search, lines))
        return [entry for entry in found if entry is not None and entry.get("step") in steps]
    return [entry for entry in map(chain.parse, lines) if entry is not None]


def verify(path: str | os.PathLike[str]) -> list[chain.Problem]:
    """What is wrong with a journal: edited, removed, rewritten, unreadable lines, a torn tail; [] when it is whole."""
    lines, torn = _lines(path)
    problems = chain.check(lines)
    if torn:
        number = len(lines) + 1
        problems.append(
            chain.Problem("torn", number, f"line {number} is torn: the run ended while it was being written")
        )
    return problems


def _lines(path: str | os.PathLike[str]) -> tuple[list[bytes], bytes]:
    """The whole lines and what stands after the last newline."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return [], b""
    *lines, torn = content.split(b"\n")
    return lines, torn


def _now() -> tuple[int, int]:
    return time.time_ns(), time.monotonic_ns()


def _open(path: Path) -> int:
    """Open for appending; a new file's name is made durable too, or a crash could lose the file with its lines."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, flags | os.O_CREAT, 0o640)
    for directory in (path.parent, path.parent.parent):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    return descriptor


def _entry(
    last: Mapping[str, Any] | None,
    run_id: str,
    service: str,
    step: str,
    state: str,
    data: Mapping[str, Any] | None,
    clock: Clock,
) -> dict[str, Any]:
    """The next entry after `last`."""
    wall, monotonic = clock()
    seconds, nanoseconds = divmod(wall, 1_000_000_000)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(microsecond=nanoseconds // 1000)
    entry: dict[str, Any] = {
        "seq": last["seq"] + 1 if last else 1,
        "time": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "monotonic_ns": monotonic,
        "run_id": str(run_id),
        "service": service,
        "step": str(step),
        "state": state,
        "data": mask(data or {}),
        "previous_hash": last["hash"] if last else chain.FIRST,
    }
    entry["hash"] = chain.digest(entry)
    return entry


def _write(descriptor: int, entry: Mapping[str, Any]) -> None:
    line = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
    while line:  # a signal or a full disk may shorten a write; the lock keeps others out meanwhile
        line = line[os.write(descriptor, line) :]


def _last(descriptor: int) -> tuple[dict[str, Any] | None, int, bytes]:
    """The file's last entry (None: there is none), the offset behind it and the bytes that follow it: a torn line."""
    size = os.fstat(descriptor).st_size
    length = _CHUNK
    while True:
        offset = max(0, size - length)
        tail = os.pread(descriptor, size - offset, offset)
        start = 0 if offset == 0 else tail.find(b"\n") + 1
        end = len(tail)
        while (newline := tail.rfind(b"\n", start, end)) >= 0:
            line_start = max(tail.rfind(b"\n", start, newline) + 1, start)
            entry = chain.parse(tail[line_start:newline])
            if entry is not None:
                return entry, offset + newline + 1, tail[newline + 1 :]
            end = newline
        if offset == 0:
            return None, 0, tail
        length *= 4


def _repair(descriptor: int, path: Path, run_id: str, service: str, clock: Clock) -> dict[str, Any] | None:
    """The last entry of the file; a torn line after it is moved aside and the fact recorded."""
    last, end, torn = _last(descriptor)
    if not torn:
        return last
    kept = path.with_name(path.name + ".torn")
    with kept.open("ab") as handle:
        handle.write(torn + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
    os.ftruncate(descriptor, end)
    facts = {
        "repaired": "torn last line",
        "bytes": len(torn),
        "sha256": hashlib.sha256(torn).hexdigest(),
        "kept": kept.name,
    }
    entry = _entry(last, run_id, service, "journal", "done", facts, clock)
    _write(descriptor, entry)
    return entry
