# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: member_lease
short_description: Hold a service's lease on one member for one run
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Takes, renews or gives back the lease that every script of a run checks before it changes the member. The task's
    host is the member; nothing is installed there, no Python is needed and no rights but those of the login.
  - The lease and the epoch are files in C(/var/lib/continuity/<service>/) on the member, owned by the login. The lease
    ends on the member's own monotonic clock; a reboot ends it as well. The epoch never goes down.
  - Refused while another run's lease lives (rule C(lease_held)) and when a newer epoch was seen (rule C(stale_epoch)).
options:
  state:
    description: >-
      V(held) takes or renews it. V(released) gives it back; a lease of another run, or none, is left as it is.
    type: str
    choices: [held, released]
    default: held
  service:
    description: The service; it names the directory on the member.
    type: str
    required: true
  run_id:
    description: The run that holds the lease; the same run takes it again at once.
    type: str
    required: true
  epoch:
    description: >-
      The epoch that the run claimed (M(continuity.dr.dns_claim)); where there are no claims, a number above every
      earlier one of this service.
    type: int
    required: true
  owner:
    description: Who runs it, for the message that others get.
    type: str
    default: ""
  seconds:
    description: How many seconds it is held unless it is renewed.
    type: int
    default: 120
  not_after:
    description: >-
      Unix time by the controller's clock at which the lease ends at the latest: RV(ignore:usable_until) of
      M(continuity.dr.dns_claim). A run that slept between its claim and this step is refused (rule C(lease_expired)):
      others may hold the claim by now.
    type: float
  break_run:
    description: >-
      Another run whose live lease is taken all the same: one whose controller is gone for good, as a person says who
      typed its id. It needs a newer epoch, and no step of that run on this member for 30 s, nor since this run began
      (rule C(holder_alive)). The lease of any other run is refused as ever.
    type: str
    default: ""
  promotion:
    description: >-
      The service's newest promotion record, kept on this member with O(state=released) unless it knows a newer one.
    type: dict
extends_documentation_fragment:
  - continuity.dr.controller
notes:
  - The role P(continuity.dr.lease#role) takes claim and leases together, as the verbs do.
seealso:
  - module: continuity.dr.dns_claim
"""

EXAMPLES = r"""
- name: Keep other runs off this member for two minutes
  continuity.dr.member_lease:
    service: shop
    run_id: 20261122T031500Z-3f9a
    epoch: 8
  delegate_to: db2

- name: Let others in again
  continuity.dr.member_lease:
    state: released
    service: shop
    run_id: 20261122T031500Z-3f9a
    epoch: 8
  delegate_to: db2
"""

RETURN = r"""
held:
  description: Whether this run holds the lease now; false in check mode, which takes none.
  returned: success
  type: bool
seconds:
  description: How long the lease was taken for.
  returned: with O(state=held)
  type: int
monotonic:
  description: When the member had said so, on the controller's own monotonic clock, in seconds.
  returned: with O(state=held)
  type: float
broken:
  description: The run whose live lease was taken; null where there was none.
  returned: with O(state=held)
  type: str
reason:
  description: >-
    V(unreachable), or V(lease_failed) where C(/var/lib/continuity) is missing or not the login's. A refusal has the
    rules C(lease_held), C(stale_epoch), C(member_busy), C(no_state_directory), C(epoch_unreadable), C(lease_expired) or
    C(holder_alive).
  returned: failure
  type: str
  sample: lease_failed
"""
