# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hash chain of a journal: every line carries the hash of the line before it.

It shows an edited or removed line. It does not show that the whole file was rewritten or that its end was cut:
for that the report keeps the last line's number and hash (`head`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FIRST = "0" * 64
#: What every reader may rely on; an edited line may hold anything else there.
_KINDS = {"seq": int, "time": str, "monotonic_ns": int, "step": str, "state": str, "data": dict, "hash": str}


@dataclass(frozen=True)
class Problem:
    """What is wrong with one line. `kind`: edited, removed, rewritten, torn, unreadable; `line` counts from 1."""

    kind: str
    line: int
    message: str


def digest(entry: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the entry without its own hash: keys sorted, no spaces, ASCII."""
    content = {key: value for key, value in entry.items() if key != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def parse(line: bytes) -> dict[str, Any] | None:
    """The entry of one line; None when the line is not a whole entry."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in _KINDS.items())
    return entry if whole else None


def check(lines: Sequence[bytes]) -> list[Problem]:
    """Every break of the chain in the lines of one file (without their newlines, a torn tail excluded)."""
    problems: list[Problem] = []
    previous_hash, expected = FIRST, 1
    for number, line in enumerate(lines, start=1):
        entry = parse(line)
        if entry is None:
            problems.append(Problem("unreadable", number, f"line {number} is not a journal entry"))
            previous_hash, expected = "", expected + 1
            continue
        if digest(entry) != entry["hash"]:
            problems.append(Problem("edited", number, f"line {number} was edited: its hash does not fit its content"))
        # After an unreadable line its hash is unknown; the gap in the numbers still tells of a removed one.
        if entry["seq"] != expected:
            message = f"lines are missing before line {number}: it holds entry {entry['seq']}, not {expected}"
            problems.append(Problem("removed", number, message))
        elif previous_hash and entry.get("previous_hash") != previous_hash:
            message = f"line {number - 1} was rewritten: line {number} was written after another one"
            problems.append(Problem("rewritten", number, message))
        previous_hash, expected = entry["hash"], entry["seq"] + 1
    return problems
