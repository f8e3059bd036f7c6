# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Begin and end one service's walk; documented in plugins/modules/outcome.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import run, spine
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed
from ansible_collections.continuity.dr.plugins.plugin_utils.core import watched
from ansible_collections.continuity.dr.plugins.plugin_utils.core.walk import layout, stopped_by

#: Facts that a step of an earlier stage of this run left behind; a new walk begins without them.
LEFT_BEHIND = (
    "continuity_armed",
    "continuity_demoted",
    "continuity_promoted",
    "continuity_rejoined",
    "service_fence_failures",
    "service_freezing",
    "continuity_endpoint_pointed",
    "continuity_endpoint_prepared",
    "continuity_claims",
    "continuity_fenced",
    "continuity_fence_evidence",
    "continuity_fence_gate",
)


class ActionModule(Step):
    module = "outcome"
    journal_step = "outcome"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        if args["state"] == "begun":
            return self._begin(args["service"], task_vars)
        current, facts = run.current(), task_vars.get("ansible_facts") or {}
        if args["state"] == "done" and current is not None and not self.check_mode:
            # A failover right after this one proves with it what the primary's replicas had confirmed
            spine.remember(current, args["service"], spine.verified(args["service"], facts))
        said = {key: args[key] for key in ("state", "message", "next_command")}
        ended = {**args["data"], **said}
        return {"changed": False, "outcome": ended, "ansible_facts": {"continuity_outcome": ended}}

    def _begin(self, service: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        current = run.current()
        if current is None or service not in current.services:
            raise StepFailed(f"{service} is not in this run; outcome is a step of the verbs", reason="no_run")
        facts_before = task_vars.get("ansible_facts") or {}
        decision = facts_before.get("continuity_decision") or {}
        endpoints = facts_before.get("continuity_endpoint_observed") or {}
        outcomes = {
            name: (task_vars["hostvars"][name].get("ansible_facts") or {}).get("continuity_outcome") or {}
            for name in current.services[service]["depends_on"]
            if name in current.services
        }
        blocked = stopped_by(outcomes)
        steps = layout(decision)
        ready = bool(decision.get("steps")) and not blocked
        plan = current.services[service]
        unstarted = self._unstarted(decision, blocked)
        facts: dict[str, Any] = {
            "continuity_walk": {
                "steps": steps,
                "proceed": ready and not self.check_mode,
                "blocked_by": blocked,
                "members": {member["host"]: dict(member) for member in plan["members"]},
                "run_id": current.run_id,
                "owner": current.operator,
                "break_run": current.inputs.get("break_lease") or "",
                "directory": current.directory,
                "started": time.time(),
                "minimum_epoch": max(int(decision.get("epoch") or 1) - 1, 0),
                "gives_back": self._gives_back(decision, unstarted),
                # Known once: each of the fifty places that ask for it would find it out anew, some of them in an outage
                "answering": [name for name, seen in endpoints.items() if seen.get("reachable")],
            },
            "continuity_outcome": unstarted,
            **{name: {} for name in LEFT_BEHIND},
            # Proof of an earlier walk is none for this one, but the canary goes on watching what it proved
            watched.BEFORE: watched.windows(facts_before),
        }
        return {
            "changed": ready and self.check_mode,
            "proceed": facts["continuity_walk"]["proceed"],
            "steps": steps,
            "outcome": facts["continuity_outcome"],
            "ansible_facts": facts,
        }

    def _gives_back(self, decision: Mapping[str, Any], unstarted: Mapping[str, Any]) -> list[str]:
        """Where this run, refused, leaves nothing behind of what it took before it was cut off."""
        refused = unstarted["state"] == "refused" and not self.check_mode
        return list(decision.get("gives_back") or ()) if refused else []

    @staticmethod
    def _unstarted(decision: Mapping[str, Any], blocked: str) -> dict[str, Any]:
        if blocked:
            return {"state": "refused", "message": blocked}
        if decision.get("refused") or not decision:
            rules = ", ".join(refusal["rule"] for refusal in decision.get("refusals") or ())
            return {"state": "refused", "message": rules or "no decision was made"}
        return {"state": "done" if decision.get("goal_reached") else "begun", "message": ""}

    def journal_data(self, args: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
        return dict(result.get("outcome") or {})

    def _write(
        self, task_vars: Mapping[str, Any], args: Mapping[str, Any], state: str, result: Mapping[str, Any]
    ) -> None:
        # Only an end is an outcome: the journal's line carries how the service ended, not that this task ran
        ended = str((result.get("outcome") or {}).get("state") or "")
        if ended in ("done", "failed", "refused"):
            super()._write(task_vars, args, ended, result)
