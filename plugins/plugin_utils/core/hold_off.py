# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hold-off: a service that was just moved is not failed over again unless a person says that it should be.

When a service was last moved is told by the promotion records on the members and by the claim beside each endpoint,
which outlives every member. Their times come from the clock of the controller that wrote them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import format_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

DEFAULT_HOLD_OFF = "30m"


@dataclass(frozen=True)
class Moved:
    """One trace of a promotion. ``time`` in Unix seconds, None where the trace has none that can be read."""

    time: float | None
    epoch: int | None
    run_id: str
    told_by: str

    @property
    def name(self) -> str:
        """Which promotion it was, for the person who acknowledges it."""
        return f"by run {self.run_id}" + ("" if self.epoch is None else f", epoch {self.epoch}")


def last_moved(view: View) -> Moved | None:
    """The newest promotion that anything tells of, or None.

    By its epoch, which no clock can turn back; among those of one epoch, or without any, by the youngest time, and one
    without a readable time counts as the youngest.
    """
    traces = list(_traces(view))
    newest = max((moved.epoch for moved in traces if moved.epoch is not None), default=None)
    kept = [moved for moved in traces if moved.epoch in (None, newest)]
    return max(kept, key=lambda moved: math.inf if moved.time is None else moved.time, default=None)


def newest_record(view: View) -> Mapping[str, Any] | None:
    """The newest promotion record on any member, as it is read there."""
    records = [observed.promotion for observed in view.observed.values() if observed.promotion]
    return max(records, key=lambda record: (_whole(record.get("epoch")) or 0, _time(record) or 0.0), default=None)


def failover(view: View, request: Request) -> Iterator[Refusal]:
    """A failover inside the hold-off. Not in a drill, which pulls its own trigger: nothing can run away there."""
    limit = view.service.hold_off_seconds
    moved = last_moved(view)
    if limit <= 0 or request.drill or moved is None:
        return
    age = None if moved.time is None else request.now - moved.time
    if age is not None and age >= limit:
        return
    yield Refusal(
        "hold_off",
        f"promoted {_ago(age, moved)} {moved.name} ({moved.told_by})",
        format_duration(limit),
        f"{view.service.name} was moved a moment ago: whatever broke it may break it again, or still moves it",
        "look why it fails again; then acknowledge this promotion: -e waive=hold_off -e \"reason='...'\"",
    )


def _ago(age: float | None, moved: Moved) -> str:
    """How long ago; a record from the future is told as such, it is never taken for an old one."""
    if age is None or moved.time is None:
        return "at a time that cannot be read,"
    if age < 0:
        at = datetime.fromtimestamp(moved.time, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"at {at}, {format_duration(math.ceil(-age))} ahead of this controller's clock (two clocks differ),"
    return f"{format_duration(math.floor(age))} ago"


def _traces(view: View) -> Iterator[Moved]:
    for observed in view.observed.values():
        if observed.promotion:
            record = observed.promotion
            told = f"the record on {observed.member}"
            yield Moved(_time(record), _whole(record.get("epoch")), str(record.get("run_id") or "unknown"), told)
    for endpoint in view.endpoints:
        if endpoint.moved:
            told = f"the claim beside {endpoint.name}"
            yield Moved(_time(endpoint.moved), endpoint.epoch, str(endpoint.moved.get("run_id")), told)


def _time(record: Mapping[str, Any]) -> float | None:
    value = record.get("time")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    # Beyond the year 9999 it is no time that a person could read
    return float(value) if 0 <= value < 253402300800 else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
