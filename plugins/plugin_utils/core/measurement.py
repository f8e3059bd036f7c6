# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a ledger to numbers: how long no write went through, and which acknowledged writes are gone.

What cannot be known is None, never 0. Every duration is a difference of the client's monotonic clock.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import Row, format_time, same_form
from ansible_collections.continuity.dr.plugins.plugin_utils.core.outage import (
    Expected,
    Outage,
    ends_stable,
    find_outage,
    seconds_between,
)

LISTED_ROWS = 100
_TIMES = ("window_start", "window_end", "first_acknowledged", "last_acknowledged", "outage_started", "outage_ended")


@dataclass(frozen=True)
class Fenced:
    """A member that was proven fenced from `since` to `until` (seconds since 1970; None: still)."""

    addresses: frozenset[str]
    since: float
    until: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", frozenset(same_form(address) for address in self.addresses))

    def gave(self, row: Row) -> bool:
        """Whether it acknowledged a row that was sent after the proof. Such a row means that the proof was wrong."""
        within = row.sent >= self.since and (self.until is None or row.sent < self.until)
        return row.acknowledged and within and row.is_from(self.addresses)


@dataclass(frozen=True)
class Loss:
    """Acknowledged rows that the surviving table does not hold. All None when the table could not be read."""

    compared: int | None = None
    """How many acknowledged rows were looked for."""
    rows: tuple[int, ...] | None = None
    seconds: float | None = None
    """From the newest surviving write before the first lost one to the last lost one; 0.0 when nothing is lost."""
    seconds_at_least: float | None = None
    """From the first lost write to the last: known even when nothing that is older survived."""
    in_doubt_survived: int | None = None
    refused_survived: int | None = None
    """Refused rows found in the table. Above 0 the ledger and the table do not belong together."""


@dataclass(frozen=True)
class Measurement:
    """What one window of a ledger says. `to_dict` is its JSON form, as `docs/canary.md` describes it."""

    window_start: float | None
    window_end: float | None
    counts: dict[str, int]
    first_acknowledged: float | None
    last_acknowledged: float | None
    outage: Outage
    longest_gap_seconds: float | None
    resolution_seconds: float | None
    loss: Loss
    acknowledged_by: tuple[dict[str, Any], ...]
    fenced_rows: tuple[int, ...] | None
    old_primary_rows: tuple[int, ...]
    stable: bool

    def to_dict(self) -> dict[str, Any]:
        """Flat and JSON-ready: times as RFC 3339, durations in seconds, row numbers as lists."""
        before, after, loss, lost = self.outage.before, self.outage.after, self.loss, self.loss.rows
        flat: dict[str, Any] = {
            "window_start": self.window_start,
            "window_end": self.window_end,
            **self.counts,
            "first_acknowledged": self.first_acknowledged,
            "last_acknowledged": self.last_acknowledged,
            "stable": self.stable,
            "outage_seconds": _rounded(self.outage.seconds),
            "outage_started": before.done if before else None,
            "outage_ended": after.done if after else None,
            "outage_last_row": before.seq if before else None,
            "outage_first_row": after.seq if after else None,
            "outage_unknown": self.outage.why_unknown,
            "longest_gap_seconds": _rounded(self.longest_gap_seconds),
            "resolution_seconds": _rounded(self.resolution_seconds),
            "compared": loss.compared,
            "lost": None if lost is None else len(lost),
            "lost_rows": None if lost is None else list(lost[:LISTED_ROWS]),
            "lost_ranges": None if lost is None else ranges(lost),
            "lost_seconds": _rounded(loss.seconds),
            "lost_seconds_at_least": _rounded(loss.seconds_at_least),
            "in_doubt_survived": loss.in_doubt_survived,
            "refused_survived": loss.refused_survived,
            "acknowledged_by": list(self.acknowledged_by),
            "acknowledged_by_fenced": None if self.fenced_rows is None else len(self.fenced_rows),
            "fenced_rows": None if self.fenced_rows is None else list(self.fenced_rows[:LISTED_ROWS]),
            "acknowledged_by_old_primary": len(self.old_primary_rows),
        }
        return {
            key: format_time(value) if key in _TIMES and value is not None else value for key, value in flat.items()
        }


