# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The step `canary`: its documentation is in plugins/modules/canary.py, its work in plugins/plugin_utils/canary."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed
from ansible_collections.continuity.dr.plugins.plugin_utils.canary import steps
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError


class ActionModule(Step):
    module = "canary"
    secrets = ("password", "owner_password")
    journal_step = "canary"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        current = run.current()
        if current is not None:  # within a verb the run's own id and folder need not be repeated
            args["run_id"] = args.get("run_id") or current.run_id
            args["directory"] = args.get("directory") or os.path.join(current.directory, "canary")
            args["stage"] = args.get("stage") or self.stage(task_vars)
        try:
            return steps.do(args, self.check_mode)
        except CanaryError as error:
            raise StepFailed(str(error), reason=error.reason, **error.fields) from None

    def journal_intent(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return {"state": args.get("state"), "endpoint": args.get("endpoint"), "rate": args.get("rate")}

    def progress_subject(self, args: Mapping[str, Any]) -> str | None:
        return str(args["state"]).replace("_", " ")
