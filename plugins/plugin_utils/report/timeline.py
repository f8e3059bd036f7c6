# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When things happened: the entries of one journal on one axis, and the phases of an outage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import Trigger
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import seconds_of, text_of

Entry = Mapping[str, Any]

ENDED = frozenset({"done", "failed", "refused", "skipped"})
#: the phases of an outage in their order, each with the steps whose end closes it
PHASES: tuple[tuple[str, frozenset[str]], ...] = (
    ("decide", frozenset({"decide"})),
    ("fence", frozenset({"claim", "lease", "demote", "fence"})),
    ("promote", frozenset({"promote"})),
    ("redirect", frozenset({"point"})),
    ("verify", frozenset({"verify"})),
)
NAMES = ("detect", *(name for name, _steps in PHASES), "client")


@dataclass(frozen=True)
class Window:
    """The outage, in seconds since 1970."""

    start: float
    end: float
    by_client: bool = True
    """Its end is a client's write; without a canary it is a step's."""


def axis(entries: Sequence[Entry]) -> dict[int, float]:
    """The time of every entry (by its `seq`) in seconds since 1970.

    Differences come from the monotonic clock, so a wall clock that was set meanwhile changes nothing. Where the
    monotonic clock ran backwards the controller was restarted, and the wall clock is all there is.
    """
    times: dict[int, float] = {}
    base_wall, base_monotonic, last = 0.0, 0, None
    for entry in entries:
        monotonic = int(entry.get("monotonic_ns") or 0)
        if last is None or monotonic < last:
            base_wall, base_monotonic = seconds_of(entry.get("time")) or 0.0, monotonic
        last = monotonic
        times[int(entry["seq"])] = base_wall + (monotonic - base_monotonic) / 1e9
    return times


def phases(
    entries: Iterable[Entry],
    times: Mapping[int, float],
    *,
    trigger: Trigger,
    began: float | None,
    window: Window | None,
) -> dict[str, float | None]:
    """Where the time of an outage went, in seconds; null where a phase left no entry.

    Each phase lasts from the end of the phase before it to the end of its last step, as far as that lies inside
    `window`; what remains until the client's first acknowledged write is `client`. So they add up to the outage.
    `began`: when the run took its first action. In a planned change the service runs while we detect and decide:
    these are no part of the outage and null. Without a window the phases are those of the procedure alone.
    """
    ends = _ends(entries, times)
    points: list[tuple[str, float | None]] = (
        [] if trigger == "planned" else [("detect", began), ("decide", ends["decide"])]
    )
    points += [(name, ends[name]) for name, _steps in PHASES if name != "decide"]
    found: dict[str, float | None] = dict.fromkeys(NAMES)
    if window is None:
        known = [end for _name, end in points if end is not None]
        start, limit = (began if began is not None else min(known, default=0.0)), max(known, default=0.0)
        points = [point for point in points if point[0] != "detect"]
    else:
        start, limit = window.start, window.end
    at = 0.0
    for name, end in points:
        if end is not None:
            until = max(at, round(min(end, limit) - start, 6))
            found[name], at = round(until - at, 6), until
    if window is not None and (window.by_client or round(limit - start, 6) > at):
        found["client"] = round(max(0.0, round(limit - start, 6) - at), 6)
    return found


def _ends(entries: Iterable[Entry], times: Mapping[int, float]) -> dict[str, float | None]:
    """The end of each phase: of the last of its steps that was done before a later phase ended.

    So a claim that is renewed after the promotion, or a decision that is taken again, does not move what it began.
    """
    ends: dict[str, float | None] = dict.fromkeys(name for name, _steps in PHASES)
    for entry in entries:
        for index, (name, steps) in enumerate(PHASES):
            later = any(ends[after] is not None for after, _steps in PHASES[index + 1 :])
            if entry.get("state") == "done" and entry.get("step") in steps and not later:
                ends[name] = _when(entry, times)
    return ends


def _when(entry: Entry, times: Mapping[int, float]) -> float:
    """When the step's work was done: what was armed had done it before its step came to collect the result."""
    at, armed = times[int(entry["seq"])], (entry.get("data") or {}).get("armed_monotonic_ns")
    return at - (int(entry["monotonic_ns"]) - int(armed)) / 1e9 if armed else at


def steps_of(entries: Iterable[Entry], times: Mapping[int, float]) -> list[dict[str, Any]]:
    """Every step in the order of its begin: when it began, how long it took (null: not known), how it ended."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        step, state, data = str(entry.get("step")), str(entry.get("state")), entry.get("data") or {}
        if step in ("outcome", "journal"):
            continue
        now, member = times[int(entry["seq"])], data.get("member")
        row = _open(found, step, member) if state in ENDED else None
        if row is None:
            row = {"step": step, "member": member, "state": state, "began": text_of(now), "at": now, "seconds": None}
            found.append(row)
        else:
            row.update(state=state, seconds=round(now - row["at"], 6))
        row["message"] = str(data.get("message") or data.get("msg") or _fault(data.get("fault")))
    return [{key: value for key, value in row.items() if key != "at"} for row in found]


def words_of(name: str) -> str:
    """A file's name as words: `primary_crashed` is `primary crashed`."""
    return " ".join(name.replace("_", " ").replace("-", " ").split())


def _fault(value: Any) -> str:
    """What a step of a drill did to break or to heal a member; nothing for any other step."""
    if not isinstance(value, Mapping):
        return ""
    what = words_of(str(value.get("name") or "a fault")) + (f" on {value['member']}" if value.get("member") else "")
    state = "healed" if "healed" in value else "injected" if "injected" in value else "about to be injected"
    return f"{what}: {state}"


def _open(rows: Sequence[dict[str, Any]], step: str, member: Any) -> dict[str, Any] | None:
    """The row that was started and not ended: of the same member, else of the same step."""
    candidates = [row for row in rows if row["step"] == step and row["state"] == "started"]
    return next((row for row in candidates if row["member"] == member), candidates[0] if candidates else None)
