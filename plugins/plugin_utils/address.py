# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is an IP address and what is not, and which one is this machine's own."""

from __future__ import annotations

import ipaddress
import socket


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
