# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: fence_isolation
short_description: Judge whether a member is isolated, from what guards and vantage points said
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Contacts nobody. Takes what M(continuity.dr.fence_network) and M(continuity.dr.fence_vantage) returned.
  - The member is isolated when every guard showed all rules, no vantage point opens a port of the service, and at least
    two vantage points that have a way to the member find every port closed. A vantage point has a way when the control
    port answers it, or when it had opened the service's port before the rules were set. One that is cut off itself
    counts for nothing.
options:
  state:
    description: V(fenced) is the end of a fence, V(proven) a look at one.
    type: str
    choices: [fenced, proven]
    required: true
  guards:
    description: What every guard returned.
    type: list
    elements: dict
    required: true
  before:
    description: What the vantage points saw before the rules were set.
    type: list
    elements: dict
    default: []
  after:
    description: What they see now.
    type: list
    elements: dict
    required: true
  required:
    description: Fail unless the member is isolated.
  source:
    default: fence_network
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.fence.evidence
  - continuity.dr.fence.target
"""

EXAMPLES = r"""
- name: Is db1 isolated?
  continuity.dr.fence_isolation:
    state: proven
    service: shop
    member: db1
    addresses: [198.51.100.11]
    ports: [5432]
    guards: "{{ guards.results }}"
    after: "{{ sights.results }}"
"""

RETURN = r"""
fenced:
  description: The member is isolated.
  returned: success
  type: bool
level:
  description: V(2), or null where nothing is proven.
  returned: success
  type: int
state:
  description: V(isolated), V(open) where a vantage point opens a port, else V(unknown).
  returned: success
  type: str
evidence:
  description: What was read back and seen, in one line.
  returned: success
  type: str
"""
