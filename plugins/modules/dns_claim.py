# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dns_claim
short_description: Take, renew, give back or read the claim of a DNS endpoint
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Keeps two runs from moving the same endpoint. The claim is one TXT record beside the endpoint (the guard), changed
    by compare-and-swap through RFC 2136 prerequisites, so of two runs exactly one wins, wherever they are started.
  - Each claim carries an epoch that grows with every new claim and never goes down. M(continuity.dr.dns_switch) moves
    the record only while the guard is exactly this run's claim.
  - A claim that nobody gives back ends by itself. Its holder may trust it until 30 seconds before RV(ignore:until),
    others take it 30 seconds after. Time is the name server's, as its signed answers tell it.
  - The guard reads C(epoch=7 run=20261122T031500Z-3f9a state=claimed until=2026-11-22T03:17:00Z owner=user@host). A
    TXT record at that name that is not a guard is never overwritten.
options:
  state:
    description:
      - V(claimed) takes the claim, or renews this run's own. Refused with RV(ignore:reason=claim_held) while another
        run holds it.
      - V(released) gives this run's claim back; the epoch stays. A claim that is not this run's is left alone.
      - V(observed) reads it, with one question; to check right before something that cannot be undone.
    type: str
    choices: [claimed, released, observed]
    default: claimed
  run_id:
    description:
      - The run that claims, 1 to 64 letters, digits, dots, underscores and hyphens. The same run takes up its own claim
        again at once.
      - Required unless O(state=observed).
    type: str
  owner:
    description:
      - Who runs it, for the message that others get. Default is the login and host of the controller.
    type: str
  claim_seconds:
    description:
      - How many seconds the claim lasts unless it is renewed, 60 to 3600.
    type: int
    default: 120
  minimum_epoch:
    description:
      - The highest epoch known elsewhere, for example on the members. The claim's epoch will be above it even if the
        guard was deleted by hand.
    type: int
    default: 0
  observed_epoch:
    description:
      - The guard's epoch when the run observed the service (RV(ignore:epoch) of M(continuity.dr.dns_answer_info)).
        When it has moved on since, the run's decision is out of date and the claim is refused with C(stale_epoch).
      - With it, this run's own open claim is that of an earlier process of the run (it was cut off and started again).
        It is adopted with the next epoch, so that whatever is left of the earlier process is refused. Without it the
        claim is renewed and keeps its epoch.
    type: int
  epoch:
    description:
      - With O(state=released), the epoch of the claim to give back. A newer one, which a later process of the same run
        took, is left alone. Without it any open claim of the run is closed.
    type: int
  break_run:
    description:
      - Another run whose open claim is taken all the same, with the next epoch. For one whose controller is gone for
        good, as a person says who typed its id. The claim of any other run is refused as ever.
    type: str
  type:
    description:
      - Type of the record the claim is made for. With it, each claim also proves that the key may change that record,
        by deleting a value that cannot exist, so a missing right shows before anything is stopped.
    type: str
    choices: [A, AAAA, CNAME, TXT]
extends_documentation_fragment:
  - continuity.dr.dns
  - continuity.dr.controller
notes:
  - The role P(continuity.dr.lease#role) takes claim and leases together, as the verbs do.
seealso:
  - module: continuity.dr.dns_switch
  - module: continuity.dr.dns_answer_info
"""

EXAMPLES = r"""
- name: Claim the endpoint for this run
  continuity.dr.dns_claim:
    zone: shop.example.
    name: payments-db.shop.example.
    type: A
    servers: [198.51.100.153]
    key: "{{ dns_key }}"  # {name: continuity, secret: ...}, from a vault
    run_id: 20261122T031500Z-3f9a
  register: claim

- name: Make sure that it is still ours
  continuity.dr.dns_claim:
    state: observed
    zone: shop.example.
    name: payments-db.shop.example.
    servers: [198.51.100.153]
    run_id: 20261122T031500Z-3f9a
  register: now
  failed_when: not now.usable or now.epoch != claim.epoch

- name: Give it back
  continuity.dr.dns_claim:
    state: released
    zone: shop.example.
    name: payments-db.shop.example.
    servers: [198.51.100.153]
    key: "{{ dns_key }}"
    run_id: 20261122T031500Z-3f9a
"""

RETURN = r"""
status:
  description:
    - C(claimed), C(adopted) (this run's own, renewed), C(released), C(not_own) (nothing of this run's to give back).
    - With O(state=observed) C(own), C(held) (by another run) or C(free).
    - C(held) when refused.
  returned: always
  type: str
  sample: claimed
epoch:
  description: The guard's epoch, 0 where there is no guard.
  returned: success
  type: int
  sample: 7
run_id:
  description: The run the guard names.
  returned: success
  type: str
  sample: 20261122T031500Z-3f9a
owner:
  description: Who the guard names.
  returned: success
  type: str
  sample: user@control1
state:
  description: C(claimed), C(released) or C(switched).
  returned: success
  type: str
  sample: claimed
until:
  description: When the claim ends, RFC 3339 in UTC; for a closed claim when it was closed.
  returned: success
  type: str
  sample: "2026-11-22T03:17:00Z"
usable:
  description: Whether the claim is this run's and it may act on it now.
  returned: success
  type: bool
  sample: true
usable_seconds:
  description: For how long this run may still act on it.
  returned: success
  type: float
  sample: 89.4
usable_until:
  description: The same as Unix time by this controller's clock; 0 where the claim is not this run's.
  returned: success
  type: float
  sample: 1795317390.4
seconds_left:
  description: Seconds until another run may take it, 0 where it may now.
  returned: success
  type: float
  sample: 149.4
cached_seconds:
  description:
    - Seconds for which resolvers may still hold an answer with a longer time to live than the record has now, where it
      was lowered ahead of a move (M(continuity.dr.dns_switch), state V(ignore:prepared)).
  returned: success
  type: float
  sample: 0.0
guard:
  description: The guard's text now. Pass it to M(continuity.dr.dns_switch) to save a question inside the outage.
  returned: success
  type: str
  sample: epoch=7 run=20261122T031500Z-3f9a state=claimed until=2026-11-22T03:17:00Z owner=user@control1
guard_before:
  description: The guard's text before; null where there was none.
  returned: success
  type: str
  sample: epoch=6 run=20261001T120000Z-77aa state=switched until=2026-10-01T12:00:07Z owner=user@control1
guard_after:
  description: The same as RV(guard).
  returned: success
  type: str
  sample: epoch=7 run=20261122T031500Z-3f9a state=claimed until=2026-11-22T03:17:00Z owner=user@control1
taken_over:
  description: The guard of another run whose claim had ended and was taken.
  returned: success
  type: str
  sample: null
held_by:
  description: Who holds the claim.
  returned: when refused with RV(reason=claim_held)
  type: dict
  sample:
    epoch: 6
    run_id: 20261122T030000Z-77aa
    owner: ann@control2
    state: claimed
    until: "2026-11-22T03:02:00Z"
    seconds_left: 41.2
    cached_seconds: 0.0
ansible_facts:
  description:
    - RV(ignore:continuity_claims) has this result under the record's name, beside the host's other endpoints.
  returned: with O(state=claimed)
  type: dict
reason:
  description:
    - Why it failed, in one word. C(claim_held), C(arbiter_unreachable), C(contended), C(guard_unreadable),
      C(refused_acl), C(tsig_badkey), C(tsig_badsig), C(tsig_badtime), C(not_authoritative), C(not_zone), C(formerr),
      C(servfail), C(notimp), C(unknown), C(bad_input), C(library_missing).
  returned: failure
  type: str
  sample: claim_held
"""
