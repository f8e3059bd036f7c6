# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: decide
short_description: Decide what one service needs, or list every reason why nothing is done
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Takes what was observed of a service in this run (its members, its endpoints, the last sight of its primary) and
    returns ordered steps, or a refusal with every unmet rule, its measured value and its limit.
  - Touches nothing. Check mode gives the same decision.
  - A refusal does not fail the task, or it would stop other services; the end of the run fails.
  - A step of the verbs. It needs the plan, the run that the verb's plays begin, and the facts that they gather, so it
    is of use in a verb of your own (the README of the role P(continuity.dr.service#role) shows one) and nowhere else.
options:
  service:
    description: The service to decide about, a host of the plan.
    type: str
    required: true
  verb:
    description: By which verb's rules is decided. V(assess) decides as V(switchover) would and aims at nothing.
    type: str
    choices: [assess, switchover, failover, rejoin, failback]
    required: true
extends_documentation_fragment:
  - continuity.dr.controller
notes:
  - The role P(continuity.dr.service#role) takes the steps that were decided.
seealso:
  - plugin: continuity.dr.whole_run
    plugin_type: lookup
"""

EXAMPLES = r"""
# in a play on the services of a run: hosts: "{{ lookup('continuity.dr.whole_run', 'services', verb='switchover') }}"
- name: Decide what this service needs
  continuity.dr.decide:
    service: "{{ inventory_hostname }}"
    verb: switchover
"""

RETURN = r"""
decision:
  description: The decision; also the fact C(continuity_decision) of the service.
  returned: success
  type: dict
  contains:
    steps:
      description: >-
        Ordered steps, each with C(name) (C(claim), C(lease), C(fence), C(demote), C(promote), C(point), C(rejoin),
        C(verify)) and C(member); empty where it is refused or the goal is reached.
      returned: always
      type: list
    refusals:
      description: Unmet rules, each with C(rule), C(measured), C(limit), C(message) and C(hint).
      returned: always
      type: list
    waivers:
      description: Unmet rules that were waived by name, as RV(decision.refusals).
      returned: always
      type: list
    evidence:
      description: What the decision rests on, a line each.
      returned: always
      type: list
    notices:
      description: Of an assessment, what forbids nothing and is better mended before it is needed, a line each.
      returned: always
      type: list
    from_member:
      description: The member that is or was primary.
      returned: always
      type: str
    to_member:
      description: The member that is to be primary.
      returned: always
      type: str
    refused:
      description: Whether any rule forbids it.
      returned: always
      type: bool
    promotion:
      description: The newest promotion record that any member has; empty where there is none.
      returned: always
      type: dict
    observed:
      description: What the decision rests on, by member.
      returned: always
      type: dict
    gives_back:
      description:
        - The members whose leases, with its claims, this run gives back where the steps are not carried out. It took
          them before it was cut off, and nothing of it is under way. Empty for none.
      returned: always
      type: list
    goal_reached:
      description: There is nothing to do.
      returned: always
      type: bool
"""
