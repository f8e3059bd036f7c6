# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a service stands at the end of a procedure, without what differs between two runs that did the same.

Two runs of one procedure end alike: roles, timelines (a promotion more is a timeline more), replication, units, masks,
names, and what the collection keeps on the members. What grows by itself is left out: epochs, times, serials.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import state
from topology import CLUSTERS

#: A server that has just begun to stream, or a zone that is being transferred, settles within moments.
SETTLE_SECONDS = 5.0
KEPT = re.compile(r"/var/lib/continuity/(?P<service>[^/]+)/(?P<file>[^:]+):(?P<text>.*)")
#: In a promotion record: which server it was, and on which timeline.
RECORDED = re.compile(r'"(member|timeline)": "?([^",}]+)')
#: What an armed promotion leaves until the next one clears it away; it does nothing.
IGNORED = re.compile(r"armed/")
UNITS = {one.unit: one.service for one in CLUSTERS}


def reading(look: Mapping[str, Any], service: str, timeline: int) -> dict[str, Any]:
    """One service's part of what `state.look` saw. Timelines are counted from the one before the procedure."""
    seen = look["services"][service]
    return {
        "machines": dict(look["machines"]),
        "members": {name: _counted(said, timeline) for name, said in seen["members"].items()},
        "names": {
            server: {"address": answer["A"], "claim": claim(answer["TXT"])} for server, answer in seen["names"].items()
        },
        "kept": {name: kept(text.splitlines(), service, timeline) for name, text in look["traces"].items()},
    }


def _counted(said: Mapping[str, str], timeline: int) -> dict[str, str]:
    counted = {"timeline": str(int(said["timeline"]) - timeline)} if said.get("timeline", "").isdigit() else {}
    return {**said, **counted}


def claim(text: str) -> str:
    """Whether a claim is open, from the guard's text. A claim is closed with the move of its record, or given back.

    >>> claim('"epoch=7 run=r state=switched until=2026-11-22T03:17:00Z owner=me@here"')
    'closed'
    """
    found = re.search(r"state=(\w+)", text)
    return {"switched": "closed", "released": "closed"}.get(found[1], found[1]) if found else text


def kept(lines: Iterable[str], service: str, timeline: int) -> dict[str, str]:
    """What the collection keeps of a service on one member, and what else a procedure leaves there."""
    found: dict[str, str] = {}
    for line in lines:
        if match := KEPT.fullmatch(line):
            if match["service"] == service and not IGNORED.match(match["file"]):
                words = _recorded(match["text"], timeline) if match["file"] == "promotion" else []
                found[match["file"]] = " ".join([*filter(None, [found.get(match["file"])]), *words])
        elif unit := next((name for name in UNITS if line.endswith(f"/{name}")), ""):
            if UNITS[unit] == service:
                found[line] = "masked"
        elif "InvocationID=" not in line and not re.fullmatch(r"\d+ \d+", line):
            found[line] = "yes"  # a paused replay
    return found


def _recorded(text: str, timeline: int) -> list[str]:
    """Who was promoted, and by how many timelines."""
    said = RECORDED.findall(text)
    return [f"{key} {int(value) - timeline if key == 'timeline' else value}" for key, value in said]


def differences(expected: Mapping[str, Any], look: Callable[[], Mapping[str, Any]]) -> list[str]:
    """What a reading has that was not expected, after moments in which it may settle."""
    return settled(lambda: state.differences(expected, look()), SETTLE_SECONDS)


def settled(look: Callable[[], list[str]], seconds: float) -> list[str]:
    """The findings that stay."""
    until = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < until:
        time.sleep(0.3)
    return found
