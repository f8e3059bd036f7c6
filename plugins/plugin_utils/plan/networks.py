# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which site an address lives in, as far as the plan gives its sites networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding, listed

Entry = Mapping[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network_rules(sites: Mapping[str, Entry]) -> Iterator[str]:
    """Every network that is none, or that two sites have in common."""
    known = []
    for site, entry in sites.items():
        for index, written in enumerate(_written(entry)):
            path = f"sites.{site}.networks[{index}]"
            network = _network(written)
            if network is None:
                yield finding(path, f'"{written}" {_problem(written)}', "a network such as 198.51.100.0/24")
            else:
                known.append((site, path, network))
    for (site, _path, network), (other, path, second) in combinations(known, 2):
        if site != other and network.version == second.version and network.overlaps(second):
            yield finding(path, f'"{second}" overlaps {network} of {site}', "networks of one site only")


def networks_of(sites: Mapping[str, Entry]) -> dict[str, list[Network]]:
    """The networks of each site that has any, of a plan without errors."""
    found = {name: [network for text in _written(site) if (network := _network(text))] for name, site in sites.items()}
    return {name: networks for name, networks in found.items() if networks}


def site_of(address: object, networks: Mapping[str, Sequence[Network]]) -> str | None:
    """The site whose network holds the address; None where none does, or what is given is a name."""
    try:
        wanted = ipaddress.ip_address(str(address))
    except ValueError:
        return None
    return next((name for name, own in networks.items() if any(wanted in network for network in own)), None)


def strangers(services: Mapping[str, Entry], sites: Mapping[str, Entry]) -> Iterator[str]:
    """Members whose address is in no network of their site: clients would be sent to a machine that nobody declared."""
    networks = networks_of(sites)
    for name, service in services.items() if networks else ():
        for index, member in enumerate(service["members"]):
            own, address = networks.get(member["site"]), member["address"]
            if own is None or site_of(address, {member["site"]: own}) or not _is_address(address):
                continue
            other = site_of(address, networks)
            where = f" but of {other}" if other else ""
            yield finding(
                f"services.{name}.members[{index}].address",
                f'"{address}" is in no network of {member["site"]}{where}',
                f"an address in {listed([str(network) for network in own])}, or one more of sites.{member['site']}"
                ".networks",
            )


def _is_address(text: object) -> bool:
    try:
        return bool(ipaddress.ip_address(str(text)))
    except ValueError:
        return False


def _written(site: Entry) -> list[str]:
    value = site.get("networks")
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text) if "/" in text else None
    except ValueError:
        return None


def _problem(text: str) -> str:
    """Why it is no network; one whose address has bits behind its length was meant to be the one around it."""
    try:
        around = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "is no network"
    if "/" not in text:
        return "is one address; give its length too"
    return f"is an address inside a network; did you mean {around}?"
