# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one machine carries in this run, by engine role."""

from __future__ import annotations

DOCUMENTATION = r"""
name: carried
short_description: The services that a machine carries in this run, by engine role
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - With the machine's name alone, the engine roles that are needed to ask it. With an engine role as well, the
    members it carries of that engine, each with its service and its peers.
  - Two steps, because Ansible includes a role for several machines at once only if the loop's items are the same for
    all, and members must be asked at the same time and not one after another.
  - Part of the verbs; without a run it returns nothing.
options:
  _terms:
    description: The machine's name in the inventory; as a second term the full name of an engine role.
    required: true
"""

EXAMPLES = r"""
- name: Ask the machine, one include for each engine
  ansible.builtin.include_role:
    name: "{{ item }}"
    tasks_from: observe
  vars:
    engine_members: "{{ lookup('continuity.dr.carried', inventory_hostname, item) }}"
  loop: "{{ lookup('continuity.dr.carried', inventory_hostname) }}"
"""

RETURN = r"""
_raw:
  description: "A list of roles; or of members as in the plan, each with C(service) and C(peers)."
  type: list
  elements: raw
"""

from collections.abc import Sequence
from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.continuity.dr.plugins.plugin_utils import run


class LookupModule(LookupBase):
    def run(self, terms: Sequence[str], variables: Any = None, **kwargs: Any) -> list[list[Any]]:
        current = run.current()
        found: dict[str, list[dict[str, Any]]] = {}
        for name, service in current.services.items() if current else ():
            for member in service["members"]:
                if member["host"] == terms[0]:
                    peers = [peer for peer in service["members"] if peer["host"] != terms[0]]
                    found.setdefault(service["engine"]["role"], []).append({**member, "service": name, "peers": peers})
        return [found.get(terms[1], []) if len(terms) > 1 else list(found)]
