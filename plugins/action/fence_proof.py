# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate in front of a promotion; documented in plugins/modules/fence_proof.py."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence, strongest


class ActionModule(Step):
    module = "fence_proof"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        facts = (task_vars.get("ansible_facts") or {}).get("continuity_fence_evidence") or {}
        known = [Evidence.from_dict(each) for each in facts.values()]
        found = strongest(known, args["since"])
        minimum = max(1, args["min_level"])  # a word is no proof: whoever is taken at it has no fence step
        lacking = [name for name in args["members"] if name not in found or not found[name].proves(minimum)]
        if lacking:
            said = [*args["failures"], *(str(found[name]) for name in lacking if name in found)]
            raise StepFailed(
                f"{', '.join(lacking)} is not fenced: nothing of level {minimum} was read back. "
                f"{' '.join(map(_sentence, said)) or 'No fence said anything.'} Nothing was promoted",
                reason="not_fenced",
                lacking=lacking,
            )
        now = time.time()
        looks = [each for each in args["looks"] if each.get("asked")]  # a look that was left out has none
        if alive := [each for look in looks for each in (look, look.get("controller") or {}) if each.get("alive")]:
            seen = "; ".join(str(each["text"]) for each in alive)
            raise StepFailed(
                f"a member that was silent answers: {seen}. Mend the controller's connection to it, then run assess. "
                "Nothing was promoted",
                reason="primary_seen",
            )
        fading = [found[name] for name in args["members"] if found[name].fades]
        old = [each for each in fading if each.age(now) > args["max_age"]]
        if old:
            late = "; ".join(f"{each} was asked for {each.age(now):.0f} s ago" for each in old)
            raise StepFailed(
                f"{late}; allowed: {args['max_age']:g} s. It may be on again: run the verb again. Nothing was promoted",
                reason="not_fenced",
                lacking=[each.member for each in old],
            )
        ages = [*(each.age(now) for each in fading), *(max(0.0, now - float(look["asked"])) for look in looks)]
        if ages and max(ages) > args["max_age"]:
            raise StepFailed(
                f"who looked at the silent members did so {max(ages):.0f} s ago; allowed: {args['max_age']:g} s. "
                "One may be on again: run the verb again. Nothing was promoted",
                reason="not_fenced",
            )
        left = [_lease_left(args["lease"], max(ages), args["max_age"])] if ages else []
        earlier = ((task_vars.get("ansible_facts") or {}).get("continuity_fence_gate") or {}).get("lease_left")
        # Of two gates in a walk the one counts that allows less
        gate = {"lease_left": max((each for each in (*left, earlier) if each is not None), default=None)}
        evidence = [str(found[name]) for name in args["members"]]
        return {"changed": False, "evidence": evidence, **gate, "ansible_facts": {"continuity_fence_gate": gate}}


def _lease_left(lease: Mapping[str, Any] | None, age: float, max_age: float) -> int | None:
    """What must be left of the target's lease when it is promoted: then the proof is no older than allowed.

    A run may sleep at any moment after this one. The lease ends on the target's own clock, which goes on.
    """
    if not lease or lease.get("seconds") is None or lease.get("monotonic") is None:
        return None
    held = time.monotonic() - float(lease["monotonic"])
    return max(1, math.ceil(float(lease["seconds"]) - (held - age) - max_age))


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."
