# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is an IP address and what is not, which one is this machine's own, and which site one lives in."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def ip_version(value: object) -> int | None:
    """4 or 6 for an IP address, None for anything else (leading zeros and ports are no addresses)."""
    try:
        return ipaddress.ip_address(str(value)).version
    except ValueError:
        return None


def own_address(towards: str) -> str | None:
    """The address from which this machine would send packets there; sends none. None without a way to it."""
    version = ip_version(towards)
    if version is None:
        return None
    with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))  # any port: nothing is sent
        except OSError:
            return None
        return str(probe.getsockname()[0])


def networks_of(sites: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Network]]:
    """The networks of each site that has any, of a plan without errors."""
    found = {
        name: [network for text in written_networks(site) if (network := network_of(text))]
        for name, site in sites.items()
    }
    return {name: networks for name, networks in found.items() if networks}


def site_of(address: object, networks: Mapping[str, Sequence[Network]]) -> str | None:
    """The site whose network holds the address; None where none does, or what is given is a name."""
    try:
        wanted = ipaddress.ip_address(str(address))
    except ValueError:
        return None
    return next((name for name, own in networks.items() if any(wanted in network for network in own)), None)


def written_networks(site: Mapping[str, Any]) -> list[str]:
    """The networks of a site as its plan has them; what has another shape is left out."""
    value = site.get("networks")
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def network_of(text: str) -> Network | None:
    """What a text such as `198.51.100.0/24` names, or None."""
    try:
        return ipaddress.ip_network(text) if "/" in text else None
    except ValueError:
        return None
