# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to ask, and whom, about members that give no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.address import ip_version

CONTROLLER = "localhost"
#: Stages in which nobody waits for what a fence says of a member that answers.
SHORT = ("failover", "switchover")
#: Stages that can end beside a member that gives no answer. A planned move does where another was cut off.
VETOED = ("failover", "switchover", "failback")


def for_fences(
    service: Mapping[str, Any], hostvars: Mapping[str, Any], stage: str, since: float = 0.0
) -> list[dict[str, Any]]:
    """One question for each fence of a service and each member that it is to be asked about.

    `since` is when the run began: what members said before that counts for nothing.
    """
    return [
        {"fence": fence["name"], "role": fence["role"], **each}
        for each in _members(service, hostvars, since).values()
        for fence in service.get("fences") or ()
        if stage not in SHORT or not each["reachable"]
    ]


def for_witnesses(
    service: Mapping[str, Any], hostvars: Mapping[str, Any], stage: str, since: float = 0.0
) -> list[dict[str, Any]]:
    """One look for each member that gave no answer and each machine that is to look at it.

    The controller looks at the same time as the first of the others, or alone: an outage waits for each look.
    """
    if stage not in VETOED:
        return []
    seen = _members(service, hostvars, since)
    hosts = [host for host, each in seen.items() if each["reachable"]]
    hosts += [host for host in (service.get("witnesses") or ()) if host not in (*hosts, CONTROLLER)]
    looks = []
    for name, each in seen.items():
        addresses = looked_at(each["member"])
        if each["reachable"] or not addresses:
            continue
        for place, host in enumerate([host for host in hosts if host != name] or [CONTROLLER]):
            target = {"member": name, "addresses": addresses, "ports": each["ports"]}
            looks.append({"vantage": host, "controller_too": place == 0 and host != CONTROLLER, **target})
    return looks


def _members(service: Mapping[str, Any], hostvars: Mapping[str, Any], since: float) -> dict[str, dict[str, Any]]:
    return {member["host"]: _seen(hostvars, service["name"], member, since) for member in service["members"]}


def _seen(hostvars: Mapping[str, Any], name: str, member: Mapping[str, Any], since: float) -> dict[str, Any]:
    """What this stage observed of a member, as far as a fence must know it."""
    facts = (hostvars[member["host"]].get("ansible_facts") or {}).get("continuity_observed") or {}
    said = facts.get(name) or {}
    if said.get("asked") is not None and float(said["asked"]) < since:  # a fact cache keeps what another run was told
        said = {}
    engine = said.get("engine") or {}
    ports = engine.get("ports") or [int(member.get("port") or 5432)]
    return {
        "member": dict(member),
        "reachable": bool(said.get("reachable")),
        "units": engine.get("units") or [],
        "ports": ports,
    }


def looked_at(member: Mapping[str, Any]) -> list[str]:
    """Where the service would answer. A name is nothing to look at: what it leads to may be another machine."""
    found = dict.fromkeys(str(member.get(key) or "") for key in ("address", "replication_address"))
    return [address for address in found if ip_version(address) is not None]
