# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Observe the PostgreSQL clusters of one member; documented in plugins/modules/postgresql_member_info.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import observe, read
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream


class ActionModule(Step):
    module = "postgresql_member_info"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        members = args["members"]
        try:
            questions = [self._question(member, args["replication_logins"]) for member in members]
        except ValueError as error:
            raise StepFailed(f"members: {error}", reason="bad_input") from None
        why, asked = "", time.time()
        try:
            output = self.execute(observe.script(questions), observe.bound(len(questions)), connect=0)
            answers = observe.parse(output.stdout)
            missing = [member["service"] for member in members if member["service"] not in answers]
            if missing:
                said = (output.stderr.strip().splitlines() or ["it said nothing"])[-1]
                why = f"{self._host()} gave no answer about {', '.join(missing)}: {said}"
        except Unreachable as lost:
            answers, why = {}, str(lost)
        observed: dict[str, Any] = {}
        for member in members:
            name, cluster = member["service"], Cluster.from_member(member)
            where = (member["host"], member.get("site", ""), member.get("address", ""))
            observed[name] = asdict(replace(read.observation(*where, answers.get(name), cluster), asked=asked))
        result: dict[str, Any] = {
            "changed": False,
            "observed": observed,
            "ansible_facts": {"continuity_observed": observed},
        }
        return {**result, "unreachable_reason": why} if why else result

    @staticmethod
    def _question(member: Mapping[str, Any], logins: bool) -> observe.Question:
        if not member.get("service"):
            raise ValueError("service: give the name of the service that the cluster carries")
        peers = [Upstream.from_member(peer) for peer in member.get("peers") or ()] if logins else []
        return observe.Question(member["service"], Cluster.from_member(member), peers)
