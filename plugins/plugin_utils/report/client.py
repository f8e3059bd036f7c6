# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the canary saw over time: its ledger, counted into at most a few hundred slices."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import OUTCOMES
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import seconds_of, text_of

MOST_SLICES = 240
#: lengths that a reader can name
_LENGTHS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


@dataclass(frozen=True)
class Moment:
    """One moment by both clocks of the controller: seconds since 1970, and the monotonic clock."""

    seconds: float
    monotonic_ns: int


def client(directory: Path, service: str, finished: Moment | None = None) -> dict[str, Any] | None:
    """The service's ledger as counts of writes by what became of them, a slice of time each; None without one.

    `finished`: when the run recorded its last entry. The canary writes on while the report is made, and until its
    controller is gone: without this end, the report built again would count more than the first one did.
    A line that cannot be read is left out: the measurement, which the verdict rests on, has already judged the ledger.
    """
    name = f"canary/{service}.jsonl"
    try:
        with (directory / name).open(encoding="utf-8", errors="replace") as handle:
            rows = [row for row in _rows(handle) if not _is_later(row, finished)]
    except OSError:
        return None
    return _counted(name, rows) if rows else None


def _rows(lines: Iterable[str]) -> Iterable[tuple[int, str, str]]:
    """The answer's monotonic time, its wall time and what became of the write."""
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, Mapping) and row.get("outcome") in OUTCOMES and isinstance(row.get("done_ns"), int):
            yield row["done_ns"], str(row.get("done")), str(row["outcome"])


def _is_later(row: tuple[int, str, str], finished: Moment | None) -> bool:
    """Later by both clocks: the wall clock may have been set, and the monotonic one begins anew with the machine."""
    if finished is None or row[0] <= finished.monotonic_ns:
        return False
    done = seconds_of(row[1])
    return done is not None and done > finished.seconds


def _counted(name: str, rows: list[tuple[int, str, str]]) -> dict[str, Any] | None:
    first = min(rows)
    began = seconds_of(first[1])
    if began is None:
        return None
    span = (max(rows)[0] - first[0]) / 1e9
    length = next((each for each in _LENGTHS if span / each < MOST_SLICES), math.ceil(span / MOST_SLICES))
    counts: dict[str, list[int]] = {outcome: [0] * (int(span / length) + 1) for outcome in OUTCOMES}
    for moment, _wall, outcome in rows:
        counts[outcome][int((moment - first[0]) / 1e9 / length)] += 1
    return {"ledger": name, "started": text_of(began), "slice_seconds": length, **counts}
