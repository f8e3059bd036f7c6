# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The step `report`: its documentation is in plugins/modules/report.py, its work in plugins/plugin_utils/report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import context

from ansible_collections.continuity.dr.plugins.plugin_utils import report, run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed


class ActionModule(Step):
    module = "report"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        try:
            directory = self._directory(args["run_directory"], task_vars)
            sources = run.as_typed(context.CLIARGS.get("inventory") or ())
            made = report.build(directory, allow_degraded=args["allow_degraded"], inventory=sources)
            paths = report.write(made, directory, [each for each in args["formats"] if each != "html"])
            path = str(directory / "report.html") if "html" in args["formats"] else paths.get("markdown", paths["json"])
            found = report.history(directory.parent) if args["compare"] else report.History()
            lines = [*report.summary_lines(made, path), *report.history_lines(found)]
            if args["show"]:
                self._display.display("\n".join(["", *lines, ""]))
            if "html" in args["formats"]:  # last: whoever waits for the verdict does not wait for the drawings
                paths |= report.write(made, directory, ["html"])
                paths |= report.write_history(directory.parent, found) if args["compare"] else {}
        except report.ReportError as error:
            raise StepFailed(str(error), reason="no_report") from None
        result = {
            "changed": False,
            "run_id": made["run_id"],
            "verdict": made["verdict"],
            "fails": made["fails"],
            "paths": paths,
            "summary_lines": lines,
            "services": [_short(service) for service in made["services"]],
            "runs": [dataclasses.asdict(each) for each in found.runs],
        }
        if args["fail_on"] and made["fails"]:
            tell = report.failure_text
            if args["show"]:  # Ansible prints all of a failed result: what was shown a moment ago is not said again
                tell = report.failure_line
                del result["summary_lines"], result["runs"]
            raise StepFailed(tell(made, path), reason=made["verdict"], **result)
        return result

    @staticmethod
    def _directory(given: str | None, task_vars: Mapping[str, Any]) -> Path:
        """The named run, else this run; the verb `report`, whose own run did nothing, takes the newest one."""
        current = run.current()
        if given:
            return Path(given)
        if current is None:
            raise report.ReportError("there is no run in this playbook: name one with run_directory")
        if current.verb == "report" and not task_vars.get("continuity_run_id"):
            return report.newest(Path(current.directory).parent)
        return Path(current.directory)


def _short(service: Mapping[str, Any]) -> dict[str, Any]:
    return {key: service[key] for key in ("service", "verdict", "fails", "reasons", "next_command")}
