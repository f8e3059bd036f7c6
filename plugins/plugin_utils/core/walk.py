# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a decision is laid out for the tasks that carry it out, and what keeps a service from starting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

#: Steps that happen at several members; the others happen at one or at none.
MANY = ("lease", "fence", "rejoin", "release")
ONE = ("demote", "promote", "verify")


def layout(decision: Mapping[str, Any]) -> dict[str, Any]:
    """The steps of a decision (as a dict) by name.

    >>> layout({"steps": [{"name": "claim", "member": None}, {"name": "lease", "member": "db1"}]})["lease"]
    ['db1']
    """
    steps = decision.get("steps") or ()
    found: dict[str, Any] = {name: [s["member"] for s in steps if s["name"] == name] for name in MANY}
    for name in ONE:
        found[name] = next((s["member"] for s in steps if s["name"] == name), None)
    found["tries"] = _tries(_by_fence(decision.get("fences") or {}, found["fence"]), decision.get("observed") or {})
    observed = decision.get("observed") or {}
    silent = [name for name, seen in observed.items() if not seen.get("reachable")]
    # On an operator's word nothing keeps them down: right before the promotion somebody looks at them once more
    unplanned = found["promote"] is not None and found["demote"] is None
    found["detached"] = unplanned and bool(silent)
    found["look"] = [name for name in silent if unplanned and name not in found["fence"]]
    found["releases"] = _by_fence(decision.get("releases") or {}, [*found["release"], *found["rejoin"]])
    names = {s["name"] for s in steps}
    found["point"] = "point" in names
    found["lower_ttl"] = "lower_ttl" in names and found["demote"] is not None
    found["record"] = _entry_point(names)
    return found


def _entry_point(names: Set[str]) -> str:
    """What is done to the endpoints' records once the primary is where it shall be: an entry point of their role.

    A move leaves the plan's time to live with the new value, so there is nothing to restore behind it.
    """
    if "point" in names:
        return "point"
    if "restore_ttl" in names:
        return "restore"
    return "prepare" if "lower_ttl" in names and "demote" not in names else ""


def _by_fence(fences: Mapping[str, Sequence[str]], members: Sequence[str]) -> list[dict[str, str]]:
    """One entry for each fence at each member, in order."""
    return [{"member": member, "fence": fence} for member in members for fence in fences.get(member) or ()]


def _tries(fences: Sequence[Mapping[str, str]], observed: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each fence with the entry point of its role; right before the promotion the devices are asked again.

    What a device said at the end of its own step may have been true for a moment only. A machine that answers has said
    itself what came of it.

    >>> [each["step"] for each in _tries([{"member": "db1", "fence": "power"}], {"db1": {"reachable": False}})]
    ['fence', 'prove']
    """
    silent = [each for each in fences if not (observed.get(each["member"]) or {}).get("reachable")]
    return [{**each, "step": "fence"} for each in fences] + [{**each, "step": "prove"} for each in silent]


def stopped_by(outcomes: Mapping[str, Mapping[str, Any]]) -> str:
    """Why a service must not start: the first of those it depends on that did not end well, or nothing.

    >>> stopped_by({"accounts-db": {"state": "failed"}})
    'it depends on accounts-db, which failed in this run'
    """
    for name, outcome in outcomes.items():
        state = outcome.get("state")
        if state in ("done", "begun"):
            continue
        how = {"failed": "failed in this run", "refused": "was refused in this run"}.get(
            str(state), "came to no end in this run"
        )
        return f"it depends on {name}, which {how}"
    return ""
