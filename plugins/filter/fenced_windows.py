# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Since when no write may come from which addresses."""

from __future__ import annotations

from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.watched import windows

DOCUMENTATION = r"""
name: fenced_windows
short_description: From which addresses no write may come any more, and since when
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - A write that a member acknowledged after it was proven fenced means that the fence did not hold. The result is what
    the option O(continuity.dr.canary#module:fenced) takes.
  - It holds every proof of this run, of earlier walks as well, until a walk has the member serve again.
options:
  _input:
    description: The facts of a service, as the steps of a verb leave them behind.
    type: dict
    required: true
"""

EXAMPLES = r"""
# in a task on a service's host, as an argument of continuity.dr.canary
fenced: "{{ ansible_facts | continuity.dr.fenced_windows }}"
# => [{"member": "db1", "addresses": ["198.51.100.11"], "since": "1795318476.6"}]
"""

RETURN = r"""
_value:
  description: One entry for each proof, with C(member), C(addresses), C(since) and, where it serves again, C(until).
  type: list
  elements: dict
"""


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Any]:
        return {"fenced_windows": windows}
