# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: fence_vantage
short_description: What one machine sees of a member by TCP
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Tries the service's ports on the member from the task's host, all at the same time, and one port more that shows
    whether there is a way at all. Tells what opens, what is refused, what stays silent, and whether something alive
    answers.
  - Needs C(bash) and C(timeout) on that host, no rights and no Python. A host that gives no answer is an answer; it
    never fails for what it sees.
options:
  control_port:
    description: A port on the member that no fence closes; SSH's.
    type: int
    default: 22
  timeout:
    description: Seconds for each port.
    type: float
    default: 2
  controller_too:
    description: Have the controller look as well, at the same time. What it sees is returned as RV(controller).
    type: bool
    default: false
  hello:
    description:
      - Bytes in hexadecimal that are sent where a port opens. What answers within half of O(timeout) is alive; the
        system of a frozen machine still opens connections.
      - The default is a question that PostgreSQL answers before any login; servers that greet first are seen as well.
    type: str
    default: 00 00 00 08 04 d2 16 2f
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.fence.target
"""

EXAMPLES = r"""
- name: Can the client's machine open the database on db1?
  continuity.dr.fence_vantage:
    service: shop
    member: db1
    addresses: [198.51.100.11]
    ports: [5432]
  delegate_to: client
"""

RETURN = r"""
vantage:
  description: The machine that looked.
  returned: success
  type: str
member:
  description: The member that it looked at.
  returned: success
  type: str
seen:
  description: Each address and port with what was seen. Empty where the machine could not be asked.
  returned: success
  type: list
  elements: dict
  sample: [{"address": "198.51.100.11", "port": 5432, "sight": "silent", "alive": false}]
open:
  description: A port of the service opened.
  returned: success
  type: bool
alive:
  description: Something behind a port of the service answered.
  returned: success
  type: bool
controller:
  description: What the controller saw at the same time, with RV(vantage), RV(seen), RV(open), RV(alive) and RV(text).
  returned: with O(controller_too)
  type: dict
text:
  description: What was seen of the service, in one line.
  returned: success
  type: str
asked:
  description: When the look began, in seconds since 1970.
  returned: success
  type: float
time:
  description: When, in seconds since 1970.
  returned: success
  type: float
"""
