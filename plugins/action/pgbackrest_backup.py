# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make, verify and schedule backups; documented in plugins/modules/pgbackrest_backup.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.make import Maker
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.options import planned
from ansible_collections.continuity.dr.plugins.plugin_utils.member_step import MemberStep


class ActionModule(MemberStep):
    module = "pgbackrest_backup"
    journal_step = "backup"

    def member_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        stanza, plan = planned(args["backup"], args["member"])
        maker = Maker(args["service"], stanza, self.lease_of(args), self.execute, check_mode=self.check_mode)
        if args["state"] == "scheduled":
            return maker.scheduled(plan)
        if args["state"] == "verified":
            return maker.verified(args["repositories"])
        result = maker.present(plan, args["kind"], args["repositories"])
        return {**result, "ansible_facts": {"continuity_backed_up": dict(result)}}
