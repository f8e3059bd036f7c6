# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Since when no write may come from which addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOCUMENTATION = r"""
name: fenced_windows
short_description: From which addresses no write may come any more, and since when
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - A write that a member acknowledged after it was proven fenced means that the fence did not hold. The result is what
    the option O(continuity.dr.canary#module:fenced) takes.
options:
  _input:
    description: The members of a service by name, each with C(address) and optionally C(replication_address).
    type: dict
    required: true
  fenced:
    description: For each fenced member the time of the proof, in seconds since 1970.
    type: dict
    required: true
"""

EXAMPLES = r"""
# as a variable or as an argument of continuity.dr.canary
fenced: "{{ {'db1': {'address': '198.51.100.11'}} | continuity.dr.fenced_windows({'db1': 1795318476.6}) }}"
# => [{"addresses": ["198.51.100.11"], "since": "1795318476.6"}]
"""

RETURN = r"""
_value:
  description: One entry for each fenced member, with C(addresses) and C(since).
  type: list
  elements: dict
"""


def fenced_windows(members: Mapping[str, Mapping[str, Any]], fenced: Mapping[str, float]) -> list[dict[str, Any]]:
    """See DOCUMENTATION."""
    found = []
    for name, since in sorted(fenced.items()):
        addresses = {members[name]["address"], members[name].get("replication_address") or members[name]["address"]}
        found.append({"addresses": sorted(addresses), "since": str(since)})
    return found


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Any]:
        return {"fenced_windows": fenced_windows}
