# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules about the networks that a plan gives its sites, and about who lives in none of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.address import (
    ip_version,
    network_of,
    networks_of,
    site_of,
    written_networks,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding, listed

Entry = Mapping[str, Any]


def network_rules(sites: Mapping[str, Entry]) -> Iterator[str]:
    """Every network that is none, or that two sites have in common."""
    known = []
    for site, entry in sites.items():
        for index, written in enumerate(written_networks(entry)):
            path = f"sites.{site}.networks[{index}]"
            network = network_of(written)
            if network is None:
                yield finding(path, f'"{written}" {_problem(written)}', "a network such as 198.51.100.0/24")
            else:
                known.append((site, path, network))
    for (site, _path, network), (other, path, second) in combinations(known, 2):
        if site != other and network.version == second.version and network.overlaps(second):
            yield finding(path, f'"{second}" overlaps {network} of {site}', "networks of one site only")


def strangers(services: Mapping[str, Entry], sites: Mapping[str, Entry]) -> Iterator[str]:
    """Members whose address is in no network of their site: clients would be sent to a machine that nobody declared."""
    networks = networks_of(sites)
    for name, service in services.items() if networks else ():
        for index, member in enumerate(service["members"]):
            own, address = networks.get(member["site"]), member["address"]
            if own is None or site_of(address, {member["site"]: own}) or ip_version(address) is None:
                continue
            other = site_of(address, networks)
            where = f" but of {other}" if other else ""
            yield finding(
                f"services.{name}.members[{index}].address",
                f'"{address}" is in no network of {member["site"]}{where}',
                f"an address in {listed([str(network) for network in own])}, or one more of sites.{member['site']}"
                ".networks",
            )


def _problem(text: str) -> str:
    """Why it is no network; one whose address has bits behind its length was meant to be the one around it."""
    try:
        around = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "is no network"
    if "/" not in text:
        return "is one address; give its length too"
    return f"is an address inside a network; did you mean {around}?"
