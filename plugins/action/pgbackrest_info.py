# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Observe a service's backups from one member; documented in plugins/modules/pgbackrest_info.py."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.machine import Machine
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.options import planned
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.show import copies
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backup_problems import problems
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Found
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Problem
from ansible_collections.continuity.dr.plugins.plugin_utils.member_step import MemberStep


class ActionModule(MemberStep):
    module = "pgbackrest_info"

    def member_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        stanza, plan = planned(args["backup"], args["member"])
        host = args["member"]["host"]
        try:
            answer = Machine(args["service"], stanza, None, self.execute).ask()
        except Unreachable as lost:
            # A machine that is gone is an observation: other members see the same repositories
            seen: dict[str, Any] = {"member": host, "reachable": False, "why": str(lost)}
            return {"changed": False, "backups": seen, "ansible_facts": {"continuity_backups": seen}}
        now = answer.now if answer.now is not None else time.time()
        failing = bool(answer.server["failing"]) if answer.server and not answer.server["recovery"] else None
        found = Found(answer.repositories, (answer.timer,), failing, answer.archived_within)
        told = problems(found, plan, now)
        seen = {
            "member": host,
            "reachable": True,
            "primary": answer.timer.primary,
            "repositories": copies(answer.repositories, plan, now),
            "timer": asdict(answer.timer),
            "restore": answer.restore,
            "problems": [asdict(each) for each in told],
        }
        self._tell(args["service"], told)
        return {"changed": False, "backups": seen, "ansible_facts": {"continuity_backups": seen}}

    def _tell(self, service: str, told: Sequence[Problem]) -> None:
        """In a verb, for the person at the terminal."""
        if run.current() is None:
            return
        for each in told:
            line = f"{each.rule}: {each.message} (measured: {each.measured}; limit: {each.limit}). Next: {each.hint}"
            self._display.display(f"{service}: backups: {line}")
        if not told:
            self._display.display(f"{service}: backups: as promised")
