# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: fence_agent
short_description: Switch a member off by a fence agent, and read back that it is off
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Runs one of the programs that Linux distributions ship as I(fence-agents) (C(fence_ipmilan), C(fence_redfish),
    C(fence_vmware_rest), C(fence_aws), C(fence_virsh), ...) on the task's host, which is any machine that reaches the
    device. It need not reach the member.
  - Options travel on the agent's standard input, so that no secret is in a process list, and are compared with the
    agent's own metadata first.
  - The member is off only when the agent's status says so afterwards, with the right exit code and the right word. An
    agent that ends well, gives no answer, or says two things has proven nothing.
  - It knows no lease of a member, since the member is off or cannot be reached. The claim at the arbiter keeps other
    runs out, as long as it holds, see O(not_after).
options:
  state:
    description:
      - V(fenced) switches off and reads back. V(proven) only asks, see O(required).
      - V(released) switches on and reads back. What the machine starts then is not this module's business; see the role
        P(continuity.dr.fence_agent#role).
    type: str
    choices: [fenced, proven, released]
    required: true
  service:
    description: The service for which the member is fenced.
    type: str
    required: true
  member:
    description: Name of the member that the device switches.
    type: str
    required: true
  agent:
    description: The agent's name, such as C(fence_ipmilan), or its absolute path.
    type: str
    required: true
  options:
    description:
      - The agent's options, as C(<agent> -o metadata) names them. Never C(action).
      - V(missing_as_off) is refused, and so is any V(method) but V(onoff), since with them off would not mean off.
    type: dict
    default: {}
  devices:
    description:
      - Options of each device that feeds the member, over O(options). A machine with two power supplies has two, and is
        off when both say so.
    type: list
    elements: dict
    default: []
  timeout:
    description: Seconds within which the device must have switched and say so.
    type: float
    default: 60
  call_timeout:
    description: Seconds for one question to the device.
    type: float
    default: 10
  required:
    description: With O(state=proven), fail unless the member is off.
  source:
    default: fence_agent
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.fence.evidence
  - continuity.dr.fence.not_after
notes:
  - The same options for every member belong into O(options), what differs into O(devices).
"""

EXAMPLES = r"""
- name: Switch db1 off by its service processor
  continuity.dr.fence_agent:
    state: fenced
    service: shop
    member: db1
    agent: fence_ipmilan
    options: {ip: 198.51.100.200, username: fence, password: "{{ vault_fence }}", lanplus: true}
  delegate_to: localhost
  no_log: true
"""

RETURN = r"""
fenced:
  description: The member is off.
  returned: always
  type: bool
state:
  description: What the devices say together; V(unknown) when any of them gives no clear answer.
  returned: always
  type: str
  sample: "off"
level:
  description: Strength of the evidence; V(3) is power read back off. Null where nothing is proven.
  returned: always
  type: int
evidence:
  description: What was read back, in one line. No option but the plug's or the device's name is shown.
  returned: always
  type: str
  sample: "db1: level 3 by fence_agent: fence_ipmilan 198.51.100.200 is off"
"""
