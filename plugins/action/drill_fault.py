# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Note a drill's fault; documented in plugins/modules/drill_fault.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepRefused, merged_fact
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal


class ActionModule(Step):
    module = "drill_fault"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        now = time.time()
        known = (task_vars.get("ansible_facts") or {}).get("continuity_fault") or {}
        fault = {"name": PurePath(args["fault"]).stem, "member": args["member"]}
        if args["state"] == "injecting":
            self._refuse_if_unsafe(args, task_vars)
            fault["window_start"] = now
        elif args["state"] == "injected":
            # The fault happened between the two marks; the earlier one is never later than the fault itself
            fault.update(window_start=known.get("window_start", now), time=known.get("window_start", now), injected=now)
        else:
            return {"changed": False, "fault": {**known, "healed": now}}
        return {"changed": False, "fault": fault, "ansible_facts": merged_fact(task_vars, "continuity_fault", fault)}

    def _refuse_if_unsafe(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> None:
        current = run.current()
        environment = current.plan.get("environment") if current else None
        if environment != "drill":
            raise StepRefused(
                [
                    Refusal(
                        "drill_on_production",
                        str(environment),
                        "environment: drill",
                        "faults are injected in a drill environment only",
                        "use a plan of the drill environment",
                    )
                ]
            )
        decision = (task_vars.get("ansible_facts") or {}).get("continuity_decision") or {}
        # A service whose primary is elsewhere (source_site) is not refused, and has no member that the fault could hit
        if decision.get("refused", True) or not decision.get("from_member"):
            rules = ", ".join(refusal["rule"] for refusal in decision.get("refusals") or ()) or "nothing was decided"
            raise StepRefused(
                [
                    Refusal(
                        "baseline_refused",
                        rules,
                        "a service that could be moved now",
                        f"no fault is injected into {args['service']}",
                        "run assess and mend what it names",
                    )
                ]
            )

    def progress_subject(self, args: Mapping[str, Any]) -> str | None:
        return None if args["state"] == "injecting" else f"{PurePath(args['fault']).stem} on {args['member']}"

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self.journal_step = "heal" if self._task.args.get("state") == "healed" else "inject"
        return super().run(tmp, task_vars)
