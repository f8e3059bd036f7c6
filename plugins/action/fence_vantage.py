# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one machine sees of a member by TCP; documented in plugins/modules/fence_vantage.py."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.fence import isolation, network, vantage


class ActionModule(Step):
    module = "fence_vantage"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        try:
            target = network.Target(args["service"], args["member"], tuple(args["addresses"]), tuple(args["ports"]))
            targets = isolation.port_list(target, args["control_port"])
            script = vantage.script(targets, args["timeout"], args["hello"])
        except ValueError as error:
            raise StepFailed(str(error), reason="bad_input") from None
        seen, why = [], ""
        try:
            output = self.execute(script, args["timeout"] + 2)
            seen = vantage.parse(output.stdout, targets)
            if "@@cannot" in output.stdout or all(each.sight == "unknown" for each in seen):
                seen, why = [], output.stdout.strip() or output.stderr.strip() or "it said nothing"
        except Unreachable as lost:
            why = str(lost)
        service = [each for each in seen if each.port in target.ports]
        return {
            "changed": False,
            "vantage": self._host(),
            "member": target.member,
            "seen": [dataclasses.asdict(each) for each in seen],
            "open": any(each.sight == "open" for each in service),
            "alive": any(each.alive for each in service),
            "text": f"{self._host()} sees {', '.join(map(str, service))}" if seen else f"{self._host()}: {why}",
            "time": time.time(),
        }
