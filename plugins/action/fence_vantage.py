# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one machine sees of a member by TCP; documented in plugins/modules/fence_vantage.py."""

from __future__ import annotations

import dataclasses
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.fence import isolation, network, vantage

CONTROLLER = "localhost"


class ActionModule(Step):
    module = "fence_vantage"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        try:
            target = network.Target(args["service"], args["member"], tuple(args["addresses"]), tuple(args["ports"]))
            targets = isolation.port_list(target, args["control_port"])
            script = vantage.script(targets, args["timeout"], args["hello"])
        except ValueError as error:
            raise StepFailed(str(error), reason="bad_input") from None
        limit, asked = args["timeout"] + 2, time.time()
        with ThreadPoolExecutor(1) as beside:
            here = beside.submit(_controller_said, script, limit) if args["controller_too"] else None
            looks = [_look(self._host(), self._said(script, limit), targets, target.ports)]
            if here is not None:
                looks.append(_look(CONTROLLER, here.result(), targets, target.ports))
        controller = {"controller": looks[1]} if len(looks) > 1 else {}
        return {
            "changed": False,
            "member": target.member,
            **looks[0],
            **controller,
            "asked": asked,
            "time": time.time(),
        }

    def _said(self, script: str, limit: float) -> tuple[str, str]:
        try:
            output = self.execute(script, limit)
        except Unreachable as lost:
            return "", str(lost)
        return output.stdout, output.stderr


def _controller_said(script: str, limit: float) -> tuple[str, str]:
    """The script's output and what it complained of, run here."""
    try:
        done = subprocess.run(
            ["/bin/sh", "-s"], input=script, capture_output=True, text=True, timeout=limit, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    return done.stdout, done.stderr


def _look(host: str, said: tuple[str, str], targets: Sequence[tuple[str, int]], ports: Sequence[int]) -> dict[str, Any]:
    """What a machine sees of the member; of one that could not look, why not."""
    stdout, complaint = said
    seen = vantage.parse(stdout, targets)
    if "@@cannot" in stdout or all(each.sight == "unknown" for each in seen):
        why = stdout.strip() or complaint.strip() or "it said nothing"
        return {"vantage": host, "seen": [], "open": False, "alive": False, "text": f"{host}: {why}"}
    service = [each for each in seen if each.port in ports]
    return {
        "vantage": host,
        "seen": [dataclasses.asdict(each) for each in seen],
        "open": any(each.sight == "open" for each in service),
        "alive": any(each.alive for each in service),
        "text": f"{host} sees {', '.join(map(str, service))}",
    }