def measure(
    rows: Sequence[Row],
    *,
    window_start: float | None = None,
    window_end: float | None = None,
    fault_time: float | None = None,
    expected: Expected | None = None,
    fenced: Sequence[Fenced] = (),
    surviving: AbstractSet[int] | None = None,
    already_lost: AbstractSet[int] = frozenset(),
    stable_for_seconds: float = 2.0,
) -> Measurement:
    """Measure one interruption (a switchover, a failover, a failback) within a window of a ledger.

    `rows`: the whole ledger, so that a loss is found however old the lost row is. Times are seconds since 1970.
    `window_start` to `window_end` bound the outage and the counts, by the time of a row's answer; None: open.
    `fault_time`: when the fault was injected or reported; None for a planned change.
    `expected`: the new primary; None when no change of primary is expected (then the longest gap is the outage).
    `fenced`: members proven fenced.
    `surviving`: the row numbers that the new primary holds now; None when they could not be read.
    `already_lost`: rows that an earlier measurement of the same ledger counted.
    """
    ordered = sorted(rows, key=lambda row: row.done_ns)
    until = [row for row in ordered if window_end is None or row.done <= window_end]
    inside = [row for row in until if window_start is None or row.done >= window_start]
    acks = [row for row in inside if row.acknowledged]
    gaps = [seconds_between(before, after) for before, after in zip(acks, acks[1:], strict=False)]
    outage = find_outage(inside, fault_time, expected, stable_for_seconds)
    counts = Counter(row.outcome for row in inside)
    return Measurement(
        window_start=window_start,
        window_end=window_end,
        counts={name: counts[name] for name in ("acknowledged", "refused", "in_doubt")},
        first_acknowledged=acks[0].done if acks else None,
        last_acknowledged=acks[-1].done if acks else None,
        stable=ends_stable(inside, expected, stable_for_seconds),
        outage=outage,
        longest_gap_seconds=max(gaps, default=None),
        resolution_seconds=statistics.median(gaps) if gaps else None,
        loss=_loss(until, surviving if _saw_former(until, expected) else None, already_lost),
        acknowledged_by=tuple(_by_server(acks)),
        fenced_rows=tuple(row.seq for row in until if any(one.gave(row) for one in fenced)) if fenced else None,
        old_primary_rows=_old_primary_rows(inside, expected, outage.after),
    )


def ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Row numbers as inclusive ranges: `ranges([3, 4, 5, 9])` is `[[3, 5], [9, 9]]`."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def _saw_former(rows: Sequence[Row], expected: Expected | None) -> bool:
    """Lost is what a former primary acknowledged: a ledger that begins after the change knows nothing of that."""
    return expected is None or any(row.acknowledged and not expected.matches(row) for row in rows)


def _loss(rows: Sequence[Row], surviving: AbstractSet[int] | None, already_lost: AbstractSet[int]) -> Loss:
    if surviving is None:
        return Loss()
    acks = [row for row in rows if row.acknowledged and row.seq not in already_lost]
    lost = [row for row in acks if row.seq not in surviving]
    kept = Counter(row.outcome for row in rows if row.seq in surviving)
    older = [row for row in acks if row.seq in surviving and lost and row.done_ns <= lost[0].done_ns]
    seconds = seconds_between(older[-1], lost[-1]) if older else None
    return Loss(
        compared=len(acks),
        rows=tuple(row.seq for row in lost),
        seconds=seconds if lost else 0.0 if acks else None,
        seconds_at_least=seconds_between(lost[0], lost[-1]) if lost else 0.0 if acks else None,
        in_doubt_survived=kept["in_doubt"],
        refused_survived=kept["refused"],
    )


def _by_server(acks: Sequence[Row]) -> list[dict[str, Any]]:
    """How many rows each server acknowledged, in the order in which they first did."""
    count = Counter(row.server for row in acks)
    first = {row.server: row.done for row in reversed(acks)}
    last = {row.server: row.done for row in acks}
    return [
        {**asdict(one), "acknowledged": count[one], "first": format_time(first[one]), "last": format_time(last[one])}
        for one in count
        if one is not None
    ]


def _old_primary_rows(rows: Sequence[Row], expected: Expected | None, new: Row | None) -> tuple[int, ...]:
    """Rows that somebody else acknowledged although the new primary was in service: two primaries."""
    if expected is None or new is None:
        return ()
    return tuple(row.seq for row in rows if row.acknowledged and row.sent > new.done and not expected.matches(row))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
