# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read a DNS record everywhere; documented in plugins/modules/dns_answer_info.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import ask_server
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.observe import observe
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.options import read_observation
from ansible_collections.continuity.dr.plugins.plugin_utils.dns_step import DnsStep, client, with_fact


class ActionModule(DnsStep):
    module = "dns_answer_info"

    def dns_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        target = read_observation(args)
        with client(target) as primary, client(replace(target, key=None)) as unsigned:
            seen = observe(target, args["type"], primary, unsigned if target.key else None, ask_server, Clock())
        return with_fact(seen, "continuity_endpoint_observed", task_vars)
