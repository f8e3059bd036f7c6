# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory groups of a plan: which service is in which."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

ALL_SERVICES = "continuity_services"
PREFIX = "continuity_"


def group_name(kind: str, name: object) -> str:
    """`group_name("function", "card-payments")` is `continuity_function_card_payments`."""
    return f"{PREFIX}{kind}_{str(name).replace('-', '_')}"


def member_sites(sites: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """The sites of every machine, by the machine's name: one for a correct inventory, more when its groups overlap.

    `groups`: the machines of every inventory group.
    """
    result: dict[str, list[str]] = {}
    for name, site in sites.items():
        for host in groups.get(site["group"], ()):
            result.setdefault(host, []).append(name)
    return result


def service_groups(
    plan: Mapping[str, Any], services: Mapping[str, Mapping[str, Any]], sites_of: Mapping[str, Collection[str]]
) -> dict[str, list[str]]:
    """The services of every group, in the order of the plan; the groups exist even when they are empty."""
    tiers = sorted({function["tier"] for function in plan["functions"].values()})
    names = [ALL_SERVICES]
    names += [group_name("tier", tier) for tier in tiers]
    names += [group_name("site", site) for site in plan["sites"]]
    names += [group_name("function", function) for function in plan["functions"]]
    result: dict[str, list[str]] = {name: [] for name in names}
    for name, service in services.items():
        result[ALL_SERVICES].append(name)
        result[group_name("tier", service["tier"])].append(name)
        result[group_name("function", service["function"])].append(name)
        for site in service_sites(service, sites_of):
            result[group_name("site", site)].append(name)
    return result


def service_sites(service: Mapping[str, Any], sites_of: Mapping[str, Collection[str]]) -> list[str]:
    """The sites where a service has a member, in the order of its members."""
    return list(dict.fromkeys(site for member in service["members"] for site in sites_of.get(member["host"], ())))
