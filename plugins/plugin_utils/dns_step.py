# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the three DNS steps have in common at Ansible's side: errors, facts, the client they talk through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed, StepRefused, merged_fact
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import Client
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError, DnsRefused
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Target


class DnsStep(Step):
    """A step at a name server; a subclass writes ``dns_step`` and raises the errors of ``dns.errors``."""

    secrets = ("key.secret",)
    #: the name in the journal by the option ``state``: reading is not journaled, taking and giving back differ
    journal_steps: ClassVar[Mapping[str, str]] = {}

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the step under its name in the journal."""
        self.journal_step = self.journal_steps.get(str(self._task.args.get("state")), self.journal_step)
        return super().run(tmp, task_vars)

    def journal_intent(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Say in the journal which record is about to be touched, and how."""
        told = ("name", "value", "expected", "run_id", "epoch")
        return {**super().journal_intent(args), **{key: args[key] for key in told if args.get(key) is not None}}

    def dns_step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Do the step; as ``Step.step``, with DnsError for what goes wrong."""
        raise NotImplementedError

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Run ``dns_step`` and turn its errors into those of every step."""
        try:
            return self.dns_step(args, task_vars)
        except DnsRefused as refused:
            raise StepRefused([refused.refusal], reason=refused.reason, **refused.fields) from None
        except DnsError as failure:
            raise StepFailed(str(failure), reason=failure.reason, **failure.fields) from None


def client(target: Target) -> Client:
    """A client to the target's primary, signed where the target has a key."""
    return Client(target.servers, target.key, target.query_timeout)


def with_fact(result: dict[str, Any], fact: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Add the result to a fact of the host, under the record's name and beside those of its other endpoints."""
    kept = {key: value for key, value in result.items() if key not in ("diff", "warnings")}
    earlier = _ITEMS.setdefault((str(task_vars.get("inventory_hostname")), fact), {})
    earlier[result["name"]] = kept
    return {**result, "ansible_facts": merged_fact(task_vars, fact, earlier)}


#: What earlier items of the same task's loop left: ansible-core 2.19 shows an item the facts from before the task
#: only. A worker process runs one task of one host and ends, so nothing of another task is ever in here.
_ITEMS: dict[tuple[str, str], dict[str, Any]] = {}
