# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Negative controls of a restore: what is done to a copy of a repository, or asked of it, and how it must be met.

A drill that only ever sees good backups proves nothing. Each control is shell text for whoever holds the copy
(`$copy`), so that the same ones run against real servers on this machine and against the lab; or a request that must
not be served.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

#: The files of the newest full backup that hold what a table or the catalogue consists of; $file is one of them
_A_FILE = 'file=$(find "$copy"/backup/*/*F/pg_data/base/5 -type f -name "1259*" | sort | tail -n 1)\n'
_A_SEGMENT = 'segment=$(find "$copy"/archive -type f -name "0000*-*" | sort | tail -n 3 | head -n 1)\n'


@dataclass(frozen=True)
class Control:
    """One way in which a restore must not succeed."""

    name: str
    #: the rule that refuses it, or the reason it fails with
    expected: str
    #: shell that damages the copy below $copy
    damage: str = ""
    #: what is asked for: a restore target, or a function's name of the caller for one that needs its history
    restore_to: str = "latest"
    timeline: int | None = None
    #: what `verify` must fail with, where the damage lies in the files it reads
    verify: str = ""
    checks: tuple[str, ...] = ()


CONTROLS = (
    Control(
        "truncated_file",
        "restore_failed",
        _A_FILE + 'truncate -s 100 "$file"',
        verify="checksum invalid",
    ),
    Control(
        "flipped_byte",
        "restore_failed",
        _A_FILE + 'printf "\\377\\377\\377\\377" | dd of="$file" bs=1 seek=4000 conv=notrunc 2>/dev/null',
        verify="checksum invalid",
    ),
    Control("file_missing", "restore_failed", _A_FILE + 'rm "$file"', verify="missing"),
    Control(
        "empty_backup",
        "restore_failed",
        'find "$copy"/backup/*/*F -type f -exec truncate -s 0 {} +',
        verify="invalid",
    ),
    Control(
        "backup_directory_gone",
        "restore_failed",
        'rm -rf "$copy"/backup/*/[0-9]*F*',
        verify="listed and not there",
    ),
    Control("empty_repository", "no_backup", 'rm -rf "$copy"/backup "$copy"/archive', verify="it holds no backup"),
    Control("segment_missing", "archive_gap", _A_SEGMENT + 'rm "$segment"'),
    Control("segment_empty", "archive_gap", _A_SEGMENT + 'truncate -s 0 "$segment"', verify="invalid"),
    Control(
        "segment_flipped",
        "recovery_incomplete",
        _A_SEGMENT + 'printf "\\377\\377\\377\\377" | dd of="$segment" bs=1 seek=8 conv=notrunc 2>/dev/null',
        verify="checksum invalid",
    ),
    Control("wrong_timeline", "timeline_not_archived", timeline=7),
    Control("before_the_first_backup", "target_before_backup", restore_to="2020-01-01T00:00:00Z"),
    Control("after_the_archive", "target_not_archived", restore_to="2099-01-01T00:00:00Z"),
    Control("after_the_last_commit", "target_not_reached", restore_to="after_the_last_commit"),
    Control("no_such_restore_point", "target_not_reached", restore_to="name=never_made"),
    Control("query_not_as_expected", "not_proven", checks=("select count(*) = 201 from orders",)),
)


def report(drilled: dict[str, list[dict[str, object]]], path: Path) -> None:
    """Write `controls: [{name, copy, expected, seen}]` and `restores: [{copy, target, seconds, ...}]`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(drilled, indent=2) + "\n", encoding="utf-8")
