# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate in front of a promotion; documented in plugins/modules/fence_proof.py."""

from __future__ import annotations

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
        return {"changed": False, "evidence": [str(found[name]) for name in args["members"]]}


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."
