# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fence a member by its power; documented in plugins/modules/fence_agent.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import (
    Step,
    StepFailed,
    StepRefused,
    Unreachable,
    merged_fact,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence
from ansible_collections.continuity.dr.plugins.plugin_utils.fence import agent
from ansible_collections.continuity.dr.plugins.plugin_utils.not_after import slept

JOURNAL = {"fenced": "fence", "released": "release"}
#: The fact with the fences whose options were compared with what their agents say of themselves.
CHECKED = "continuity_fence_checked"


class ActionModule(Step):
    module = "fence_agent"
    secrets = ("options", "devices")

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        member, state = args["member"], args["state"]
        try:
            fence = agent.Fence(_devices(args), self._program, agent.Clock(time.time, time.sleep), args["call_timeout"])
            if not self._checked(args, task_vars):
                fence.check()
        except agent.BadAgent as error:
            if state == "proven" and not args["required"]:
                unknown = Evidence(member, args["source"], text=str(error), time=time.time())
                return self._told(unknown, False, task_vars, must=False)
            raise StepFailed(
                f"{member} cannot be fenced from {self._host()}: {error}", reason="bad_agent", **_result(None)
            ) from None
        if self.check_mode or state == "proven":
            seen = fence.read(member, args["source"])
            changed = {"fenced": seen.state == "on", "released": seen.state == "off", "proven": False}[state]
            return self._told(seen, changed, task_vars, must=state == "proven" and args["required"])
        if state == "fenced" and (refusals := slept(args["not_after"], f"the fence of {member}", time.time())):
            raise StepRefused(refusals)
        wanted: Any = {"fenced": "off", "released": "on"}[state]
        seen, sent = fence.switch(wanted, member, args["source"], args["timeout"])
        if state == "fenced":
            return self._told(seen, sent, task_vars, must=True)
        if seen.state != "on":
            raise StepFailed(
                f"{member} was not switched on: {seen.text}. Look at the device",
                reason="not_released",
                **_result(seen),
            )
        return self._told(seen, sent, task_vars, must=False)

    def _told(self, seen: Evidence, changed: bool, task_vars: Mapping[str, Any], *, must: bool) -> dict[str, Any]:
        if must and seen.state != "off":
            raise StepFailed(
                f"{seen.member} is not fenced: {seen.text}. Look at the device, then run the verb again",
                reason="not_fenced",
                **_result(seen),
            )
        facts = merged_fact(task_vars, "continuity_fence_evidence", {seen.key: seen.to_dict()})
        if (this_run := _this_run()) and seen.state != "unknown":
            facts |= merged_fact(task_vars, CHECKED, {seen.key: this_run})
        if seen.state == "off" and self._task.args["state"] == "fenced":
            # From the proof on no write may come from there: the canary watches for it
            facts |= merged_fact(task_vars, "continuity_fenced", {seen.member: seen.time})
        return {"changed": changed, **_result(seen), "ansible_facts": facts}

    @staticmethod
    def _checked(args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> bool:
        """An earlier step of this run has compared them: neither agent nor plan changes in the middle of an outage.

        What the device says is asked anew each time.
        """
        known = ((task_vars.get("ansible_facts") or {}).get(CHECKED) or {}).get(f"{args['member']} {args['source']}")
        return known is not None and known == _this_run()

    def _program(self, script: str, seconds: float) -> agent.Answer | None:
        try:
            output = self.execute(script, seconds + 2)
        except Unreachable:
            return None
        return agent.Answer(output.rc, output.stdout, output.stderr)

    def journal_intent(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return {"member": args["member"], "by": args["source"]}

    def progress_subject(self, args: Mapping[str, Any]) -> str | None:
        return str(args["member"])

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self.journal_step = JOURNAL.get(str(self._task.args.get("state")))
        return super().run(tmp, task_vars)


def _this_run() -> str | None:
    """This process of this run: a fact cache keeps what another one was told. None outside a verb."""
    current = run.current()
    return f"{current.run_id} {current.started_monotonic_ns}" if current else None


def _devices(args: Mapping[str, Any]) -> list[agent.Device]:
    """The member's devices; what stands in ``options`` holds for each of them."""
    common = args["options"] or {}
    own = args["devices"] or [{}]
    return [agent.Device(args["agent"], {k: _text(v) for k, v in {**common, **device}.items()}) for device in own]


def _text(value: Any) -> str:
    """An option as the agents read it: YAML's true is 1."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _result(seen: Evidence | None) -> dict[str, Any]:
    if seen is None:
        return {"fenced": False, "level": None, "state": "unknown", "evidence": ""}
    return {"fenced": seen.state == "off", "level": seen.level, "state": seen.state, "evidence": str(seen)}
