# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Move a DNS record, or watch it arrive; documented in plugins/modules/dns_switch.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import ask_server
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.options import read_switch, read_verification
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.outcome import describe, diff
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch import Switch
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.verify import Verification
from ansible_collections.continuity.dr.plugins.plugin_utils.dns_step import DnsStep, client, with_fact


class ActionModule(DnsStep):
    module = "dns_switch"
    journal_step = "point"
    journal_steps: ClassVar[Mapping[str, str]] = {"verified": "verify"}

    def dns_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        if args["state"] == "verified":
            return with_fact(self._verify(args), "continuity_endpoint_verified", task_vars)
        return with_fact(self._switch(args), "continuity_endpoint_pointed", task_vars)

    def _switch(self, args: dict[str, Any]) -> dict[str, Any]:
        target, wanted = read_switch(args)
        with client(target) as primary:
            switch = Switch(target, args["type"], wanted, primary, Clock(), args["deadline"])
            outcome = switch.plan(args["guard"]) if self.check_mode else switch.run(args["guard"])
        result = describe(outcome, target, args["type"], wanted)
        if self.diff_mode:
            result["diff"] = diff(outcome, target, args["type"])
        return result

    def _verify(self, args: dict[str, Any]) -> dict[str, Any]:
        target, goal = read_verification(args)
        with client(target) as primary:
            return Verification(target, args["type"], goal, primary, Clock(), ask_server).run()
