# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make, verify and schedule backups; documented in plugins/modules/pgbackrest_backup.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, StepRefused
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.make import Maker
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.options import schedule_of
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused


class ActionModule(Step):
    module = "pgbackrest_backup"
    journal_step = "backup"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        lease = self.lease_of(args)
        try:
            stanza, plan = Stanza.from_options(args["backup"], args["member"]), schedule_of(args["backup"])
            maker = Maker(args["service"], stanza, lease, self.execute, check_mode=self.check_mode)
            if args["state"] == "scheduled":
                return maker.scheduled(plan)
            if args["state"] == "verified":
                return maker.verified(args["repositories"])
            result = maker.present(plan, args["kind"], args["repositories"])
        except MemberRefused as refused:
            raise StepRefused([refused.refusal], **refused.result) from None
        except MemberError as error:
            raise StepFailed(str(error), reason=error.reason, **error.result) from None
        except ValueError as error:
            raise StepFailed(f"backup: {error}", reason="bad_input") from None
        return {**result, "ansible_facts": {"continuity_backed_up": dict(result)}}
