# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Move a DNS record, or watch it arrive; documented in plugins/modules/dns_switch.py."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.continuity.dr.plugins.plugin_utils import armed, run
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Question
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import Client, ask_server
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.options import (
    TTL_ONLY,
    read_switch,
    read_verification,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.outcome import describe, diff
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch import Switch
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.verify import Verification
from ansible_collections.continuity.dr.plugins.plugin_utils.dns_step import DnsStep, client, with_fact

#: What a promotion is announced as, by whichever engine, with the `address` of the new primary.
PROMOTED = "promoted"
ARMED_SECONDS = 60.0
FACTS = {"prepared": "continuity_endpoint_prepared", "restored": "continuity_endpoint_restored"}


class ActionModule(DnsStep):
    module = "dns_switch"
    journal_step = "point"
    journal_steps: ClassVar[Mapping[str, str]] = {
        "verified": "verify",
        "armed": "arm",
        "prepared": "lower_ttl",
        "restored": "restore_ttl",
    }

    def dns_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        if args["state"] == "verified":
            return with_fact(self._verify(args), "continuity_endpoint_verified", task_vars)
        if args["state"] == "armed":
            return self._arm(args, task_vars)
        if args["state"] in TTL_ONLY:
            return self._time_to_live(args, task_vars)
        return with_fact(self._collected(args, task_vars), "continuity_endpoint_pointed", task_vars)

    def _switch(self, args: dict[str, Any], opened: Client | None = None) -> dict[str, Any]:
        target, wanted = read_switch(args)
        with opened or client(target) as primary:
            switch = Switch(target, args["type"], wanted, primary, Clock(), args["deadline"])
            outcome = switch.plan(args["guard"]) if self.check_mode else switch.run(args["guard"])
        result = describe(outcome, target, args["type"], wanted)
        if self.diff_mode:
            result["diff"] = diff(outcome, target, args["type"])
        return result

    def _time_to_live(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Change the time to live alone. What comes later under the same claim needs the guard as it stands now."""
        told = with_fact(self._switch(args), FACTS[args["state"]], task_vars)
        claim = ((task_vars.get("ansible_facts") or {}).get("continuity_claims") or {}).get(args["name"])
        if not claim or self.check_mode:
            return told
        after = with_fact({**claim, "guard": told["after"]["guard"]}, "continuity_claims", task_vars)
        return {**told, "ansible_facts": {**told["ansible_facts"], **after["ansible_facts"]}}

    def _arm(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Have the same switch wait for the promotion, with its connection open."""
        target, _wanted = read_switch(args)
        place, told = self._place(args, task_vars), {"changed": False, "name": args["name"]}
        if place is None:
            return {**told, "armed": False}

        def prepare() -> armed.Work:
            self.detach()
            primary = client(target)
            with contextlib.suppress(DnsError):  # the switch says what is wrong
                primary.ask(Question(target.zone, "SOA"))
            return lambda message: self._fire(args, message, primary)

        armed.start(place, PROMOTED, f"point-{args['name'].rstrip('.')}", prepare, ARMED_SECONDS)
        return {**told, "armed": True, "seconds": ARMED_SECONDS, "server": target.server_names}

    def _fire(self, args: dict[str, Any], promoted: Mapping[str, Any], primary: Client) -> dict[str, Any]:
        """Switch to the member that was promoted; nothing where it is another one than the record is to name."""
        if promoted.get("address") not in args["value"]:
            return {}
        try:
            return {**self._switch(args, primary), "armed_monotonic_ns": time.monotonic_ns()}
        except DnsError:  # the step itself tries again, and says what is wrong
            return {}

    def _collected(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """What the armed switch came to, else the switch itself."""
        place = self._place(args, task_vars)
        fired = armed.collect(place, f"point-{args['name'].rstrip('.')}", args["deadline"]) if place else None
        return {**fired.result, "armed": True} if fired and fired.result else self._switch(args)

    def _place(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> armed.Place | None:
        """Where this run's service meets what it armed; None outside a run, and where nothing may be changed."""
        current, service = run.current(), self._service(task_vars, args)
        return armed.Place.of(current.directory, service) if current and service and not self.check_mode else None

    def progress_subject(self, args: Mapping[str, Any]) -> str | None:
        """Nothing that is only made ready is worth a line."""
        return None if args["state"] == "armed" else super().progress_subject(args)

    def _verify(self, args: dict[str, Any]) -> dict[str, Any]:
        target, goal = read_verification(args)
        with client(target) as primary:
            return Verification(target, args["type"], goal, primary, Clock(), ask_server).run()
