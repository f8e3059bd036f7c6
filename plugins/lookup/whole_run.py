# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hosts of a play of a verb, or a refusal that ends the run before anything is contacted."""

from __future__ import annotations

DOCUMENTATION = r"""
name: whole_run
author:
  - continuity.dr contributors (@continuity-dr)
version_added: "0.1.0"
short_description: The hosts of a continuity run, which is whole or does not begin
description:
  - Stands in C(hosts) of every play of a verb. Ansible evaluates it in its main process, before anything is
    contacted, so no option of the command line can skip it.
  - Fails, with every reason at once, when C(--limit), C(--tags), C(--skip-tags), C(--start-at-task) or C(--step) would
    cut a part of the run away, when no plan was loaded or the plan is wrong, when an input of the verb is wrong or
    unknown, when a machine is in no site or in two, and when nothing is in the scope.
  - Fails as well under settings that would make the run lie or tell secrets. These are a fact cache that outlives the
    run, task arguments in the banners (C(display_args_to_stdout)), a connection of a service host that is not its own,
    and several machines of the run with the connection C(local).
  - Begins the run. Its id, its inputs and its services are then known to every action of continuity.dr.
options:
  _terms:
    description:
      - What to give back.
      - V(services) are the service hosts in the order of their dependency waves; V(members) are the machines of all
        of them; V(everything) is both, machines first.
      - V(asking) are the services that have to ask a fence or a witness about a member, in O(stage). Where nobody has
        to, it is a pattern that matches no host, and Ansible leaves the play out.
      - V(waves) is the number of services in each wave, which is what C(serial) takes.
    type: str
    required: true
    choices: [services, members, everything, asking, waves]
  verb:
    description: The verb that is run. All plays of a run name the same.
    type: str
    required: true
  stage:
    description: The part of the verb that asks, for V(asking).
    type: str
notes:
  - "Inputs are extra variables: C(scope) (a service, a function, a tier as C(tier-1), a site, V(all), or several with
    commas), C(target_site), C(source_site), C(reason), C(accept_data_loss) (a duration, the longest time whose
    acknowledged writes may be lost), C(waive) (names of rules, needs a C(reason)), C(outage_started) (a time with a
    zone). Either C(scope) or C(source_site) is required, except that C(assess) and C(report) take everything."
  - "Settings are extra variables too: C(continuity_runs_dir) (default C(./runs)), C(continuity_run_id),
    C(continuity_claim_seconds), C(continuity_outcome_allow_degraded), C(continuity_progress) (V(false): no line for
    each step while it runs)."
seealso:
  - plugin: continuity.dr.plan
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Act on the services, wave by wave
  hosts: "{{ lookup('continuity.dr.whole_run', 'services', verb='switchover') }}"
  serial: "{{ lookup('continuity.dr.whole_run', 'waves', verb='switchover') }}"
  strategy: ansible.builtin.host_pinned
  gather_facts: false
  tasks:
    - name: Say which service this is
      ansible.builtin.debug:
        msg: "{{ continuity_service.name }} is in wave {{ continuity_service.wave }}"
"""

RETURN = r"""
_raw:
  description: One list, of host names (or of numbers for V(waves)).
  type: list
  elements: list
"""

import sys
import time
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.release import __version__ as ansible_version
from ansible.utils.vars import load_extra_vars
from ansible.vars.hostvars import HostVars, HostVarsVars
from ansible.vars.manager import VariableManager
from jinja2.exceptions import TemplateError

