# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is an IP address and what is not."""

from __future__ import annotations

import ipaddress


def ip_version(value: object) -> int | None:
    """4 or 6 for an IP address, None for anything else (leading zeros and ports are no addresses)."""
    try:
        return ipaddress.ip_address(str(value)).version
    except ValueError:
        return None
