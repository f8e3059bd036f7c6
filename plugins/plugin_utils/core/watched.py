# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From where no write may come, and since when: every proof of a fence in this run, until its member serves again.

A run has several walks. A member that the first one fenced must not acknowledge a write in the second one either,
whatever lifted its fence meanwhile: as a replica it takes none. Only a walk that has it serve again ends that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The fact that holds what earlier walks of the run have fenced.
BEFORE = "continuity_fenced_before"
ENDED = ("done", "failed", "refused")


def windows(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The windows of a service, as the option `fenced` of the step `canary` takes them, from its facts.

    A walk that is under way ends none: its own measurement knows the new primary by its timeline. Raises KeyError where
    somebody was fenced who is no member of the service.
    """
    found = [dict(one) for one in facts.get(BEFORE) or ()]
    walk = facts.get("continuity_walk")
    if not walk:
        return found
    members = walk["members"]
    for name, since in sorted((facts.get("continuity_fenced") or {}).items()):
        addresses = {members[name]["address"], members[name].get("replication_address") or members[name]["address"]}
        found.append({"member": name, "addresses": sorted(addresses), "since": str(since)})
    served = _served(walk, facts)
    for one in found:
        if one["member"] == served:
            one.setdefault("until", str(walk["started"]))
    return found


def _served(walk: Mapping[str, Any], facts: Mapping[str, Any]) -> str | None:
    """Whom the walk has ended with as primary, as far as it is known: undone it is the one that was before.

    A walk that did not begin, or did not come to its freeze, has changed no primary.
    """
    steps, outcome = walk["steps"], facts.get("continuity_outcome") or {}
    frozen = steps.get("demote") is None or facts.get("service_freezing")
    if outcome.get("state") not in ENDED or not walk["proceed"] or not frozen:
        return None
    served = steps.get("demote") if outcome.get("undone") else steps.get("promote")
    return None if served is None else str(served)
