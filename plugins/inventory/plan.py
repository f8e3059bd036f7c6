# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan as an Ansible inventory source: every service a host, every function, tier and site a group."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
author:
  - continuity.dr contributors (@continuity-dr)
version_added: "0.1.0"
short_description: A business continuity plan as inventory
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
  - The options below are the sections of the file. The guide C(docs/plan.md) explains every field of every section; its
    shape is also shipped as a JSON Schema, C(docs/plan.schema.json), for editors.
  - A verb is run with both sources, C(ansible-playbook continuity.dr.assess -i hosts.yml -i plan.yml). One plan in a
    run.
notes:
  - The file has to end in C(.yml) or C(.yaml).
  - A plan with thousands of services is read several times faster when C(continuity.dr.plan) stands before C(auto) in
    C(enable_plugins) of the section C([inventory]) in C(ansible.cfg), because C(auto) reads the whole file first.
requirements:
  - jsonschema >= 4.21 in the Python that runs Ansible (on the controller)
options:
  plugin:
    description: What makes the file a plan.
    type: str
    required: true
    choices: [continuity.dr.plan]
  plan:
    description: What this plan is and who answers for it. C(id) and C(environment) (V(drill) or V(production)) are
      required. Faults are injected only in an environment V(drill). C(title), C(owner), C(version), C(hold_off) (how
      long after a promotion another failover waits for a person; 30 minutes), C(allowances) (C(detection),
      C(decision)) and C(review) (C(every), C(last)) are optional.
    type: dict
    required: true
  sites:
    description: Where members live, by name. C(use) is V(preferred) (exactly one), V(recovery) or V(witness); C(group)
      is the inventory group of the site's machines, by default the name of the site. C(networks) (where the site's
      addresses live, such as V(198.51.100.0/24)), C(standby), C(fault_domains) and C(title) are optional.
    type: dict
    required: true
  functions:
    description: What the business does, by name. C(tier) and C(objectives) (C(rto), C(rpo) and optionally C(mtpd),
      written like V(90s), V(15m), V(4h), V(7d)) are required. C(depends_on), C(title) and C(owner) are optional.
    type: dict
    required: true
  services:
    description:
      - What fails over as a unit, by name. C(function), C(engine) and C(members) are required. C(endpoints), C(fence),
        C(witnesses), C(hold_off), C(backup), C(canary), C(depends_on), C(objectives) and C(title) are optional.
      - C(engine), C(fence), C(backup) and each of C(endpoints) name a C(role), by its full name. Roles of other
        collections may have keys of their own.
      - C(engine) has what all members have in common, a member (C(host), or its name alone) what differs, C(cluster),
        C(port), C(data_directory), C(config_file), C(bin_directory), C(socket_directory), C(unit), C(user) and
        C(replication) (C(user)). C(address) and C(replication_address) stand in a member alone, where they are not
        its V(ansible_host).
      - Each of C(endpoints) has a C(name), and C(zone), C(type), C(servers), C(port), C(ttl), C(move_ttl),
        C(authoritative) and C(key) (C(name), C(secret), C(algorithm)).
      - C(fence) is one or a list in the order in which they are tried, each with the weakest evidence that counts
        (C(min_level)). C(witnesses) are other machines that look whether a member which cannot be reached still
        answers. C(hold_off) stands in place of the plan's.
      - C(backup) has the C(stanza), the C(repositories), a list of copies (C(key), C(site)), how often each kind
        is made (C(full_every), C(diff_every), C(incr_every), or C(every) alone), how often a restore is to be proven
        (C(verify_every)), what may be lost where only backups are left (C(rpo)), and what a restored copy must answer
        (C(verification)).
      - C(objectives) has what differs from the function's (C(rto), C(rpo), C(mtpd)).
      - C(canary), a client that measures, has C(database), C(table), C(role), C(password), C(rate), C(sslmode),
        C(port), C(resolvers), C(max_rows), C(max_duration) and C(stable_for).
    type: dict
    required: true
