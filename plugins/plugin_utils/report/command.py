# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The literal command that a run says to run next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.report import text
from ansible_collections.continuity.dr.plugins.plugin_utils.report.stage import ACTS
from ansible_collections.continuity.dr.plugins.plugin_utils.run import extra_variable


def line(verb: str, options: str, scope: str) -> str:
    """A verb for one service. `options`: the inventory, and what else a command needs before its scope."""
    return f"ansible-playbook continuity.dr.{verb} {options} -e scope={scope}"


def without_check(run: Mapping[str, Any], options: str) -> str | None:
    """What a run with `--check` was to try: the same command without it.

    None for a verb that takes more than `run.json` keeps (the fault of a drill, the target of a restore): a command
    that lacks half of them would do something else.
    """
    if run["verb"] not in ACTS:
        return None
    given = text.as_given(run.get("inputs") or {})
    if run.get("allow_degraded"):
        given["continuity_outcome_allow_degraded"] = [str(each) for each in run["allow_degraded"]]
    words = [f"-e {shlex.quote(extra_variable(name, value))}" for name, value in given.items()]
    return " ".join([f"ansible-playbook continuity.dr.{run['verb']} {options}", *words])
