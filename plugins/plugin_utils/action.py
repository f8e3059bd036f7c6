# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The only door between continuity.dr and Ansible: what every step's action plugin is made of.

A step reads its arguments, acts in the controller's process and runs commands on a member through the
task's connection. This class gives it validated arguments, a bounded ``execute``, the journal, and turns
the three ways a step can end otherwise (refused, failed, unreachable) into one kind of result.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.continuity.dr.plugins.plugin_utils import journal, run
from ansible_collections.continuity.dr.plugins.plugin_utils import lease as leases
from ansible_collections.continuity.dr.plugins.plugin_utils.argument_spec import (
    argument_spec,
    misread_numbers,
    unknown_options,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.deadline import Deadline, DeadlineExceeded, kill_children
from ansible_collections.continuity.dr.plugins.plugin_utils.heartbeat import Heartbeat
from ansible_collections.continuity.dr.plugins.plugin_utils.progress import TELLING, Teller

#: Seconds a connection may take to open on top of the time its script is given. A member that does not
#: answer within it is unreachable: the plan has other members, and people are waiting.
CONNECT_SECONDS = 3.0


@dataclass(frozen=True)
class Output:
    """What a script on a member left: exit code and both streams."""

    rc: int
    stdout: str
    stderr: str


class StepFailed(Exception):
    """The step could not be done. The message says what happened and what to do next."""

    def __init__(self, message: str, reason: str = "failed", **result: Any) -> None:
        super().__init__(message)
        self.reason = reason
        self.result = result


class Unreachable(StepFailed):
    """The member did not answer in time; whether the script ran is not known."""

    def __init__(self, message: str, **result: Any) -> None:
        super().__init__(message, reason="unreachable", reachable=False, **result)


class StepRefused(Exception):
    """A rule forbids the step; nothing was changed."""

    def __init__(self, refusals: Sequence[Refusal], **result: Any) -> None:
        super().__init__("; ".join(refusal.message for refusal in refusals))
        self.refusals = tuple(refusals)
        self.result = result


def refusal_text(refusals: Sequence[Refusal]) -> str:
    """Every unmet rule on a line of its own, with its measured value, its limit and the next thing to do.

    >>> print(refusal_text([Refusal("lag_over_rpo", "12 s", "5 s", "the standby is behind", "wait")]))
    refused, nothing was changed:
      lag_over_rpo: the standby is behind (measured: 12 s; limit: 5 s). Next: wait
    """
    lines = ["refused, nothing was changed:"]
    for refusal in refusals:
        line = f"  {refusal.rule}: {refusal.message} (measured: {refusal.measured}; limit: {refusal.limit})."
        lines.append(line + (f" Next: {refusal.hint}" if refusal.hint else ""))
    return "\n".join(lines)


class Step(ActionBase):
    """Base of every action plugin of the collection; a subclass sets ``module`` and writes ``step``."""

    TRANSFERS_FILES = False
    #: the module whose documentation is the argument spec
    module = ""
    #: option paths ("key.secret") that are never echoed
    secrets: tuple[str, ...] = ()
    #: the name under which intent and result enter the journal; None: not journaled
    journal_step: str | None = None

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Do the step. Return Ansible's result, with ``changed``. Raise StepFailed or StepRefused otherwise."""
        raise NotImplementedError

    @property
    def check_mode(self) -> bool:
        """Nothing may be changed, only told."""
        return bool(self._task.check_mode)

    @property
    def diff_mode(self) -> bool:
        """The result is to hold ``diff``: what was before and after."""
        return bool(self._task.diff)

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ansible's entry: arguments, intent to the journal, the step, its outcome to the journal.

        The result always holds ``elapsed_seconds``. A refused step adds ``refused`` and ``refusals``, a failed one
        ``reason``; both have ``failed`` and a message. Raises AnsibleActionFail for arguments that do not fit the spec.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        args = self._arguments()
        started = time.monotonic()
        self._write(task_vars, args, "started", {})
        teller = self._teller(task_vars, args)
        try:
            with Heartbeat(teller.runs if teller else None):
                result.update(self.step(args, task_vars))
            state = "done"
        except StepRefused as refused:
            state = "refused"
            refusals = [{**asdict(refusal), "waivable": refusal.waivable} for refusal in refused.refusals]
            result.update({"changed": False, **refused.result, "failed": True, "refused": True, "refusals": refusals})
            result["msg"] = refusal_text(refused.refusals)
        except StepFailed as failure:
            state = "failed"
            result.update({"changed": False, **failure.result, "failed": True, "reason": failure.reason})
            result["msg"] = str(failure)
        except leases.BadName as error:
            state = "failed"
            result.update(changed=False, failed=True, reason="bad_input", msg=str(error))
        result["elapsed_seconds"] = round(time.monotonic() - started, 4)
        self._write(task_vars, args, state, result)
        return result

    def execute(self, script: str, timeout: float = 10.0, connect: float = CONNECT_SECONDS) -> Output:
        """Run a POSIX shell script on the task's host, at most ``timeout`` seconds plus ``connect`` for the connection.

        The script travels on standard input, so nothing of it shows in the member's process list.
        Raises Unreachable when the host gave no answer in time, also over a connection that was open
        already: a multiplexed connection to a host that has just died knows no connect timeout.
        """
        limit = connect + timeout
        try:
            with Deadline(limit):
                done = self._low_level_execute_command("/bin/sh -s", in_data=script.encode())
        except DeadlineExceeded:
            kill_children()
            self._forget_connection()
            raise Unreachable(f"{self._host()} gave no answer within {limit:g} s") from None
        except AnsibleConnectionFailure as failure:
            raise Unreachable(f"{self._host()} cannot be reached: {_first_line(failure)}") from None
        return Output(int(done["rc"]), str(done["stdout"]), str(done["stderr"]))

    def lease_of(self, args: Mapping[str, Any]) -> leases.Lease | None:
        """The lease this step acts under; None in a playbook that holds none. An empty run id is not none."""
        if args["run_id"] is None:
            return None
        return leases.Lease(args["service"], args["run_id"], args["epoch"], args.get("owner") or "")

    def stage(self, task_vars: Mapping[str, Any]) -> str:
        """The part of a verb this step belongs to; play variables reach an action as templates."""
        current = run.current()
        stage = self._templar.template(task_vars.get("continuity_stage") or (current.verb if current else ""))
        return str(stage)

    def raise_if_refused(self, output: Output, lease: leases.Lease | None) -> None:
        """Turn a member's own refusal (its lease, its epoch) into ours."""
        refused = leases.refusal(output.stdout)
        if refused is None:
            return
        rule, detail = refused
        limit = f"free, or held by run {lease.run_id}" if lease else "free"
        hint = leases.NEXT.get(rule, "run assess to see the whole service")
        raise StepRefused([Refusal(rule, detail or "none", limit, f"{self._host()} refused the step", hint)])

    def detach(self) -> None:
        """Be a process of its own, which outlives this task: the way to Ansible's display belongs to the task."""
        self._display._final_q = None
        self._display.verbosity = 0

    def _host(self) -> str:
        return str(self._task.delegate_to or self._play_context.remote_addr)

    def _forget_connection(self) -> None:
        """Close a multiplexed connection that hangs, or the member stays lost after it is back."""
        try:
            with Deadline(1.0):
                self._connection.reset()
        except (DeadlineExceeded, AnsibleError, AttributeError, OSError):
            kill_children()

    def _arguments(self) -> dict[str, Any]:
        spec = argument_spec(self.module, self.secrets)
        checked = ArgumentSpecValidator(spec).validate(dict(self._task.args))
        wrong = [error.msg for error in checked.errors.errors if not isinstance(error, UnsupportedError)]
        wrong += unknown_options(checked.unsupported_parameters, spec) + misread_numbers(self._task.args, spec)
        if wrong:
            raise AnsibleActionFail(f"{self.module}: " + "; ".join(dict.fromkeys(wrong)))
        return dict(checked.validated_parameters)

    def _write(
        self, task_vars: Mapping[str, Any], args: Mapping[str, Any], state: str, result: Mapping[str, Any]
    ) -> None:
        current, service = run.current(), self._service(task_vars, args)
        if current is None or self.journal_step is None or service is None:
            return
        data = {"stage": self.stage(task_vars), "check_mode": self.check_mode}
        data.update(self.journal_data(args, result) if result else self.journal_intent(args))
        journal.append(current.directory, current.run_id, service, self.journal_step, state, data)
        teller = self._teller(task_vars, args)
        if teller is not None:
            teller.ended(state, result) if result else teller.begins()

    @staticmethod
    def _service(task_vars: Mapping[str, Any], args: Mapping[str, Any]) -> str | None:
        """The service of this run that the step belongs to, if any."""
        current, service = run.current(), args.get("service") or task_vars.get("inventory_hostname")
        return str(service) if current is not None and service in current.services else None

    def _teller(self, task_vars: Mapping[str, Any], args: Mapping[str, Any]) -> Teller | None:
        """What tells a person of this step; None where it is not journaled, not worth a line, or not to be shown."""
        with contextlib.suppress(Exception):  # nothing rests on it
            current, service, subject = run.current(), self._service(task_vars, args), self.progress_subject(args)
            wanted = boolean(self._templar.template(task_vars.get("continuity_progress", True)), strict=False)
            wanted = wanted and not self._task.no_log
            if wanted and current and service and self.journal_step and subject is not None:
                path, stage = journal.path_of(current.directory, service), self.stage(task_vars)
                read = functools.partial(journal.read, path, TELLING)
                return Teller(current, service, stage, self.journal_step, subject, self._show, read)
        return None

    def _show(self, line: str) -> None:
        self._display.display(journal.mask(line))

    def progress_subject(self, args: Mapping[str, Any]) -> str | None:
        """What the step acts on, for the line a person reads; None: this step is not worth a line."""
        return str(self._task.delegate_to or args.get("name") or args.get("verb") or "")

    def journal_intent(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """What is about to be done, in words a reader of the journal needs. Never a secret."""
        return {"member": self._task.delegate_to} if self._task.delegate_to else {}

    def journal_data(self, args: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
        """What was done: the result without Ansible's own keys."""
        dropped = {"ansible_facts", "diff", "invocation", "exception", "warnings", "deprecations"}
        return {**self.journal_intent(args), **{key: value for key, value in result.items() if key not in dropped}}


def merged_fact(task_vars: Mapping[str, Any], name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The host's fact ``name`` with ``values`` put in, beside what earlier steps left there."""
    facts = task_vars.get("ansible_facts") or {}
    return {name: {**(facts.get(name) or {}), **values}}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
