# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fence by systemd units; documented in plugins/modules/systemd_fence.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import systemd
from ansible_collections.continuity.dr.plugins.plugin_utils.action import (
    Output,
    Step,
    StepFailed,
    Unreachable,
    merged_fact,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence, State

JOURNAL = {"fenced": "fence", "released": "release"}
LEVEL = 3


class ActionModule(Step):
    module = "systemd_fence"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        units, ports, service = args["units"], args["ports"], args["service"]
        if not units and args["state"] != "proven":
            raise StepFailed("units: name at least one; without any nothing can be proven", reason="bad_input")
        lease = self.lease_of(args)
        if self.check_mode or args["state"] == "proven":
            must = args["state"] == "proven" and args["required"]
            try:
                proof = systemd.parse(self.execute(systemd.prove_script(units, ports), 5).stdout, units)
            except Unreachable as lost:
                if must or self.check_mode:
                    raise
                return self._told(systemd.Proof((), ()), task_vars, changed=False, must=False, why=str(lost))
            changed = {"fenced": not proof.fenced, "released": proof.masked, "proven": False}[args["state"]]
            return self._told(proof, task_vars, changed=changed, must=must)
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
            return self._told(proof, task_vars, changed="@@changed" in output.stdout.split(), must=False)
        output = self._when_it_answers(systemd.fence_script(service, lease, units, ports, args["timeout"]), args)
        self.raise_if_refused(output, lease)
        proof = systemd.parse(output.stdout, units)
        return self._told(proof, task_vars, changed="@@changed" in output.stdout.split(), must=True)

    def _when_it_answers(self, script: str, args: Mapping[str, Any]) -> Output:
        """Run the script as soon as the machine lets us in: it may be booting with its database enabled.

        Its sshd may let us in before its systemd answers, so what proves nothing is tried again as well.
        """
        ends = time.monotonic() + args["answer_within"]
        while True:
            try:
                output = self.execute(script, args["timeout"] + 10)
                if time.monotonic() >= ends or systemd.parse(output.stdout, args["units"]).fenced:
                    return output
            except Unreachable:
                if time.monotonic() >= ends:
                    raise
            time.sleep(0.2)

    def _told(
        self, proof: systemd.Proof, task_vars: Mapping[str, Any], *, changed: bool, must: bool, why: str = ""
    ) -> dict[str, Any]:
        evidence = str(proof) or why or "nothing was read back"
        if must and not proof.fenced:
            raise StepFailed(
                f"{self._host()} is not fenced: {evidence}. Nothing was promoted. "
                "Look at the unit on the machine, then run the verb again",
                reason="not_fenced",
                fenced=False,
                evidence=evidence,
            )
        answers, now = bool(proof.units), time.time()
        level = LEVEL if proof.fenced else None
        state: State = "stopped" if proof.fenced else "open" if answers else "unknown"
        source = self._task.args.get("source") or "fence_systemd"
        seen = Evidence(self._host(), source, state, level, answers, LEVEL if answers else None, evidence, now)
        facts = merged_fact(task_vars, "continuity_fence_evidence", {seen.key: seen.to_dict()})
        if proof.fenced and self._task.args["state"] == "fenced":
            # From the proof on no write may come from there: the canary watches for it
            facts |= merged_fact(task_vars, "continuity_fenced", {self._host(): now})
        result = {"changed": changed, "fenced": proof.fenced, "evidence": evidence, "level": level}
        return {**result, "ansible_facts": facts}

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self.journal_step = JOURNAL.get(str(self._task.args.get("state")))
        return super().run(tmp, task_vars)
