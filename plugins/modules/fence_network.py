# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: fence_network
short_description: Drop the packets of one service on one member, at one machine that they pass
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Sets nftables rules on the task's host, the guard, in a table of their own that is named after service and member,
    and reads them back. The guard is a gateway or host that clients' packets to the member pass, or the member itself.
  - Only the service's TCP ports are dropped, in both directions, also of connections that are open already. SSH and
    everything else passes.
  - Rules alone prove nothing; see M(continuity.dr.fence_isolation), and the role P(continuity.dr.fence_network#role).
  - The rules are gone after a reboot of the guard.
options:
  state:
    description:
      - V(fenced) sets the rules as a whole, in one transaction. V(proven) only looks; a guard that gives no answer is
        an answer. V(released) deletes exactly this table.
    type: str
    choices: [fenced, proven, released]
    required: true
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.fence.target
  - continuity.dr.fence.not_after
"""

EXAMPLES = r"""
- name: Let no client reach the database on db1 through this gateway
  continuity.dr.fence_network:
    state: fenced
    service: shop
    member: db1
    addresses: [198.51.100.11]
    ports: [5432]
  delegate_to: gw1
"""

RETURN = r"""
isolated:
  description: Every rule was read back, and nothing else in the table but drops.
  returned: success
  type: bool
asked:
  description: When it was asked, in seconds since 1970.
  returned: success
  type: float
known:
  description: The guard showed its rules.
  returned: success
  type: bool
absent:
  description: It was read back that the table is gone, or holds no rule, nobody's.
  returned: success
  type: bool
dropped:
  description: Packets that the rules have dropped so far.
  returned: success
  type: int
weakened_by:
  description: What stands in the table and is no plain drop, such as an C(accept) that somebody inserted. The next
    V(fenced) replaces the table.
  returned: success
  type: list
  elements: str
table:
  description: The table's name.
  returned: success
  type: str
guard:
  description: The machine that holds the rules.
  returned: success
  type: str
"""
