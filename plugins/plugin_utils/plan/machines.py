# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the machines decide: where each member lives and how it is reached, and the rules that need to know it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.address import ip_version
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import same_form
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.groups import PREFIX
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import (
    MOST_HINTS,
    SECRET_NAME,
    finding,
    listed,
    unknown,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.networks import strangers

Entry = Mapping[str, Any]

_RECORD_VERSION = {"A": 4, "AAAA": 6}


def without_secrets(value: Any) -> Any:
    """A copy of plan data without the entries whose name says that they hold a secret."""
    if isinstance(value, Mapping):
        return {name: without_secrets(item) for name, item in value.items() if not _is_secret(str(name), item)}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    return value


def _is_secret(name: str, value: Any) -> bool:
    """A number under `key` is that of a repository of backups."""
    return bool(SECRET_NAME.search(name)) and not (name == "key" and isinstance(value, int))


def secrets_of(value: Any, path: str, secret: bool = False) -> Iterator[tuple[str, Any]]:
    """What `without_secrets` leaves out: every value of it as it stands in the plan, with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_of(item, f"{path}.{key}", secret or _is_secret(str(key), item))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from secrets_of(item, f"{path}[{index}]", secret)
    elif secret:
        yield path, value


def placed(service: Entry, sites_of: Mapping[str, Sequence[str]], address_of: Callable[[str], str]) -> dict[str, Any]:
    """The service with `site`, `address` and `replication_address` on every member.

    `sites_of`: the sites of every machine. `address_of`: how Ansible reaches a machine. Call it only for a service
    without machine errors.
    """
    members = []
    for member in service["members"]:
        address = _one_form(member.get("address") or address_of(member["host"]))
        members.append(
            {
                **member,
                "site": sites_of[member["host"]][0],
                "address": address,
                "replication_address": _one_form(member.get("replication_address") or address),
            }
        )
    return {**service, "members": members}


def _one_form(address: str) -> str:
    """As a name server tells it: with another spelling a member would never be found behind its own record."""
    return same_form(address.lower())


def machine_findings(
    services: Mapping[str, Entry],
    sites: Mapping[str, Entry],
    groups: Mapping[str, Collection[str]],
    sites_of: Mapping[str, Sequence[str]],
) -> list[str]:
    """Every rule about the machines of the services that the inventory breaks."""
    every_service = set(groups.get(f"{PREFIX}services", ()))
    machines = [host for host in groups["all"] if host not in every_service]
    errors = [
        unknown(f"sites.{name}.group", "group", site["group"], [group for group in groups if group != "all"])
        for name, site in sites.items()
        if site["group"] not in groups
    ]
    known = set(machines)
    others = _other_groups(services, groups)
    for name, service in services.items():
        errors += _name_clash(name, groups, others.get(name, ()))
        for index, member in enumerate(service["members"]):
            host, path = member["host"], f"services.{name}.members[{index}]"
            where = sites_of.get(host, ())
            if host not in known:
                errors.append(unknown(path, "machine", host, machines, guess=len(errors) < MOST_HINTS))
            elif len(where) != 1:
                groups_of_sites = listed([site["group"] for site in sites.values()])
                wrong = f"{host} is in {' and '.join(where)}" if where else f"{host} is in no site"
                errors.append(finding(path, wrong, f"a machine of exactly one of the groups {groups_of_sites}"))
    return errors


def address_findings(services: Mapping[str, Entry], sites: Mapping[str, Entry]) -> list[str]:
    """Every rule about addresses that the placed services break."""
    return [
        *strangers(services, sites),
        *_shared_addresses(services),
        *dict.fromkeys(_wrong_for_record(services)),
        *_arbiters_that_are_members(services),
    ]


def _wrong_for_record(services: Mapping[str, Entry]) -> Iterator[str]:
    for name, service in services.items():
        for endpoint in service["endpoints"]:
            version = _RECORD_VERSION.get(endpoint.get("type", ""))
            for index, member in enumerate(service["members"]) if version else ():
                problem = _record_problem(member["address"], version)
                if problem:
                    path = f"services.{name}.members[{index}].address"
                    allowed = f"an IPv{version} address for the {endpoint['type']} record {endpoint['name']}"
                    yield finding(path, f'"{member["address"]}" {problem}', allowed)


def _other_groups(services: Collection[str], groups: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """For each service the groups it is in that are not the plan's."""
    result: dict[str, list[str]] = {}
    for group, hosts in groups.items():
        if group not in ("all", "ungrouped") and not group.startswith(PREFIX):
            for name in hosts:
                if name in services:
                    result.setdefault(name, []).append(group)
    return result


def _name_clash(name: str, groups: Collection[str], others: Collection[str]) -> Iterator[str]:
    if name in groups:
        yield finding(f"services.{name}", "is also the name of a group in the inventory", "a name of its own")
    if others:
        yield finding(
            f"services.{name}",
            f"is also a machine, or was put into the group {listed(others)}",
            "a name of its own, in no other group",
        )


def _shared_addresses(services: Mapping[str, Entry]) -> Iterator[str]:
    """Two members behind one address and port are one database: a failover between them would be a lie."""
    seen: dict[tuple[str, object], tuple[str, str]] = {}
    for name, service in services.items():
        for index, member in enumerate(service["members"]):
            path = f"services.{name}.members[{index}]"
            port = member.get("port")
            key = (member["address"], port if port is not None else f"of {name}")
            first, first_host = seen.setdefault(key, (path, member["host"]))
            if first == path:
                continue
            where = member["address"] + (f" port {port}" if port is not None else "")
            yield finding(
                path, f"{member['host']} and {first_host} ({first}) are both {where}", "an address and port of its own"
            )


def _arbiters_that_are_members(services: Mapping[str, Entry]) -> Iterator[str]:
    """The name server keeps a second operator out while a member is lost: not where it is lost with it."""
    for name, service in services.items():
        members = {member["address"]: member["host"] for member in service["members"]}
        for number, endpoint in enumerate(service["endpoints"]):
            for index, server in enumerate((endpoint.get("zone") and endpoint.get("servers")) or ()):
                if host := members.get(_one_form(str(server))):
                    path = f"services.{name}.endpoints[{number}].servers[{index}]"
                    yield finding(
                        path,
                        f'"{server}" is {host}, a member of this service: whatever takes it takes the claim as well',
                        "a name server on a machine that is no member of it",
                    )


def _record_problem(address: str, version: int | None) -> str | None:
    if ip_version(address) != version:
        return "cannot stand in the record"
    parsed = ipaddress.ip_address(address)
    if parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast:
        return "reaches no other machine"
    return None
