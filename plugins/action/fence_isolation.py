# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judge whether a member is isolated; documented in plugins/modules/fence_isolation.py."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, merged_fact
from ansible_collections.continuity.dr.plugins.plugin_utils.fence import isolation, network, vantage


class ActionModule(Step):
    module = "fence_isolation"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        try:
            target = network.Target(args["service"], args["member"], tuple(args["addresses"]), tuple(args["ports"]))
        except network.BadTarget as error:
            raise StepFailed(str(error), reason="bad_input") from None
        guards = {each["guard"]: _stand(each, target) for each in args["guards"] if each.get("guard")}
        after = list(_looked(args["after"]))
        wrong = isolation.findings(target.member, list(guards), [looked.host for looked in after])
        if wrong:
            raise StepFailed("; ".join(wrong), reason="bad_input")
        asked = min((each["asked"] for each in [*args["guards"], *args["after"]] if each.get("asked")), default=None)
        seen = isolation.judge(target, guards, _looked(args["before"]), after, args["source"], time.time(), asked)
        fenced = seen.state == "isolated"
        result = {"fenced": fenced, "level": seen.level, "state": seen.state, "evidence": str(seen)}
        if not fenced and args["required"] and not self.check_mode:
            raise StepFailed(
                f"{target.member} is not isolated: {seen.text}. Needed: every guard drops its packets, and "
                f"{isolation.VANTAGES} vantage points that have a way to it find the service closed",
                reason="not_fenced",
                **result,
            )
        facts = merged_fact(task_vars, "continuity_fence_evidence", {seen.key: seen.to_dict()})
        if fenced and args["state"] == "fenced":
            facts |= merged_fact(task_vars, "continuity_fenced", {seen.member: seen.time})
        return {"changed": False, **result, "ansible_facts": facts}

    def journal_intent(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return {"member": args["member"], "by": args["source"]}

    def progress_subject(self, args: Mapping[str, Any]) -> str | None:
        return str(args["member"])

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self.journal_step = "fence" if self._task.args.get("state") == "fenced" else None
        return super().run(tmp, task_vars)


def _stand(result: Mapping[str, Any], target: network.Target) -> network.Stand:
    """What a guard's own step read back."""
    if not result.get("known"):
        return network.Stand(None)
    rules = target.rules() if result.get("isolated") else frozenset()
    weakened_by = tuple(result.get("weakened_by") or ())
    partly = not rules and not result.get("absent")
    return network.Stand(rules, int(result.get("dropped") or 0), weakened_by, others=int(partly))


def _looked(results: Iterable[Mapping[str, Any]]) -> Iterable[isolation.Looked]:
    for result in results:
        if result.get("vantage"):
            yield isolation.Looked(result["vantage"], [vantage.Seen(**seen) for seen in result.get("seen") or ()])
