# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decide about one service; documented in plugins/modules/decide.py."""

from __future__ import annotations

import dataclasses
import textwrap
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import run, spine
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed
from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide, exercise
from ansible_collections.continuity.dr.plugins.plugin_utils.core.hold_off import newest_record
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Decision, Request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View


class ActionModule(Step):
    module = "decide"
    journal_step = "decide"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        current = run.current()
        if current is None or args["service"] not in current.services:
            raise StepFailed(
                f"{args['service']} is not in this run; decide is a step of the verbs: "
                "run ansible-playbook continuity.dr.<verb>",
                reason="no_run",
            )
        endpoints = (task_vars.get("ansible_facts") or {}).get("continuity_endpoint_observed") or {}
        view = spine.view_of(current, args["service"], task_vars["hostvars"], endpoints)
        spine.write_run(current)
        if not self.check_mode:
            spine.remember(current, args["service"], view.primary)
        why_not = self._why_not_now(current, task_vars, view)
        if why_not:
            return self._nothing(args, why_not)
        request = spine.request_of(current, args["service"], args["verb"], time.time())
        decision = decide(view, self._drilled(request, current, task_vars))
        if self.stage(task_vars) == "baseline":
            decision = exercise(decision)
        for words in (text(decision), *decision.caches, *decision.notices):
            self._display.display(shown(f"{args['service']}: {words}"))
        members = current.services[args["service"]]["members"]
        ports = {member["address"]: int(member.get("port") or 5432) for member in members}
        data = {
            **decision.to_dict(),
            "ports": ports,
            "promotion": dict(newest_record(view) or {}),
            "observed": {name: _short(seen) for name, seen in view.observed.items()},
        }
        facts: dict[str, Any] = {"continuity_decision": data}
        if self.stage(task_vars) == "baseline":
            sites = {"from_site": decision.from_site, "to_site": decision.to_site}
            # A drill begins without a fault: one that a fact cache kept is another run's
            facts |= {"continuity_baseline": {**sites, "refused": decision.refused}, "continuity_fault": {}}
        facts["continuity_pending"] = self.check_mode and (bool(decision.steps) or "continuity_baseline" in facts)
        return {"changed": False, "decision": data, "ansible_facts": facts}

    def _why_not_now(self, current: run.Run, task_vars: Mapping[str, Any], view: View) -> str:
        """Why a later stage of a composed verb is not decided at all, or nothing."""
        facts = task_vars.get("ansible_facts") or {}
        if self.check_mode and facts.get("continuity_pending"):
            return "is decided when the stage before it has been carried out"
        if current.verb == "failback" and self.stage(task_vars) == "rejoin":
            if current.inputs.get("prepare"):
                return "is left out: the move is only prepared"
            return self._cut_off(current, view)
        if current.verb == "drill" and self.stage(task_vars) != "baseline":
            # A drill that could not begin must not turn into the real thing. One that began is brought to its end,
            # however its stages went: what was broken or moved away has to come back
            injected = "injected" in (facts.get("continuity_fault") or {})
            refused = (facts.get("continuity_baseline") or {}).get("refused", True)
            if refused or not (injected or task_vars.get("continuity_drill_begun")):
                return "is left out: the drill could not begin"
        return ""

    @staticmethod
    def _cut_off(current: run.Run, view: View) -> str:
        """Where the move of a failback was cut off it is finished first, or says why it cannot be."""
        if not view.primaries:
            return "is left to the move: no primary runs"
        home = view.target(spine.request_of(current, view.service.name, "failback", time.time()))
        if view.primary is home and home and not view.endpoints_hold(home.address):
            return f"is left to the move: clients are not sent to {home.member} yet"
        return ""

    def _nothing(self, args: Mapping[str, Any], why: str) -> dict[str, Any]:
        self._display.display(f"{args['service']}: {args['verb']} {why}")
        data = {**Decision(args["service"], args["verb"]).to_dict(), "observed": {}, "ports": {}}
        return {"changed": False, "decision": data, "ansible_facts": {"continuity_decision": data}}

    def _drilled(self, request: Request, current: run.Run, task_vars: Mapping[str, Any]) -> Request:
        """A drill moves to where its baseline looked, and back to where the service came from."""
        stage = self.stage(task_vars)
        if current.verb != "drill" or stage == "baseline":
            return request
        baseline = (task_vars.get("ansible_facts") or {}).get("continuity_baseline") or {}
        site = baseline.get("from_site" if stage == "failback" else "to_site")
        return dataclasses.replace(request, target_site=site, source_site=None)

    def journal_data(self, args: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
        return dict(result.get("decision") or {"message": result.get("msg")})


def _short(seen: Any) -> dict[str, Any]:
    keys = (
        "member",
        "site",
        "address",
        "reachable",
        "running",
        "role",
        "writable",
        "position",
        "timeline",
        "upstream",
        "fenced",
        "epoch",
    )
    engine = {key: seen.engine[key] for key in ("units", "ports") if key in seen.engine}
    return {**{key: getattr(seen, key) for key in keys}, **engine, "followers": dict(seen.followers)}


def shown(words: str) -> str:
    """The words on lines that no terminal wraps; what follows the first is indented."""
    return textwrap.fill(words, 80, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def text(decision: Decision) -> str:
    """The decision for a person: what is done in which order, or which rules stand against it.

    What was measured, the limits and what to do next are told by the summary, where the run ends.
    """
    if decision.refused:
        return f"refused, nothing was changed: {', '.join(dict.fromkeys(r.rule for r in decision.refusals))}"
    if decision.verb == "assess":
        where = f"could be moved now, {decision.from_member} -> {decision.to_member}"
        return "; ".join(filter(None, [where, decision.redundancy, *decision.evidence[-1:]]))
    if decision.goal_reached:
        return "nothing to do" + (f"; {decision.redundancy}" if decision.redundancy else "")
    steps = ", ".join(step.name + (f" {step.member}" if step.member else "") for step in decision.steps)
    names = {step.name for step in decision.steps}
    if names & {"lower_ttl", "restore_ttl"} and not names & {"demote", "point", "rejoin"}:
        what = "is prepared" if "lower_ttl" in names else "is not moved, it is where it shall be"
        return f"{decision.verb} {what}: {steps}"
    return f"{decision.verb} {decision.from_member or '?'} -> {decision.to_member}: {steps}"
