# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restore from a backup and prove it; documented in plugins/modules/pgbackrest_restore.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.options import wanted_of
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.rebuild import Rebuilder
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.swap import Swapper
from ansible_collections.continuity.dr.plugins.plugin_utils.member_step import MemberStep


class ActionModule(MemberStep):
    module = "pgbackrest_restore"
    journal_step = "restore"

    def member_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        stanza = Stanza.from_options(args["backup"], args["member"])
        kind = Rebuilder if args["state"] in ("vacant", "rebuilt") else Swapper
        member = kind(args["service"], stanza, self.lease_of(args), self.execute, check_mode=self.check_mode)
        member.tell = lambda words: self._display.display(f"{args['service']}: {words}")
        result = self._brought(member, args)
        fact = {"told": "", "vacant": "continuity_vacant"}.get(args["state"], "continuity_restored")
        return {**result, "ansible_facts": {fact: dict(result)} if fact else {}}

    @staticmethod
    def _brought(member: Swapper, args: Mapping[str, Any]) -> dict[str, Any]:
        if args["state"] == "absent":
            return member.discarded()
        if args["state"] == "told":
            return member.told(args["proof"])
        if args["state"] == "released":
            return member.released(args["confirm"])
        wanted = wanted_of(args["backup"], args)
        if isinstance(member, Rebuilder) and args["state"] == "vacant":
            return member.vacant(wanted, args["serves"])
        if args["state"] == member.state:
            return member.in_place(wanted, args["confirm"], args["timeout"])
        return member.restored(wanted)
