# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hold the lease on one member; documented in plugins/modules/member_lease.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed


class ActionModule(Step):
    module = "member_lease"
    journal_step = "lease"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        held = args["state"] == "held"
        if self.check_mode:
            return {"changed": False, "held": False}
        mine = lease.Lease(args["service"], args["run_id"], args["epoch"], args["owner"])
        script = lease.acquire_script(mine, args["seconds"]) if held else lease.release_script(mine)
        output = self.execute(script, timeout=5)
        self.raise_if_refused(output, mine)
        if output.rc != 0:
            raise StepFailed(
                f"{self._host()}: the lease could not be written: {output.stdout.strip() or output.stderr.strip()}. "
                f"{lease.STATE_DIRECTORY} must exist and belong to the login",
                reason="lease_failed",
            )
        return {"changed": "@@changed" in output.stdout.splitlines(), "held": held}

    def progress_subject(self, args: Mapping[str, Any]) -> str | None:
        return f"{self._task.delegate_to or ''}{'' if args['state'] == 'held' else ' given back'}".strip()
