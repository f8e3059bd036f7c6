# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: drill_fault
short_description: Note in the journal when a drill injected and healed its fault
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - A drill measures from the fault and not from the first command. This step keeps when the fault was injected, for the
    canary's measurement (fact C(continuity_fault)) and for the report.
  - V(injecting) refuses a plan whose environment is not C(drill), and a service whose baseline was refused, so no fault
    is ever injected that could not be recovered from.
  - V(failed) fails, and says which command of the fault's own tasks failed, with what, and what to do.
  - Part of the verb C(drill); it injects nothing itself.
options:
  state:
    description: >-
      What is about to happen (V(injecting)), or has just happened. V(injecting) fails, refused, where no fault may be
      injected.
    type: str
    choices: [injecting, injected, healed, failed]
    required: true
  service:
    description: The service of the plan.
    type: str
    required: true
  fault:
    description: Path of the task file that injects it; it is noted, not run.
    type: str
    required: true
  member:
    description: The member it hits, by its name in the inventory.
    type: str
    required: true
  task:
    description: With O(state=failed), the name of the task that failed.
    type: str
  failure:
    description: With O(state=failed), the result of that task.
    type: dict
extends_documentation_fragment:
  - continuity.dr.controller
seealso:
  - module: continuity.dr.decide
"""

EXAMPLES = r"""
- name: Note when the fault began
  continuity.dr.drill_fault:
    state: injected
    service: "{{ inventory_hostname }}"
    fault: faults/primary_crashed.yml
    member: db1
"""

RETURN = r"""
fault:
  description: The fault with its member, C(window_start) and C(time) in seconds since 1970.
  returned: success
  type: dict
reason:
  description: V(fault_failed), where O(state=failed).
  returned: failure
  type: str
  sample: fault_failed
"""
