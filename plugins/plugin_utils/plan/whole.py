# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate of every verb: a run is whole, or it does not begin."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.groups import member_sites, service_sites
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.inputs import checked_inputs, foreign_findings
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.machines import (
    address_findings,
    machine_findings,
    placed,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.scope import Choices, chosen_services
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.sources import source_findings

#: Verbs that ask no name server, and need no key of one.
KEYLESS = frozenset({"report", "rights"})
OF_THE_PLAN = frozenset({"continuity_plan", "continuity_service"})

_PARTIAL = {
    "subset": "--limit",
    "skip_tags": "--skip-tags",
    "tags": "--tags",
    "start_at_task": "--start-at-task",
    "step": "--step",
}


class NotFilledIn(ValueError):
    """A template of the plan or of a machine that cannot be filled in. `findings`: one for each, with its path."""

    def __init__(self, findings: Sequence[str]) -> None:
        if not findings:
            raise AssertionError("a service would be left out without a word")
        self.findings = list(findings)
        super().__init__("; ".join(findings))


@dataclass(frozen=True)
class Inventory:
    """What the gate reads of Ansible's inventory."""

    groups: Mapping[str, Sequence[str]]
    plan: Mapping[str, Any] | None
    """`continuity_plan`, None when no plan was loaded"""
    sources: Sequence[str]
    """as given with `-i`"""
    service_of: Callable[[str], Mapping[str, Any]]
    """`continuity_service` of a service, without secrets and with its templates filled in; raises NotFilledIn"""
    address_of: Callable[[str], str]
    """how Ansible reaches a machine; raises NotFilledIn"""


@dataclass(frozen=True)
class Whole:
    """What a run is about: checked inputs, and the placed services in wave order."""

    inputs: Mapping[str, Any]
    services: Mapping[str, Mapping[str, Any]]

    @property
    def members(self) -> list[str]:
        """The machines of all services, each once."""
        return list(dict.fromkeys(member["host"] for entry in self.services.values() for member in entry["members"]))


def whole_run(
    verb: str, command_line: Mapping[str, Any], extra: Mapping[str, Any], inventory: Inventory, now: float
) -> tuple[Whole | None, list[str]]:
    """What the run is about, or None and every reason why it must not begin.

    `command_line`: Ansible's options. `extra`: the extra variables, filled in. `now`: seconds since 1970.
    """
    errors = command_line_findings(command_line)
    if OF_THE_PLAN.intersection(extra):  # they would stand before the plan's own in everything that is read below
        return None, errors + foreign_findings(extra, verb)
    errors += plan_loaded_findings(inventory)
    if inventory.plan is None or inventory.plan["errors"]:
        return None, errors + checked_inputs(extra, verb, None, now)[1]
    plan = inventory.plan
    inputs, found = checked_inputs(extra, verb, plan["sites"], now)
    errors += found + fault_findings(extra, plan)
    sites_of = member_sites(plan["sites"], inventory.groups)
    service_of = cache(inventory.service_of)
    choices = Choices(
        inventory.groups, plan["functions"], plan["sites"], lambda name: service_sites(service_of(name), sites_of)
    )
    try:
        names, found = chosen_services(inputs, choices)
    except NotFilledIn as broken:  # where a member is may be told by a template
        return None, errors + broken.findings
    errors += found
    services = _each(names, service_of, errors)
    chosen = dict(sorted(services.items(), key=lambda entry: entry[1]["wave"]))
    found = machine_findings(chosen, plan["sites"], inventory.groups, sites_of)
    errors += found
    if not found:
        chosen = _each(list(chosen), lambda name: placed(chosen[name], sites_of, inventory.address_of), errors)
        errors += address_findings(chosen, plan["sites"])
    return (None if errors else Whole(inputs, chosen)), errors


def keys_needed(verb: str, inputs: Mapping[str, Any]) -> bool:
    """Whether the keys of endpoints must be there: without its own a name server would be taken for a silent one.

    Who goes on without the arbiter that they are for needs none.
    """
    return verb not in KEYLESS and "arbiter_unreachable" not in (inputs.get("waive") or ())


def _each(
    names: Sequence[str], read: Callable[[str], Mapping[str, Any]], errors: list[str]
) -> dict[str, Mapping[str, Any]]:
    """What `read` gives for each name; of those that cannot be filled in, the errors."""
    result = {}
    for name in names:
        try:
            result[name] = read(name)
        except NotFilledIn as broken:
            errors += [text for text in broken.findings if text not in errors]
    return result


def command_line_findings(command_line: Mapping[str, Any]) -> list[str]:
    """Options of ansible-playbook that would cut a part of the run away, also when a configuration file sets them."""
    given = {option: command_line.get(key) for key, option in _PARTIAL.items()}
    given["--tags"] = [tag for tag in given["--tags"] or () if tag != "all"]
    return [
        finding(_as_typed(option, value), "would cut a part of the run away", "choose services with -e scope=...")
        for option, value in given.items()
        if value
    ]


def plan_loaded_findings(inventory: Inventory) -> list[str]:
    """That there is a plan, and what it says is wrong with itself."""
    if inventory.plan is not None:
        return list(inventory.plan["errors"])
    given = ", ".join(inventory.sources) or "none"
    return [
        f"no plan was loaded (inventory sources: {given}). Pass it with -i plan.yml, beside the inventory of the "
        "machines. A source that could not be read is named in a warning above.",
        *source_findings(inventory.sources),
    ]


def fault_findings(extra: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """What breaks something (a fault, the damage of a control) is there, and only where the plan calls it a drill."""
    found = []
    kinds = {
        "fault": ("a fault is injected", "a task file", "exercise a planned move, without -e fault=..."),
        "restore_controls": ("a copy is damaged", "a file of controls", "drill the restore without them"),
    }
    for name, (done, file, instead) in kinds.items():
        if name not in extra:
            continue
        if plan["environment"] != "drill":
            wrong = f"the plan's environment is {plan['environment']}, and {done} in a drill environment only"
            found.append(finding("plan.environment", wrong, f"drill; or {instead}"))
        if not os.path.isabs(str(extra[name])) or not os.path.isfile(str(extra[name])):
            found.append(finding(name, f'"{extra[name]}" is no such file', f"the absolute path of {file}"))
    return found


def _as_typed(option: str, value: object) -> str:
    if value is True:
        return option
    return f"{option} {','.join(map(str, value)) if isinstance(value, (list, tuple)) else value}"
