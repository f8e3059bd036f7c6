# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: fence_proof
short_description: Fail unless every member that must not serve was proven out of the way in this walk
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - The gate in front of a promotion. Reads the evidence that the fences left in this walk and contacts nobody.
  - Evidence of an earlier stage or run does not count, nor does any that is weaker than asked for.
  - A step of the verbs; see the role P(continuity.dr.service#role).
options:
  service:
    description: The service.
    type: str
    required: true
  members:
    description: The members that must be out of the way.
    type: list
    elements: str
    required: true
  min_level:
    description: The weakest evidence that counts.
    type: int
    choices: [0, 1, 2, 3]
    default: 2
  since:
    description: Evidence that was read back before this time (seconds since 1970) does not count.
    type: float
    required: true
  max_age:
    description:
      - How old evidence of a moment may be, in seconds since it was asked for. Power that is off, and a network that is
        closed, may be different since; what is stopped and masked on the machine itself stays so.
    type: float
    default: 15
  lease:
    description:
      - What M(continuity.dr.member_lease) returned for the member that is to be promoted. With it RV(lease_left) is
        known.
    type: dict
  looks:
    description:
      - What M(continuity.dr.fence_vantage) returned just now about members that give no answer and that nothing keeps
        down, since an operator gave the word. One of them that answers somebody keeps the gate shut.
    type: list
    elements: dict
    default: []
  failures:
    description: What the fences that failed said, for the message.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - continuity.dr.controller
"""

EXAMPLES = r"""
- name: Go on only with proof
  continuity.dr.fence_proof:
    service: shop
    members: [db1]
    min_level: 2
    since: "{{ started }}"
"""

RETURN = r"""
evidence:
  description: The strongest evidence of each member, in one line each.
  returned: success
  type: list
  elements: str
  sample: ["db1: level 3 by fence_agent: fence_ipmilan 198.51.100.200 is off"]
lease_left:
  description:
    - The least that must be left of the lease when the member is promoted, in seconds, or the evidence is too old then.
      Null where none of it fades, or O(lease) is not known. Also in the fact C(continuity_fence_gate).
  returned: success
  type: int
  sample: 254
"""
