# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: member_lease
short_description: Hold a service's lease on one member for one run
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Takes, renews or gives back the lease that every script of a run checks before it changes the member.
  - The lease and the epoch are files in C(/var/lib/continuity/<service>/) on the member, owned by the login. The lease
    ends on the member's own monotonic clock; a reboot ends it as well. The epoch never goes down.
  - Refused while another run's lease lives (rule C(lease_held)) and when a newer epoch was seen (rule C(stale_epoch)).
options:
  state:
    description: V(held) takes or renews it, V(released) gives it back.
    type: str
    choices: [held, released]
    default: held
  service:
    description: The service.
    type: str
    required: true
  run_id:
    description: The run that holds the lease; the same run takes it again at once.
    type: str
    required: true
  epoch:
    description: The epoch the run claimed at the arbiter.
    type: int
    required: true
  owner:
    description: Who runs it, for the message that others get.
    type: str
    default: ""
  seconds:
    description: How long it is held unless it is renewed.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
extends_documentation_fragment:
  - continuity.dr.controller
"""

EXAMPLES = r"""
- name: Keep other runs off this member for two minutes
  continuity.dr.member_lease:
    service: shop
    run_id: 20261122T031500Z-3f9a
    epoch: 8
  delegate_to: db2
"""

RETURN = r"""
held:
  description: Whether this run holds the lease now.
  returned: success
  type: bool
"""
