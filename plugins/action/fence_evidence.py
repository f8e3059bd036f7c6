# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Leave what a fence read back; documented in plugins/modules/fence_evidence.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, merged_fact
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import STRONGEST, Evidence


class ActionModule(Step):
    module = "fence_evidence"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        state = args["state"]
        level, answers = STRONGEST[state], state != "unknown"
        gives = (level or args["gives"]) if answers else None
        seen = Evidence(args["member"], args["source"], state, level, answers, gives, args["text"], time.time())
        facts = merged_fact(task_vars, "continuity_fence_evidence", {seen.key: seen.to_dict()})
        known = (task_vars.get("ansible_facts") or {}).get("continuity_fenced") or {}
        if level is not None and seen.member not in known:
            # From the first proof on no write may come from there: the canary watches for it
            facts |= merged_fact(task_vars, "continuity_fenced", {seen.member: seen.time})
        return {"changed": False, "evidence": str(seen), "level": level, "ansible_facts": facts}
