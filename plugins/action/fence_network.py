# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Set, read and delete the packet rules of one guard; documented in plugins/modules/fence_network.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, StepRefused, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.fence import network
from ansible_collections.continuity.dr.plugins.plugin_utils.not_after import slept

JOURNAL = {"fenced": "isolate", "released": "release"}


class ActionModule(Step):
    module = "fence_network"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        try:
            target = network.Target(args["service"], args["member"], tuple(args["addresses"]), tuple(args["ports"]))
        except network.BadTarget as error:
            raise StepFailed(str(error), reason="bad_input") from None
        state, self._began = args["state"], time.time()
        stand, why = self._asked(network.read_script(target), look=state == "proven")
        if state == "proven":
            return self._told(target, stand, changed=False, why=why)
        there = stand.isolates(target)
        wanted = there if state == "fenced" else stand.absent
        if self.check_mode or wanted:
            return self._told(target, stand, changed=not wanted, why=why)
        step = f"the fence of {target.member} at {self._host()}"
        if state == "fenced" and (refusals := slept(args["not_after"], step, time.time())):
            raise StepRefused(refusals)
        script = network.isolate_script if state == "fenced" else network.release_script
        stand, why = self._asked(script(target), look=False)
        if not (stand.isolates(target) if state == "fenced" else stand.absent):
            shown = "; ".join(stand.weakened_by) or "the rules that it shows are others"
            raise StepFailed(
                f"{self._host()} {'does not drop' if state == 'fenced' else 'still drops'} the packets of "
                f"{target.service} on {target.member}: {why or shown}. "
                f"Look at `nft list table inet {target.table}` there, and at the login's rights",
                reason=f"not_{state}",
                isolated=stand.isolates(target),
            )
        return self._told(target, stand, changed=True, why="")

    def _asked(self, script: str, *, look: bool) -> tuple[network.Stand, str]:
        """What the guard shows; a guard that is only looked at may be out of reach, which is an answer too."""
        try:
            output = self.execute(script, 10)
        except Unreachable as lost:
            if not look:
                raise
            return network.Stand(None), str(lost)
        return network.parse(output.stdout), (output.stderr.strip().splitlines() or [""])[-1]

    def _told(self, target: network.Target, stand: network.Stand, *, changed: bool, why: str) -> dict[str, Any]:
        return {
            "changed": changed,
            "guard": self._host(),
            "known": stand.rules is not None,
            "asked": self._began,
            "isolated": stand.isolates(target),
            "absent": stand.absent,
            "dropped": stand.dropped,
            "weakened_by": list(stand.weakened_by),
            "table": target.table,
            **({"why": why} if why and stand.rules is None else {}),
        }

    def journal_intent(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return {"member": args["member"], "guard": self._host()}

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self.journal_step = JOURNAL.get(str(self._task.args.get("state")))
        return super().run(tmp, task_vars)
