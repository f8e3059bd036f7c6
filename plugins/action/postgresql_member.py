# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Change the role of one PostgreSQL member; documented in plugins/modules/postgresql_member.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import armed, run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Unreachable, merged_fact
from ansible_collections.continuity.dr.plugins.plugin_utils.member_step import MemberStep
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.arming import FROZEN, Arming, announce_frozen
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member, MemberError, MemberRefused

#: The journal knows a change of role by what it means for the service.
JOURNAL = {"armed": "arm", "stopped": "demote", "primary": "promote", "settled": "protect", "replica": "rejoin"}
FACTS = {
    "armed": "continuity_armed",
    "stopped": "continuity_demoted",
    "primary": "continuity_promoted",
    "replica": "continuity_rejoined",
}
#: Only over this connection: its commands are processes of their own, so a process that waits may use it later.
ARMS_OVER = ("ssh",)


class ActionModule(MemberStep):
    module = "postgresql_member"

    def member_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        lease = self.lease_of(args)
        cluster = Cluster.from_member(args["member"])
        member = Member(args["service"], cluster, lease, self.execute, check_mode=self.check_mode)
        result = self._bring_to(member, args)
        if args["state"] not in FACTS:
            return result
        # What the next steps rest on: where the old primary stopped, where the new one began
        facts = {FACTS[args["state"]]: dict(result)}
        if args["state"] == "stopped":
            facts |= merged_fact(task_vars, "continuity_fenced", {args["member"]["host"]: time.time()})
        return {**result, "ansible_facts": facts}

    def _bring_to(self, member: Member, args: dict[str, Any]) -> dict[str, Any]:
        current = run.current()
        place = armed.Place.of(current.directory, args["service"]) if current and not self.check_mode else None
        if args["state"] == "armed":
            if place is None or self._connection.transport not in ARMS_OVER:
                why = (
                    "check mode" if self.check_mode else f"it needs a run, and the connection {' or '.join(ARMS_OVER)}"
                )
                return {"changed": False, "state": "armed", "armed": False, "why": why}
            return Arming(place, member).arm(args, self.detach, Unreachable)
        if place is None:
            return member.bring_to(args)
        if args["state"] == "primary" and args["proof_position"] is not None:
            return Arming(place, member).collect(args, Unreachable)
        return self._freeze(member, args, place) if args["state"] == "stopped" else member.bring_to(args)

    @staticmethod
    def _freeze(member: Member, args: dict[str, Any], place: armed.Place) -> dict[str, Any]:
        """Stop, and hand the proof to what is armed for it; disarm that where there is none."""
        try:
            result = member.bring_to(args)
        except (MemberRefused, MemberError, Unreachable) as error:
            error.result["disarmed"] = armed.disarm(place, FROZEN)
            raise
        announce_frozen(place, result)
        return result

    def progress_subject(self, args: Mapping[str, Any]) -> str | None:
        """Nothing that is only made ready is worth a line."""
        return None if args["state"] == "armed" else super().progress_subject(args)

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self.journal_step = JOURNAL.get(str(self._task.args.get("state")))
        return super().run(tmp, task_vars)
