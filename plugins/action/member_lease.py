# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hold the lease on one member; documented in plugins/modules/member_lease.py."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import lease, run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, StepRefused
from ansible_collections.continuity.dr.plugins.plugin_utils.core.holding import QUIET_SECONDS
from ansible_collections.continuity.dr.plugins.plugin_utils.not_after import seconds_left, slept


class ActionModule(Step):
    module = "member_lease"
    journal_step = "lease"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        held = args["state"] == "held"
        if self.check_mode:
            return {"changed": False, "held": False}
        mine = lease.Lease(args["service"], args["run_id"], args["epoch"], args["owner"])
        if held:
            seconds = self._seconds(args)
            script = lease.acquire_script(mine, seconds, args["break_run"], quiet_seconds())
        else:
            script = lease.release_script(mine, args["promotion"])
        output = self.execute(script, timeout=5)
        self.raise_if_refused(output, mine)
        if output.rc != 0:
            said = [
                line.removeprefix("@@failed ") for line in output.stdout.splitlines() if line.startswith("@@failed ")
            ]
            why = said[0] if said else output.stdout.strip() or output.stderr.strip()
            raise StepFailed(
                f"{self._host()}: the lease could not be written: {why}. "
                f"{lease.STATE_DIRECTORY} must exist and belong to the login",
                reason="lease_failed",
            )
        lines = output.stdout.splitlines()
        if not held and "@@released" not in lines:
            raise StepFailed(
                f"{self._host()} did not say that the lease is released: {output.stderr.strip() or 'no answer'}. "
                "It ends by itself; run the verb again, which releases it too",
                reason="lease_failed",
            )
        result: dict[str, Any] = {"changed": "@@changed" in lines, "held": held}
        if held:
            broken = [line.removeprefix("@@broken ") for line in lines if line.startswith("@@broken ")]
            result["broken"] = broken[0] if broken else None
            result.update(seconds=seconds, monotonic=time.monotonic())
        return result

    def _seconds(self, args: Mapping[str, Any]) -> int:
        """How long the lease may last: never longer than the claim that it stands for."""
        now = time.time()  # once: a lease must not be asked for with none of its seconds left
        if refusals := slept(args["not_after"], f"the lease on {self._host()}", now):
            raise StepRefused(refusals)
        seconds = int(args["seconds"])
        return seconds if args["not_after"] is None else min(seconds, seconds_left(args["not_after"], now))

    def progress_subject(self, args: Mapping[str, Any]) -> str | None:
        return f"{self._task.delegate_to or ''}{'' if args['state'] == 'held' else ' returned'}".strip()


def quiet_seconds() -> int:
    """For how long a run must have begun no step before its lease may be broken.

    At least since this run began: what it observed, and decided from, is then not changed behind its back.
    """
    current = run.current()
    begun = 0.0 if current is None else (time.monotonic_ns() - current.started_monotonic_ns) / 1e9
    return max(QUIET_SECONDS, math.ceil(begun) + 1)
