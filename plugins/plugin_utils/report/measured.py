# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The measurement of one stage: the canary's where there is one, else the next weaker source, by its name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.objectives import SOURCES, Loss, Outage, Source
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import seconds_of
from ansible_collections.continuity.dr.plugins.plugin_utils.report.timeline import Entry, Window

#: where the client serves again, from the surest sign to the weakest
_SERVING = ("verify", "point", "promote")


@dataclass(frozen=True)
class Measured:
    """What was measured of one stage. Counts are None where no canary counted."""

    outage: Outage = Outage()
    loss: Loss = Loss()
    window: Window | None = None
    began: float | None = None
    """When the outage began, also where its end was not seen."""
    acknowledged: int | None = None
    in_doubt: int | None = None
    lost_rows: tuple[Any, ...] = ()
    elsewhere: int | None = None
    elsewhere_by: Mapping[str, int] = field(default_factory=dict)
    """Of those the ones of fenced members, by name."""
    outage_unknown: str = ""
    loss_unknown: str = ""


def measured(
    canary: Mapping[str, Any] | None,
    entries: Sequence[Entry],
    times: Mapping[int, float],
    outage_started: float | None,
) -> Measured:
    """Put together what is known of the outage and the loss of one stage.

    `canary`: the measurement as `docs/canary.md` describes it, None without a canary. `outage_started`: the operator's
    time of a real outage (seconds since 1970): it counts where it is earlier than what the canary saw, because a canary
    that was started late saw only a part; and where there is no canary at all, until the service was verified.
    """
    data = canary or {}
    seconds, start, end = _number(data, "outage_seconds"), _start(data), _time(data, "outage_ended")
    if seconds is None:
        outage = _unended(data)
    else:
        # The length is the client's monotonic clock's; the times only place it among the steps.
        outage = Outage(seconds, source="canary")
        start = start if start is not None or end is None else end - seconds
        end = None if start is None else start + seconds
    served = end if canary else _served(entries, times)
    first = served if start is None else start
    if outage_started is not None and served is not None and first is not None and outage_started < min(first, served):
        start, end = outage_started, served
        outage = Outage(round(served - outage_started, 6), source="operator")
    known = outage.seconds is not None
    return Measured(
        outage=outage,
        began=start if known or outage.at_least_seconds else None,
        loss=_loss(data, entries, outage_started),
        window=Window(start, end, bool(canary)) if known and start is not None and end is not None else None,
        acknowledged=_count(data, "acknowledged"),
        in_doubt=_count(data, "in_doubt"),
        lost_rows=tuple(data.get("lost_ranges") or data.get("lost_rows") or ()),
        elsewhere=elsewhere(data),
        elsewhere_by=elsewhere_by(data),
        outage_unknown="" if known else str(data.get("outage_unknown") or ""),
        loss_unknown=_contradicted(data) or str(data.get("surviving_unknown") or ""),
    )


def _start(data: Mapping[str, Any]) -> float | None:
    """The fault, as the last acknowledged write tells it."""
    return _time(data, "outage_started", "fault_time")


def _unended(data: Mapping[str, Any]) -> Outage:
    """An outage whose end was not seen: as long, at least, as the canary watched it."""
    start, until = _start(data), _time(data, "window_end", "taken")
    at_least = until - start if start is not None and until is not None else 0.0
    return Outage(None, at_least, "canary") if at_least > 0 else Outage()


def _loss(data: Mapping[str, Any], entries: Iterable[Entry], outage_started: float | None) -> Loss:
    """The canary's rows; without them what a step proved (its journal data `loss`): of the positions, or how old the
    `newest` is that came back, which tells as much as is known of when the outage began."""
    writes, seconds = _count(data, "lost"), _number(data, "lost_seconds")
    if _contradicted(data):
        # What is missing is missing all the same and counts against the objective; that nothing is, nobody knows
        at_least = _number(data, "lost_seconds_at_least") or 0.0
        return Loss(None, writes or None, at_least, "canary") if writes else Loss()
    if (writes is not None or seconds is not None) and data.get("compared") != 0:
        return Loss(seconds, writes, _number(data, "lost_seconds_at_least") or 0.0, "canary")
    proven: Mapping[str, Any] = {}
    for entry in entries:
        value = (entry.get("data") or {}).get("loss")
        proven = value if isinstance(value, Mapping) else proven
    if not proven:
        return Loss()
    source = proven.get("source")
    known: Source = source if source in SOURCES else "positions"
    seconds, newest = _number(proven, "seconds"), _time(proven, "newest")
    if newest is not None and outage_started is not None:
        seconds = round(max(0.0, outage_started - newest), 6)
    return Loss(seconds, _count(proven, "writes"), source=known)


def _contradicted(data: Mapping[str, Any]) -> str:
    """Why the ledger and the table do not belong together, so that comparing them proves nothing; "" where they do."""
    survived = _count(data, "refused_survived")
    if not survived:
        return ""
    rows = "1 row that was refused to the client is" if survived == 1 else f"{survived} rows that were refused are"
    return f"{rows} in the table all the same: ledger and table do not belong together"


def elsewhere_by(data: Mapping[str, Any]) -> dict[str, int]:
    """Writes of fenced members, by name."""
    members = data.get("fenced_members")
    names = members if isinstance(members, Mapping) else {}
    return {str(name): count for name in sorted(names) if (count := _count(names, name))}


def elsewhere(data: Mapping[str, Any]) -> int | None:
    """Writes that a fenced or a replaced member acknowledged; the two counts overlap, so the larger one."""
    counts = [_count(data, key) for key in ("acknowledged_by_fenced", "acknowledged_by_old_primary")]
    return max((count for count in counts if count is not None), default=None)


def _served(entries: Sequence[Entry], times: Mapping[int, float]) -> float | None:
    """When the service was seen to serve again, as the steps tell it."""
    done = {str(e.get("step")): times[int(e["seq"])] for e in entries if e.get("state") == "done"}
    # A service without an endpoint has no other step
    built = [times[int(entry["seq"])] for entry in entries if _is_built_anew(entry)]
    return next((done[step] for step in _SERVING if step in done), built[0] if built else None)


def _is_built_anew(entry: Entry) -> bool:
    data = entry.get("data") or {}
    return entry.get("state") == "done" and data.get("state") == "rebuilt" and bool(data.get("changed"))


def _time(data: Mapping[str, Any], *keys: str) -> float | None:
    return next((moment for key in keys if (moment := seconds_of(data.get(key))) is not None), None)


def _number(data: Mapping[str, Any], key: str) -> float | None:
    """A number of zero or more; anything else is not known."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _count(data: Mapping[str, Any], key: str) -> int | None:
    number = _number(data, key)
    return None if number is None else int(number)
