# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judge a restore drill; documented in plugins/modules/restore_drill.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_drill import findings


class ActionModule(Step):
    module = "restore_drill"
    journal_step = "restore_drill"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        found = findings(args["restores"], args["controls"], args["rto_seconds"], args["rpo_seconds"])
        for each in args["restores"]:
            took, age = each.get("seconds"), each.get("newest_row_age_seconds")
            told = f"{each.get('label')} restored and proven in {took} s, its newest row is {age} s old"
            self._display.display(f"{args['service']}: copy {each['copy']}: {told}")
        met = sum(each["seen"] == each["expected"] for each in args["controls"])
        self._display.display(f"{args['service']}: {met} of {len(args['controls'])} controls met with their own reason")
        result = {"changed": False, "findings": found}
        if found and not self.check_mode:
            raise StepFailed("; ".join(found), reason="drill_failed", **result)
        return result
