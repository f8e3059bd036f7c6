# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is there evidence that a member takes no more writes?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence, strongest

DOCUMENTATION = r"""
name: proven
short_description: Is there evidence, strong enough, that a member takes no more writes?
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Of the fact C(continuity_fence_evidence), which the fences leave.
options:
  _input:
    description: The evidence, as the fact has it.
    type: dict
    required: true
  member:
    description: The member.
    type: str
    required: true
  min_level:
    description: The weakest evidence that counts. A word is no proof, so it is at least 1.
    type: int
    required: true
"""

EXAMPLES = r"""
isolated: "{{ ansible_facts.continuity_fence_evidence | default({}) | continuity.dr.proven('db1', 2) }}"
"""

RETURN = r"""
_value:
  description: There is.
  type: bool
"""


def proven(evidence: Mapping[str, Mapping[str, Any]], member: str, min_level: int) -> bool:
    """See DOCUMENTATION."""
    found = strongest((Evidence.from_dict(said) for said in evidence.values()), 0.0).get(member)
    return found is not None and found.proves(max(1, int(min_level)))


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Any]:
        return {"proven": proven}
