# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the steps that change a database's member have in common at Ansible's side: its errors are those of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, StepRefused
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused


class MemberStep(Step):
    """A step at a member; a subclass writes ``member_step`` and raises the errors of ``postgresql.member``."""

    def member_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Do the step; as ``Step.step``, with ValueError for options that do not fit together."""
        raise NotImplementedError

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Run ``member_step`` and turn its errors into those of every step."""
        try:
            return self.member_step(args, task_vars)
        except MemberRefused as refused:
            raise StepRefused(refused.refusals, **refused.result) from None
        except MemberError as error:
            raise StepFailed(str(error), reason=error.reason, **error.result) from None
        except ValueError as error:
            raise StepFailed(str(error), reason="bad_input") from None
