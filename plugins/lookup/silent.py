# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to ask, and whom, about members that give no answer."""

from __future__ import annotations

DOCUMENTATION = r"""
name: silent
short_description: What to ask about members that give no answer
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - V(fences) gives one entry for each fence of a service and each member that it is to be asked about. In a failover
    those are the members that gave no answer, in every other stage all of them.
  - V(witnesses) gives one entry for each member that gave no answer and each machine that is to look at it. Those are
    the members that did answer, the plan's O(_terms) C(witnesses), and the controller.
  - Part of the verbs; without a run, and for a host that is no service, it returns nothing.
options:
  _terms:
    description: V(fences) or V(witnesses), the service, and the stage.
    required: true
"""

EXAMPLES = r"""
- name: Which members are silent?
  ansible.builtin.debug:
    msg: "{{ lookup('continuity.dr.silent', 'witnesses', inventory_hostname, 'failover') }}"
"""

RETURN = r"""
_raw:
  description:
    - "A list of C({fence, member, reachable, units, ports}), or of C({vantage, member, addresses, ports})."
  type: list
  elements: raw
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.continuity.dr.plugins.plugin_utils import run

CONTROLLER = "localhost"
#: Stages in which nobody waits for what a fence says of a member that answers.
SHORT = ("failover", "switchover")


class LookupModule(LookupBase):
    def run(self, terms: Sequence[str], variables: Any = None, **kwargs: Any) -> list[list[Any]]:
        what, name, stage = terms
        current = run.current()
        if current is None or name not in current.services:
            return [[]]
        service = current.services[name]
        hostvars = (variables or {}).get("hostvars") or {}
        seen = {member["host"]: _seen(hostvars, name, member) for member in service["members"]}
        if what == "witnesses":
            return [_witnesses(service, seen) if stage == "failover" else []]
        return [_questions(service, seen, stage)]


def _seen(hostvars: Mapping[str, Any], name: str, member: Mapping[str, Any]) -> dict[str, Any]:
    """What this stage observed of a member, as far as a fence must know it."""
    facts = (hostvars[member["host"]].get("ansible_facts") or {}).get("continuity_observed") or {}
    said = facts.get(name) or {}
    engine = said.get("engine") or {}
    ports = engine.get("ports") or [int(member.get("port") or 5432)]
    return {
        "member": dict(member),
        "reachable": bool(said.get("reachable")),
        "units": engine.get("units") or [],
        "ports": ports,
    }


def _questions(service: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]], stage: str) -> list[dict[str, Any]]:
    return [
        {"fence": fence["name"], "role": fence["role"], **each}
        for each in seen.values()
        for fence in service.get("fences") or ()
        if stage not in SHORT or not each["reachable"]
    ]


def _witnesses(service: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    hosts = [host for host, each in seen.items() if each["reachable"]]
    hosts += [host for host in (*(service.get("witnesses") or ()), CONTROLLER) if host not in hosts]
    return [
        {"vantage": host, "member": name, "addresses": addresses, "ports": each["ports"]}
        for name, each in seen.items()
        if not each["reachable"]
        for addresses in [_addresses(each["member"])]
        for host in hosts
        if host != name and addresses
    ]


def _addresses(member: Mapping[str, Any]) -> list[str]:
    """Where the service would answer. A name is nothing to look at: what it leads to may be another machine."""
    found = dict.fromkeys(str(member.get(key) or "") for key in ("address", "replication_address"))
    return [address for address in found if _is_address(address)]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