seealso:
  - plugin: continuity.dr.whole_run
    plugin_type: lookup
  - plugin: continuity.dr.service
    plugin_type: connection
"""

EXAMPLES = r"""
# plan.yml, used as: ansible-playbook continuity.dr.assess -i hosts.yml -i plan.yml
# hosts.yml beside it: the machines, in one group for each site
#   dc1: {hosts: {db1: {ansible_host: 198.51.100.11}}}
#   dc2: {hosts: {db2: {ansible_host: 203.0.113.11}}}
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.parsing.vault import EncryptedString
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import LoadedPlan, broken_plan, load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.groups import member_sites, service_groups
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import PlanReadError, Sealed, read_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.sources import (
    ENDINGS,
    IS_PLAN,
    readable_file,
    text_of,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.words import VAULT_MARK

PLAN_VARIABLE = "continuity_plan"
SERVICE_VARIABLE = "continuity_service"
SERVICE_CONNECTION = "continuity.dr.service"


class InventoryModule(BaseInventoryPlugin):
    NAME = "continuity.dr.plan"
    # A plan is the operator's own file, like a playbook: its templates (secrets) are meant to be filled in. Ansible
    # (2.19 to 2.21 at least) heeds this only in the first source that sets a variable, so `_opened` does it again.
    trusted_by_default = True

    def verify_file(self, path: str) -> bool:
        if not super().verify_file(path) or not path.endswith(ENDINGS) or readable_file(path):
            return False
        text = text_of(path)
        # an encrypted file may be anything; `auto` has opened it before it asks us
        return text.startswith(VAULT_MARK) or bool(IS_PLAN.search(text))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        with _collector_paused():
            loaded = self._load(path)
            if not loaded.errors:
                loaded = self._beside_the_rest(loaded)
            if loaded.errors:
                inventory.set_variable("all", PLAN_VARIABLE, dict(loaded.plan))
                raise AnsibleParserError(f"the plan {path} is wrong:\n" + "\n".join(loaded.errors))
            self._add_services(loaded)

    def _load(self, path: str) -> LoadedPlan:
        """The plan in a file. Ansible opens it (it may be encrypted); its bytes are judged here."""
        try:
            text = self.loader.get_text_file_contents(path)
        except UnicodeDecodeError:
            text = None
        if text is not None and not IS_PLAN.search(text):
            raise AnsibleParserError(f"{path} is encrypted, and no plan")
        try:
            data, errors = read_plan(Path(path).read_bytes() if text is None else text)
        except PlanReadError as error:
            return broken_plan([f"{os.path.basename(path)}: {error}"])
        return load_plan(data, errors)

    def _beside_the_rest(self, loaded: LoadedPlan) -> LoadedPlan:
        """The same plan, or its clashes with what other sources have brought so far."""
        other = self._already_loaded()
        errors = []
        if other:
            errors += other["errors"]
            same = other.get("digest") == loaded.plan["digest"]
            wrong = "this plan is" if same else f'another plan ("{other["id"]}") is'
            errors.append(finding("plan", f"{wrong} loaded already", "one plan in a run, given once"))
        else:
            for kind, names in (("machine", self.inventory.hosts), ("group", self.inventory.groups)):
                errors += [
                    finding(f"services.{name}", f"is also the name of a {kind} in the inventory", "a name of its own")
                    for name in loaded.services
                    if name in names
                ]
        return broken_plan(errors, {"plan": loaded.plan}) if errors else loaded

    def _already_loaded(self) -> Mapping[str, Any] | None:
        """The plan that an earlier source brought: with errors it is for all hosts, else with its first service."""
        for holder in (self.inventory.groups["all"], *self.inventory.hosts.values()):
            if PLAN_VARIABLE in holder.vars:
                plan: Mapping[str, Any] = holder.vars[PLAN_VARIABLE]
                return plan
        return None

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
        # with one host only: as a variable of all, a large plan would be listed and carried along with each of them
        inventory.hosts[next(iter(loaded.services))].set_variable(PLAN_VARIABLE, dict(loaded.plan))
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
