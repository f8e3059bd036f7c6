# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Change the role of one PostgreSQL member; documented in plugins/modules/postgresql_member.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, StepRefused, merged_fact
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member, MemberError, MemberRefused

#: The journal knows a change of role by what it means for the service.
JOURNAL = {"stopped": "demote", "primary": "promote", "settled": "protect", "replica": "rejoin"}
FACTS = {"stopped": "continuity_demoted", "primary": "continuity_promoted", "replica": "continuity_rejoined"}


class ActionModule(Step):
    module = "postgresql_member"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        lease = self.lease_of(args)
        try:
            cluster = Cluster.from_member(args["member"])
            member = Member(args["service"], cluster, lease, self.execute, check_mode=self.check_mode)
            result = member.bring_to(args)
        except MemberRefused as refused:
            raise StepRefused([refused.refusal], **refused.result) from None
        except MemberError as error:
            raise StepFailed(str(error), reason=error.reason, **error.result) from None
        except ValueError as error:
            raise StepFailed(str(error), reason="bad_input") from None
        if args["state"] not in FACTS:
            return result
        # What the next steps rest on: where the old primary stopped, where the new one began
        facts = {FACTS[args["state"]]: dict(result)}
        if args["state"] == "stopped":
            facts |= merged_fact(task_vars, "continuity_fenced", {args["member"]["host"]: time.time()})
        return {**result, "ansible_facts": facts}

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self.journal_step = JOURNAL.get(str(self._task.args.get("state")))
        return super().run(tmp, task_vars)
