# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where in a ledger an interruption begins and where it ends.

It begins at the last acknowledged write before the break. It ends at the first acknowledged write of the expected
primary that is followed by a stable service: acknowledgements of one server, without a refused or doubtful write
between them, for a given time. So a first write after which the next is refused again does not stop the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import Row, same_form


@dataclass(frozen=True)
class Expected:
    """The primary whose acknowledgements end an outage. What is None or empty is not asked."""

    system_id: str | None = None
    timeline: int | None = None
    """This timeline or a later one."""
    addresses: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", frozenset(same_form(address) for address in self.addresses))

    def matches(self, row: Row) -> bool:
        """Whether this primary acknowledged the row."""
        server = row.server
        if not row.acknowledged or server is None or server.in_recovery:
            return False
        return (
            (self.system_id is None or server.system_id == self.system_id)
            and (self.timeline is None or server.timeline >= self.timeline)
            and (not self.addresses or row.is_from(self.addresses))
        )


@dataclass(frozen=True)
class Outage:
    """One interruption as the client saw it; `why_unknown` says what is missing when there is no number."""

    before: Row | None = None
    after: Row | None = None
    why_unknown: str = ""

    @property
    def seconds(self) -> float | None:
        """From the last acknowledged write before it to the first one of the stable service after it."""
        return None if self.before is None or self.after is None else seconds_between(self.before, self.after)


def seconds_between(earlier: Row, later: Row) -> float:
    """From one row's answer to another's, by the monotonic clock."""
    return (later.done_ns - earlier.done_ns) / 1e9


def find_outage(
    rows: Sequence[Row], fault_time: float | None, expected: Expected | None, stable_for_seconds: float
) -> Outage:
    """The interruption in `rows` (in the order of their answers).

    With `expected` it is the way to that primary. Without, no other primary is awaited and it is the longest gap
    between two acknowledgements. With `fault_time` (seconds since 1970) it is what broke from then on.
    """
    if not any(row.acknowledged for row in rows):
        return Outage(why_unknown="no write was acknowledged")
    service = _Service(rows, stable_for_seconds)
    if expected is None:
        return _longest_gap(service, fault_time)
    return _change_of_primary(service, fault_time, expected)


def ends_stable(rows: Sequence[Row], expected: Expected | None, stable_for_seconds: float) -> bool:
    """Whether the expected primary (None: any server) acknowledges at the end of `rows`, and has for long enough."""
    if not rows or not rows[-1].acknowledged or (expected is not None and not expected.matches(rows[-1])):
        return False
    service = _Service(rows, stable_for_seconds)
    return service.stable_from(service.ends.index(len(rows) - 1))


class _Service:
    """Rows in the order of their answers, and for each of them how long its server went on acknowledging every row."""

    def __init__(self, rows: Sequence[Row], stable_for_seconds: float) -> None:
        self.rows = rows
        self.stable_for = stable_for_seconds
        self.ends = list(range(len(rows)))
        for index in range(len(rows) - 2, -1, -1):
            if rows[index].acknowledged and not self.breaks(index + 1):
                self.ends[index] = self.ends[index + 1]

    def breaks(self, index: int) -> bool:
        """Whether the service that the row before had ends at this row."""
        row = self.rows[index]
        return not row.acknowledged or (index > 0 and row.server != self.rows[index - 1].server)

    def stable_from(self, index: int) -> bool:
        """Whether this acknowledged row is followed by a stable service."""
        last = self.rows[self.ends[index]]
        return self.rows[index].acknowledged and seconds_between(self.rows[index], last) >= self.stable_for


def _change_of_primary(service: _Service, fault_time: float | None, expected: Expected) -> Outage:
    rows = service.rows
    new = [i for i, row in enumerate(rows) if expected.matches(row) and (fault_time is None or row.done >= fault_time)]
    first = next((index for index in new if service.stable_from(index)), None)
    before = _last_of_former(service, fault_time, len(rows) if first is None else first)
    if before is not None and expected.matches(before):
        before = None  # a first sign of the new primary: when the former one went silent is not in these rows
    if first is None:
        why = f"was not stable for {service.stable_for:g} s" if new else "acknowledged no write"
        return Outage(before=before, why_unknown=f"the new primary {why}")
    if before is None:
        return Outage(after=rows[first], why_unknown="no write of the former primary before the interruption")
    return Outage(before, rows[first])


def _last_of_former(service: _Service, fault_time: float | None, limit: int) -> Row | None:
    """The last acknowledged write of the service that was interrupted, among the rows before `limit`."""
    rows = service.rows
    if fault_time is None:  # a planned change has no moment of its own: what it interrupts is the last stable service
        stable = next((index for index in range(limit - 1, -1, -1) if service.stable_from(index)), None)
        if stable is not None:
            return rows[service.ends[stable]]
    since = float("-inf") if fault_time is None else fault_time
    broken = next((index for index in range(limit) if rows[index].done >= since and service.breaks(index)), limit)
    return next((row for row in reversed(rows[:broken]) if row.acknowledged), None)


def _longest_gap(service: _Service, fault_time: float | None) -> Outage:
    rows = service.rows
    acks = [index for index, row in enumerate(rows) if row.acknowledged]
    since = float("-inf") if fault_time is None else fault_time
    pairs = [pair for pair in zip(acks, acks[1:], strict=False) if rows[pair[1]].done >= since]
    gaps = {pair: seconds_between(rows[pair[0]], rows[pair[1]]) for pair in pairs}
    last = rows[acks[-1]]
    unended = seconds_between(last, rows[-1])  # above 0 only where refused or doubtful rows follow
    if unended > max(gaps.values(), default=0.0):
        return Outage(before=last, why_unknown="no write was acknowledged afterwards")
    if not gaps:
        return Outage(why_unknown="fewer than two writes were acknowledged")
    before, again = max(gaps, key=lambda pair: gaps[pair])
    if not service.breaks(again) and again == before + 1:
        return Outage(rows[before], rows[again])  # a slow moment of a service that never broke
    first = next((index for index in range(again, len(rows)) if service.stable_from(index)), None)
    if first is None:
        why = f"the service was not stable for {service.stable_for:g} s afterwards"
        return Outage(before=rows[before], why_unknown=why)
    return Outage(rows[before], rows[first])