from ansible_collections.continuity.dr.plugins.plugin_utils import run as runs
from ansible_collections.continuity.dr.plugins.plugin_utils import warm
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.ansible_settings import (
    banner_findings,
    cache_findings,
    connection_findings,
    progress_findings,
    version_findings,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.machines import secrets_of, without_secrets
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.scope import wave_sizes
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.settings import (
    allowed_degraded,
    continued_findings,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.templates import rests_on, texts
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.whole import (
    Inventory,
    NotFilledIn,
    keys_needed,
    whole_run,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.questions import for_fences, for_witnesses

PLAN = "continuity_plan"
SERVICE = "continuity_service"
#: No host, and no warning that a host is not there.
NOBODY = ["localhost", "!localhost"]
KEY_NEEDED = (
    "a file, a variable or a vault password that is there now. Without the key nothing can be claimed; only where "
    "that must not stop the run: -e waive=arbiter_unreachable"
)
UNFILLED = (AnsibleError, TemplateError)  # an undefined variable inside of a mapping is met late, as Jinja's own error


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        wanted = {"services", "members", "everything", "asking", "waves"}
        if len(terms) != 1 or terms[0] not in wanted:
            raise AnsibleError(
                f"whole_run: give one of {', '.join(sorted(wanted))}, not {', '.join(terms) or 'nothing'}"
            )
        if context.CLIARGS.get("syntax"):
            return [[]]  # a syntax check has no inventory and runs nothing
        started = self._begun(str(self.get_option("verb")), variables or {})
        if terms[0] == "asking":
            return [self._asking(started, variables or {})]
        services, members = list(started.services), _members(started)
        return [
            {
                "services": services,
                "members": members,
                "everything": [*members, *services],
                "waves": wave_sizes(list(started.services.values())),
            }[terms[0]]
        ]

    def _asking(self, started: runs.Run, variables: Mapping[str, Any]) -> list[str]:
        hostvars = variables.get("hostvars") or _live_hostvars(self._loader)
        stage = str(self.get_option("stage"))
        return [
            name
            for name, service in started.services.items()
            if for_fences(service, hostvars, stage) or for_witnesses(service, hostvars, stage)
        ] or NOBODY

    def _begun(self, verb: str, variables: Mapping[str, Any]) -> runs.Run:
        """The run of this process; the first play begins it, later ones (and workers) find it."""
        started = runs.current()
        if started is not None and started.verb == verb:
            return started
        extra, not_filled_in = self._extra_variables()
        reader = _Reader(self._loader, variables)
        inventory = reader.inventory()
        whole, errors = whole_run(verb, context.CLIARGS, extra, inventory, time.time())
        errors += [*not_filled_in, *progress_findings(extra), *cache_findings(str(constants.CACHE_PLUGIN))]
        errors += [*version_findings(ansible_version), *banner_findings(bool(constants.DISPLAY_ARGS_TO_STDOUT))]
        inputs = {} if whole is None else whole.inputs
        errors += continued_findings(extra, verb, bool(context.CLIARGS.get("check")), inputs)
        if whole is not None:
            errors += connection_findings(whole.services, whole.members, reader.connections)
            if keys_needed(verb, whole.inputs):
                errors += [text for name in whole.services for text in reader.keys_missing(name)]
        if whole is None or inventory.plan is None or errors:
            raise AnsibleError(f"{verb} does not begin, nothing was contacted:\n  " + "\n  ".join(errors))
        warm.load(sorted(set(reader.connections.values())))
        try:
            return runs.begin(
                verb=verb,
                inputs=whole.inputs,
                plan=inventory.plan,
                services=whole.services,
                check_mode=bool(context.CLIARGS.get("check")),
                run_id=extra.get("continuity_run_id"),
                runs_directory=extra.get("continuity_runs_dir"),
                allow_degraded=allowed_degraded(extra),
                inventory=inventory.sources,
                vault=_vault_options(context.CLIARGS),
            )
        except ValueError as error:
            raise AnsibleError(str(error)) from None

    def _extra_variables(self) -> tuple[dict[str, Any], list[str]]:
        """The extra variables, and an error for each whose template cannot be filled in."""
        extra, errors = {}, []
        for name, value in load_extra_vars(self._loader).items():
            try:
                extra[name] = self._templar.template(value)
            except UNFILLED as error:
                errors.append(finding(name, f"its template cannot be filled in: {_reason(error)}"))
        return extra, errors


class _Reader:
    """Reads variables of any host while `hosts` of a play is being evaluated."""

    def __init__(self, loader: Any, variables: Mapping[str, Any]) -> None:
        self._loader = loader
        self._groups = variables.get("groups") or {}
        self._hostvars = variables.get("hostvars") or _live_hostvars(loader)
        #: how Ansible reaches each host that was read
        self.connections: dict[str, str] = {}
        #: of each service that was read, as they stand in the plan
        self._secrets: dict[str, list[tuple[str, Any]]] = {}
        #: what its templates are filled in from
        self._variables: dict[str, Mapping[str, Any]] = {}
        #: each template of a secret that could be filled in, with what it rests on
        self._filled_in_once: set[tuple[str, frozenset[tuple[str, str]]]] = set()

    def inventory(self) -> Inventory:
        plan = self._plan()
        return Inventory(
            groups={name: list(hosts) for name, hosts in self._groups.items()},
            plan=without_secrets(_plain(plan)) if isinstance(plan, Mapping) else None,
            sources=[str(source) for source in context.CLIARGS.get("inventory") or ()],
            service_of=self._service,
            address_of=self._address,
        )

    def _plan(self) -> Any:
        """`continuity_plan`: with errors a variable of all hosts, else of one service, by its source the first."""
        for host in ("localhost", *self._groups.get("continuity_services", ())):
            plan = self._hostvars.raw_get(host).get(PLAN)
            if plan is not None:
                return plan
        return None

    def _service(self, name: str) -> Mapping[str, Any]:
        """`continuity_service` with its templates filled in; secrets are cut off first and stay closed."""
        variables = self._variables[name] = self._hostvars.raw_get(name)
        self.connections[name] = str(variables.get("ansible_connection"))
        self._secrets[name] = list(secrets_of(variables[SERVICE].get("endpoints"), f"services.{name}.endpoints"))
        service = without_secrets(variables[SERVICE])
        try:
            plain: Mapping[str, Any] = self._filled_in(name, {**variables, SERVICE: service}, SERVICE)
        except UNFILLED as error:
            found = list(self._broken_templates(name, variables, service))
            raise NotFilledIn(
                found or [finding(f"services.{name}", f"cannot be filled in: {_reason(error)}")]
            ) from None
        return plain

    def _filled_in(self, host: str, variables: Mapping[str, Any], name: str) -> Any:
        return _plain(HostVarsVars(variables, loader=self._loader, host=host)[name])  # what is undefined raises here

    def _broken_templates(self, name: str, variables: Mapping[str, Any], service: Mapping[str, Any]) -> Iterator[str]:
        for path, text in texts(service, f"services.{name}"):
            try:
                self._filled_in(name, {**variables, SERVICE: text}, SERVICE)
            except UNFILLED as error:
                yield finding(path, f"the template {text} cannot be filled in: {_reason(error)}")

    def keys_missing(self, name: str) -> list[str]:
        """An error for each secret of its endpoints that cannot be filled in. What is filled in is dropped at once."""
        found = []
        for path, secret in self._secrets[name]:
            known = rests_on(secret, self._variables[name]) if isinstance(secret, str) else None
            if known is not None and (secret, known) in self._filled_in_once:
                continue  # the same in another service: reading it for each would delay a failover
            wrong = self._wrong_with(name, secret)
            if wrong:
                found.append(finding(path, wrong, KEY_NEEDED))
            elif known is not None:
                self._filled_in_once.add((secret, known))
        return found

    def _wrong_with(self, name: str, secret: Any) -> str:
        try:
            given = self._filled_in(name, {**self._variables[name], SERVICE: secret}, SERVICE)
        except UNFILLED as error:
            return f"cannot be filled in: {_reason(error)}"
        return "" if str(given).strip() else "is empty"

    def _address(self, host: str) -> str:
        try:
            variables = self._hostvars[host]
            given = variables.get("ansible_connection") or context.CLIARGS.get("connection")
            self.connections[host] = str(given)
            return str(variables.get("ansible_host") or host)
        except UNFILLED as error:
            wrong = f"its template cannot be filled in: {_reason(error)}"
            raise NotFilledIn([finding(f"{host}.ansible_host", wrong)]) from None


def _vault_options(arguments: Mapping[str, Any]) -> list[str]:
    """What was typed to open the vault, word by word; a password itself is never among it."""
    words = ["--ask-vault-password"] if arguments.get("ask_vault_pass") else []
    for option in ("--vault-id", "--vault-password-file"):
        given = arguments.get(option.removeprefix("--").replace("-", "_") + "s") or ()
        words += [word for each in given for word in (option, str(each))]
    return words


def _live_hostvars(loader: Any) -> HostVars:
    """The variables of all hosts before the first play has begun.

    Ansible offers `hostvars` to templates only once a play runs, but `hosts` of the first play is evaluated before.
    The objects exist already: they belong to whoever called us.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        owner: Any = frame.f_locals.get("self")
        manager = getattr(owner, "_variable_manager", None)
        if isinstance(manager, VariableManager) and getattr(owner, "_inventory", None) is not None:
            return HostVars(inventory=owner._inventory, variable_manager=manager, loader=loader)
        frame = frame.f_back
    raise AnsibleError(
        "whole_run cannot read the inventory from here: it belongs into `hosts` or `serial` of a play "
        "(or this version of ansible-core is not supported)"
    )


def _reason(error: Exception) -> str:
    """What is wrong with a template, on one line: `'db2_link' is undefined`."""
    text = " ".join(str(getattr(error, "message", None) or error).split())
    return text.removeprefix("A captured exception marker was tripped: ").rstrip(".")  # Ansible's own matter


def _members(started: runs.Run) -> list[str]:
    return list(dict.fromkeys(member["host"] for entry in started.services.values() for member in entry["members"]))


def _plain(value: Any) -> Any:
    """Plain dictionaries, lists and scalars, without Ansible's tags: actions keep them, journals write them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return "".join(value)  # str() would keep a tagged subclass
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return None if value is None else str(value)
