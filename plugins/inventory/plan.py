# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan as an Ansible inventory source: every service a host, every function, tier and site a group."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
author:
  - continuity.dr contributors (@continuity-dr)
version_added: "0.1.0"
short_description: a business continuity plan as inventory
description:
  - Reads one reviewable YAML file that says which business functions there are, what they need, and which services
    on which machines carry them.
  - Every service becomes an inventory host whose connection is P(continuity.dr.service#connection), so it can never
    be mistaken for a machine. The machines themselves come from an inventory source of their own.
  - Every service is in the group C(continuity_services), in C(continuity_function_<id>) and C(continuity_tier_<n>),
    and in C(continuity_site_<id>) of each site where it has a member. Hyphens of an id become underscores. Which site
    a member is in is told by the machines' source, so name that source first (in a directory, files are read in the
    order of their names).
  - The plan is checked completely when it is read. A wrong plan gives no services; all its errors are reported at
    once, each with the path of the field, what is wrong and what is allowed, and every verb refuses to run with it.
  - Secrets are templates or vaulted values. They are never filled in while the plan is read.
  - The shape of the file is also shipped as a JSON Schema, C(docs/plan.schema.json), for editors.
notes:
  - The file has to end in C(.yml) or C(.yaml).
  - A plan with thousands of services is read several times faster when C(continuity.dr.plan) stands before C(auto) in
    C(enable_plugins) of the section C([inventory]) in C(ansible.cfg), because C(auto) reads the whole file first.
requirements:
  - jsonschema >= 4.21 (on the controller)
options:
  plugin:
    description: What makes the file a plan.
    type: str
    required: true
    choices: [continuity.dr.plan]
  plan:
    description: What this plan is and who answers for it. C(id) and C(environment) (V(drill) or V(production)) are
      required. Faults are injected only in an environment V(drill).
    type: dict
    required: true
  sites:
    description: Where members live, by name. C(use) is V(preferred) (exactly one), V(recovery) or V(witness); C(group)
      is the inventory group of the site's machines, by default the name of the site.
    type: dict
    required: true
  functions:
    description: What the business does, by name. C(tier) and C(objectives) (C(rto), C(rpo) and optionally C(mtpd),
      written like V(90s), V(15m), V(4h), V(7d)) are required.
    type: dict
    required: true
  services:
    description: What fails over as a unit, by name. C(function), C(engine) and C(members) are required.
    type: dict
    required: true
seealso:
  - plugin: continuity.dr.whole_run
    plugin_type: lookup
  - plugin: continuity.dr.service
    plugin_type: connection
"""

EXAMPLES = r"""
# plan.yml, used as: ansible-playbook -i hosts.yml -i plan.yml continuity.dr.assess
plugin: continuity.dr.plan
plan: {id: shop, environment: drill}
sites:
  dc1: {use: preferred}
  dc2: {use: recovery, standby: hot}
functions:
  payments:
    tier: 1
    objectives: {rto: 1h, rpo: 0s, mtpd: 4h}
services:
  payments-db:
    function: payments
    engine: {role: continuity.dr.engine_postgresql, cluster: 15/main}
    members: [db1, db2]
    endpoints:
      - role: continuity.dr.endpoint_rfc2136
        name: payments-db.shop.example.
        zone: shop.example.
        servers: [198.51.100.153]
        ttl: 5s
        key: {name: continuity, secret: "{{ vault_tsig_secret }}"}
    fence: {role: continuity.dr.fence_systemd}
"""

import gc
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.parsing.vault import EncryptedString
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import LoadedPlan, broken_plan, load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.groups import member_sites, service_groups
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import PlanReadError, Sealed, read_plan

PLAN_VARIABLE = "continuity_plan"
SERVICE_VARIABLE = "continuity_service"
SERVICE_CONNECTION = "continuity.dr.service"

_IS_PLAN = re.compile(r"""^[{\s]*["']?plugin["']?\s*:\s*["']?continuity\.dr\.plan\b""", re.MULTILINE)


class InventoryModule(BaseInventoryPlugin):
    NAME = "continuity.dr.plan"
    # A plan is the operator's own file, like a playbook: its templates (secrets) are meant to be filled in. Ansible
    # (2.19 to 2.21 at least) heeds this only in the first source that sets a variable, so `_opened` does it again.
    trusted_by_default = True

    def verify_file(self, path: str) -> bool:
        if not super().verify_file(path) or not path.endswith((".yml", ".yaml")):
            return False
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError):
            return False
        # an encrypted file may be anything; `auto` has opened it before it asks us
        return text.startswith("$ANSIBLE_VAULT;") or bool(_IS_PLAN.search(text))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        with _collector_paused():
            loaded = self._load(path)
            if not loaded.errors:
                loaded = self._beside_the_rest(loaded)
            inventory.set_variable("all", PLAN_VARIABLE, dict(loaded.plan))
            if loaded.errors:
                raise AnsibleParserError(f"the plan {path} is wrong:\n" + "\n".join(loaded.errors))
            self._add_services(loaded)

    def _load(self, path: str) -> LoadedPlan:
        text = self.loader.get_text_file_contents(path)
        if not _IS_PLAN.search(text):
            raise AnsibleParserError(f"{path} is encrypted, and no plan")
        try:
            data, errors = read_plan(text)
        except PlanReadError as error:
            return broken_plan([f"{os.path.basename(path)}: {error}"])
        return load_plan(data, errors)

    def _beside_the_rest(self, loaded: LoadedPlan) -> LoadedPlan:
        """The same plan, or its clashes with what other sources have brought so far."""
        other = self.inventory.groups["all"].vars.get(PLAN_VARIABLE)
        errors = []
        if other:
            errors += other["errors"]
            errors.append(finding("plan", f'another plan ("{other["id"]}") is loaded already', "one plan in a run"))
        else:
            for kind, names in (("machine", self.inventory.hosts), ("group", self.inventory.groups)):
                errors += [
                    finding(f"services.{name}", f"is also the name of a {kind} in the inventory", "a name of its own")
                    for name in loaded.services
                    if name in names
                ]
        return broken_plan(errors, {"plan": loaded.plan}) if errors else loaded

    def _add_services(self, loaded: LoadedPlan) -> None:
        inventory = self.inventory
        machines = {name: [host.name for host in group.get_hosts()] for name, group in inventory.groups.items()}
        sites = member_sites(loaded.plan["sites"], machines)
        for name, service in loaded.services.items():
            inventory.add_host(name)
            # straight to the host: the inventory's own set_variable would copy and tag every value once more, which
            # takes longer than all the rest for a large plan
            host = inventory.hosts[name]
            host.set_variable("ansible_connection", SERVICE_CONNECTION)
            host.set_variable(SERVICE_VARIABLE, _opened(service))
        for group, members in service_groups(loaded.plan, loaded.services, sites).items():
            inventory.add_group(group)
            for name in members:
                inventory.add_child(group, name)


def _opened(value: Any) -> Any:
    """The value with its templates trusted and its vaulted texts as Ansible knows them: both are filled in when they
    are used, not here."""
    if isinstance(value, str):
        if isinstance(value, Sealed):
            return EncryptedString(ciphertext=str(value))
        return trust_as_template(value) if "{" in value else value
    if isinstance(value, Mapping):
        return {key: _opened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_opened(item) for item in value]
    return value


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A large plan makes a million small objects, none of them garbage: looking for some doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
