# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: fence_evidence
short_description: Leave what a fence read back, as evidence
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - For fence roles of others. Contacts nobody; says what the role has read back a moment ago.
  - The level follows from the state. No fence can claim more than the ladder gives for what it read.
options:
  service:
    description: The service.
    type: str
    required: true
  member:
    description: The member that it is about.
    type: str
    required: true
  source:
    description: The fence, by the name that it has in the plan.
    type: str
    required: true
  state:
    description:
      - V(off) is power off, V(stopped) the machine's own word that the service is stopped and masked, both of level 3.
        V(isolated) is level 2, two vantage points included. V(on) and V(open) say that the fence works and has not been
        used, V(unknown) that nothing could be read.
    type: str
    choices: ["off", stopped, isolated, "on", open, unknown]
    required: true
  gives:
    description: With V(on) and V(open), the level that the fence could reach.
    type: int
    default: 3
    choices: [1, 2, 3]
  text:
    description: What was read back, in one line.
    type: str
    required: true
extends_documentation_fragment:
  - continuity.dr.controller
"""

EXAMPLES = r"""
- name: Leave the evidence
  continuity.dr.fence_evidence:
    service: shop
    member: db1
    source: fence_power
    state: "off"
    text: outlet rack4-07 is off
"""

RETURN = r"""
evidence:
  description: The evidence in one line.
  returned: success
  type: str
level:
  description: Its level, or null where nothing is proven.
  returned: success
  type: int
"""
