# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a client saw to the numbers of the table. Pure: no clock, no file, no socket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

DIGITS = 3


@dataclass(frozen=True)
class Row:
    """One numbered write: what became of it, when it was sent and answered, and at which address."""

    seq: int
    outcome: str  # acknowledged, refused or in_doubt
    sent_ns: int
    done_ns: int
    address: str | None = None

    @property
    def acknowledged(self) -> bool:
        """The server said that this row is committed."""
        return self.outcome == "acknowledged"


def longest_gap(rows: Iterable[Row], since_ns: int) -> float:
    """The longest time in seconds between two acknowledged rows; gaps that were over before C(since_ns) do not count.

    >>> longest_gap([Row(1, "acknowledged", 0, 10**9), Row(2, "acknowledged", 0, 3 * 10**9)], 2 * 10**9)
    2.0
    """
    times = sorted(row.done_ns for row in rows if row.acknowledged)
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False) if later >= since_ns]
    if not gaps:
        raise ValueError("no two rows were acknowledged, so there is no gap to measure")
    return max(gaps) / 1e9


def lost(rows: Iterable[Row], surviving: Iterable[int]) -> int:
    """How many acknowledged rows are not in the table that survived."""
    there = set(surviving)
    return sum(1 for row in rows if row.acknowledged and row.seq not in there)


def summary(values: Sequence[float]) -> dict[str, float | int]:
    """What the table shows of one number over all repetitions.

    >>> summary([0.2, 0.1, 0.4])
    {'min': 0.1, 'median': 0.2, 'max': 0.4, 'n': 3}
    """
    return {
        "min": round(min(values), DIGITS),
        "median": round(median(values), DIGITS),
        "max": round(max(values), DIGITS),
        "n": len(values),
    }


def summarise(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One case's numbers from its samples, which stay beside them."""
    found: dict[str, Any] = {}
    for key in ("outage_seconds", "wall_seconds"):
        values = [sample[key] for sample in samples if sample.get(key) is not None]
        if values:
            found[key] = summary(values)
    each = [value for sample in samples for value in sample.get("outages", {}).values()]
    if each:
        found["service_outage_seconds"] = summary(each)
    counted = [sample["lost"] for sample in samples if sample.get("lost") is not None]
    if counted:
        found["lost"] = sum(counted)
    names = dict.fromkeys(name for sample in samples for name in sample.get("parts", {}))
    if names:
        parts = {name: [sample["parts"][name] for sample in samples if name in sample["parts"]] for name in names}
        found["parts_ms"] = {name: round(median(values), 1) for name, values in parts.items()}
    costs = [sample["controller"] for sample in samples if sample.get("controller")]
    if costs:
        found["controller"] = {
            name: round(median(cost[name] for cost in costs if name in cost), 2)
            for name in dict.fromkeys(name for cost in costs for name in cost)
        }
    return found


def ratio(cases: Mapping[str, Mapping[str, Any]], name: str) -> float | None:
    """A case's median over that of the floor it is compared with; null where one of them was not measured.

    >>> one = {"measure": "outage_seconds", "floor": "b", "outage_seconds": {"median": 3.0}}
    >>> ratio({"a": one, "b": {"outage_seconds": {"median": 2.0}}}, "a")
    1.5
    """
    case = cases[name]
    measure, floor = case["measure"], cases.get(case["floor"] or "")
    if floor is None or measure not in case or measure not in floor or not floor[measure]["median"]:
        return None
    return round(case[measure]["median"] / floor[measure]["median"], 2)
