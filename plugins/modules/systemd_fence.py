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
  - A machine that cannot be reached is not fenced; the module fails and says so.
options:
  state:
    description:
      - V(fenced) stops and masks. V(proven) only looks, and fails when the proof is missing.
      - V(released) unmasks; the units stay stopped.
    type: str
    choices: [fenced, proven, released]
    required: true
  service:
    description: The service that the units belong to.
    type: str
    required: true
  units:
    description: The systemd units.
    type: list
    elements: str
    required: true
  ports:
    description: TCP ports on which nothing may listen any more.
    type: list
    elements: int
    default: []
  timeout:
    description: Seconds a unit may take to stop before it is killed.
    type: int
    default: 10
attributes:
  check_mode:
    support: full
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.postgresql.lease
"""

EXAMPLES = r"""
- name: Make sure that the old primary takes no writes
  continuity.dr.systemd_fence:
    state: fenced
    service: shop
    units: [postgresql@15-main.service]
    ports: [5432]
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
  description: Strength of the evidence; 3 is the machine itself read back stopped and masked.
  returned: success
  type: int
"""
