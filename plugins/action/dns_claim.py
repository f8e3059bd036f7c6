# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take, renew, release or read a claim; documented in plugins/modules/dns_claim.py."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.options import read_claim
from ansible_collections.continuity.dr.plugins.plugin_utils.dns_step import DnsStep, client, with_fact


class ActionModule(DnsStep):
    module = "dns_claim"
    journal_steps: ClassVar[Mapping[str, str]] = {"claimed": "claim", "released": "release"}

    def dns_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        target, claimant = read_claim(args, f"{getpass.getuser()}@{socket.gethostname()}")
        with client(target) as primary:
            claims = Claims(target, claimant, primary, Clock(), args.get("type"))
            if args["state"] == "observed":
                return claims.observe()
            if args["state"] == "released":
                return claims.release(self.check_mode)
            return with_fact(claims.claim(self.check_mode), "continuity_claims", task_vars)
