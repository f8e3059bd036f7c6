# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fence by systemd units; documented in plugins/modules/systemd_fence.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import systemd
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, merged_fact

JOURNAL = {"fenced": "fence", "released": "release"}


class ActionModule(Step):
    module = "systemd_fence"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        units, ports, service = args["units"], args["ports"], args["service"]
        lease = self.lease_of(args)
        if self.check_mode or args["state"] == "proven":
            proof = systemd.parse(self.execute(systemd.prove_script(units, ports), 5).stdout, units)
            changed = {"fenced": not proof.fenced, "released": proof.masked, "proven": False}[args["state"]]
            return self._result(proof, changed, must=args["state"] == "proven")
        if args["state"] == "released":
            output = self.execute(systemd.release_script(service, lease, units, ports), 10)
            self.raise_if_refused(output, lease)
            proof = systemd.parse(output.stdout, units)
            if proof.masked or not proof.units:
                raise StepFailed(
                    f"{self._host()} is still fenced: {proof}. Unmask the unit on the machine",
                    reason="not_released",
                    fenced=proof.fenced,
                    evidence=str(proof),
                )
            return self._result(proof, "@@changed" in output.stdout.split(), must=False)
        output = self.execute(systemd.fence_script(service, lease, units, ports, args["timeout"]), args["timeout"] + 10)
        self.raise_if_refused(output, lease)
        # From the proof on no write may come from there: the canary watches for it
        result = self._result(systemd.parse(output.stdout, units), "@@changed" in output.stdout.split(), must=True)
        return {**result, "ansible_facts": merged_fact(task_vars, "continuity_fenced", {self._host(): time.time()})}

    def _result(self, proof: systemd.Proof, changed: bool, *, must: bool) -> dict[str, Any]:
        evidence = str(proof) or "nothing was read back"
        if must and not proof.fenced:
            raise StepFailed(
                f"{self._host()} is not fenced: {evidence}. Nothing was promoted. "
                "Look at the unit on the machine, then run the verb again",
                reason="not_fenced",
                fenced=False,
                evidence=evidence,
            )
        return {"changed": changed, "fenced": proof.fenced, "evidence": evidence, "level": 3 if proof.fenced else 0}

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self.journal_step = JOURNAL.get(str(self._task.args.get("state")))
        return super().run(tmp, task_vars)
