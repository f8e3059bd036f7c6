# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: outcome
short_description: Begin and end the walk of one service through its decision
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - V(begun) says whether the service's decision may be carried out now, and lays out its steps for the tasks that
    follow. A service that depends on one which failed or was refused in this run is refused with that reason.
  - V(done), V(failed) and V(refused) write how it ended into the run's journal. A service's end is data; the run as a
    whole fails at its very end, so a service that fails stops no independent one.
  - V(done) keeps what the engine last saw of the service's primary (fact C(continuity_observed) of the service). A
    failover proves with it what the primary's replicas had confirmed before it died.
  - Part of the verbs; it needs the run that the verb's plays begin.
options:
  state:
    description: Which end of the walk this is.
    type: str
    choices: [begun, done, failed, refused]
    required: true
  service:
    description: The service.
    type: str
    required: true
  message:
    description: What happened, in words for a person.
    type: str
    default: ""
  next_command:
    description: The literal command to run next.
    type: str
    default: ""
  data:
    description: Further facts for the journal.
    type: dict
    default: {}
extends_documentation_fragment:
  - continuity.dr.controller
"""

EXAMPLES = r"""
- name: Begin the walk
  continuity.dr.outcome:
    state: begun
    service: "{{ inventory_hostname }}"
"""

RETURN = r"""
proceed:
  description: The steps may be carried out; false in check mode, after a refusal, and when there is nothing to do.
  returned: when state is begun
  type: bool
steps:
  description: The steps by name; members where a step has any.
  returned: when state is begun
  type: dict
"""
