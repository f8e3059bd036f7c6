# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Note a drill's fault; documented in plugins/modules/drill_fault.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import (
    Step,
    StepFailed,
    StepRefused,
    merged_fact,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal

#: What Ansible's module `command` says where there is no such program; its name stands in the command alone.
NOT_STARTED = ("Error executing command", "[Errno 2]")
#: Enough to know a command again; a script in it would push what to do out of sight.
COMMAND_LENGTH = 120


class ActionModule(Step):
    module = "drill_fault"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        if args["state"] == "failed":
            why = why_failed(args["fault"], args["task"] or "", args["failure"] or {})
            raise StepFailed(why, reason="fault_failed")
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
        untold = args["state"] in ("injecting", "failed")
        return None if untold else f"{PurePath(args['fault']).stem} on {args['member']}"

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        heals = self._task.args.get("state") == "healed" or self.stage(task_vars or {}) == "heal"
        self.journal_step = "heal" if heals else "inject"
        return super().run(tmp, task_vars)


def why_failed(fault: str, task: str, failure: Mapping[str, Any]) -> str:
    """Which command of a fault's file failed, what it said, and what to do: Ansible's own message may name nothing."""
    said = str(failure.get("msg") or "it said nothing").rstrip(".")
    words = failure.get("cmd") or ""
    command = " ".join((" ".join(map(str, words)) if isinstance(words, (list, tuple)) else str(words)).split())
    lines = [*str(failure.get("stderr") or "").split("\n"), *str(failure.get("stdout") or "").split("\n")]
    told = next((line.strip() for line in lines if line.strip()), "")
    shown = command if len(command) <= COMMAND_LENGTH else command[: COMMAND_LENGTH - 3] + "..."
    where = f'{fault}: the task "{task}" failed: ' + "; ".join(filter(None, [said, told]))
    if not command:
        return f"{where}. Mend it, then run the drill again"
    if not told and said.startswith(NOT_STARTED):
        what = f"The program {command.split()[0]} is not there. Install it where the task runs ({shown})"
    else:
        what = f"The command was: {shown}. Run it by hand where the task runs it, and mend that"
    return f"{where}. {what}, then drill again"
