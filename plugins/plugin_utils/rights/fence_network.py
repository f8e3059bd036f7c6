# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role fence_network needs: on each guard, the literal commands of nft for the members behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.fence import network
from ansible_collections.continuity.dr.plugins.plugin_utils.rights import Known, Rights, Service

#: In place of a login that the plan does not tell: a guard need not be a member
NO_LOGIN = "LOGIN-ON-THE-GUARD"


def rights(service: Service, part: Mapping[str, Any], known: Known) -> Rights:
    """A sudoers file for every guard. Members that are guards of themselves get the lines in their own."""
    sudo: dict[str, list[str]] = {}
    files: dict[str, list[str]] = {}
    for member in service["members"]:
        own = (part.get("members") or {}).get(member["host"]) or {}
        ways = (member.get("address"), member.get("replication_address"))
        addresses = own.get("addresses") or [address for address in dict.fromkeys(ways) if address]
        target = network.Target(service["name"], member["host"], tuple(addresses), (int(member.get("port") or 5432),))
        for guard in own.get("guards") or ():
            lines = network.sudo_rules(target, known.logins.get(guard, NO_LOGIN))
            if guard in known.logins:
                sudo.setdefault(guard, []).extend(lines)
            else:
                files.setdefault(f"{guard}.guard.sudoers", []).extend(lines)
    return Rights(sudo, files=files)
