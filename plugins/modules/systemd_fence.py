# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: systemd_fence
short_description: Fence a service on a reachable machine by its systemd units, with proof
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Masks units and stops them, so that nothing brings them back, not even a reboot, and reads back that they are
    masked, that no process of theirs is left, and that nothing listens on their ports.
  - The task's host is the machine. One that cannot be reached is not fenced; the module fails and says so.
  - The machine needs systemd and a POSIX shell; the login needs C(systemctl mask), C(stop), C(kill) and
    C(unmask) of these units by C(sudo), see C(docs/rights.md).
options:
  state:
    description:
      - V(fenced) masks, stops, kills what did not stop in time, and reads back; it fails when the proof is missing.
      - V(proven) only looks, and fails when the proof is missing.
      - V(released) unmasks; the units stay stopped.
    type: str
    choices: [fenced, proven, released]
    required: true
  service:
    description: The service that the units belong to; it names C(/var/lib/continuity/<service>), where the lease is.
    type: str
    required: true
  units:
    description: The systemd units, with their suffix.
    type: list
    elements: str
    required: true
  ports:
    description: TCP ports on which nothing may listen any more, on any address of the machine.
    type: list
    elements: int
    default: []
  timeout:
    description: Seconds a unit may take to stop before it is killed.
    type: int
    default: 10
  answer_within:
    description:
      - With O(state=fenced), seconds within which a machine that does not answer is tried again, as one that boots.
        V(0) tries once.
    type: float
    default: 0
  source:
    default: fence_systemd
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.fence.evidence
  - continuity.dr.postgresql.lease
notes:
  - The role P(continuity.dr.fence_systemd#role) is the same for a plan.
"""

EXAMPLES = r"""
- name: Make sure that the old primary takes no writes
  continuity.dr.systemd_fence:
    state: fenced
    service: shop
    units: [postgresql@15-main.service]
    ports: [5432]
  delegate_to: db1

- name: Allow it to start again; nothing is started
  continuity.dr.systemd_fence:
    state: released
    service: shop
    units: [postgresql@15-main.service]
  delegate_to: db1
"""

RETURN = r"""
fenced:
  description: Every unit is masked and stopped, and no port is open.
  returned: always
  type: bool
evidence:
  description: What was read back, as one line.
  returned: always
  type: str
  sample: postgresql@15-main.service is masked, inactive, 0 processes
level:
  description: Strength of the evidence; 3 is the machine itself read back stopped and masked. Null where nothing is.
  returned: success
  type: int
  sample: 3
reason:
  description: V(not_fenced), V(not_released) or V(unreachable).
  returned: failure
  type: str
  sample: not_fenced
"""
