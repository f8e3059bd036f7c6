# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dns_answer_info
short_description: Read a DNS record at the primary and at every authoritative server
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Asks the zone's primary and, in parallel, each of the zone's other name servers for one record, the zone's serial
    and the claim beside the record.
  - A server that does not answer, a key that is not accepted or a guard that cannot be read is data in the result,
    not a failure; only options that cannot be right fail. Every wait is bounded. Nothing is changed.
extends_documentation_fragment:
  - continuity.dr.dns
  - continuity.dr.dns.record
  - continuity.dr.dns.authoritative
  - continuity.dr.controller
notes:
  - The role P(continuity.dr.endpoint_rfc2136#role) does the same as its entry point C(observe).
seealso:
  - module: continuity.dr.dns_switch
  - module: continuity.dr.dns_claim
"""

EXAMPLES = r"""
- name: See where clients are sent
  continuity.dr.dns_answer_info:
    zone: shop.example.
    name: payments-db.shop.example.
    servers: [198.51.100.153]
    authoritative: [198.51.100.53, 203.0.113.53]
    key: "{{ dns_key }}"  # {name: continuity, secret: ...}, from a vault
  register: answer

- name: Fail unless every name server gives the address of db1
  ansible.builtin.assert:
    that:
      - answer.value == ['198.51.100.11']
      - answer.servers | rejectattr('state', 'equalto', 'fresh') | length == 0
"""

RETURN = r"""
reachable:
  description: Whether the primary answered for the zone.
  returned: success
  type: bool
  sample: true
source:
  description:
    - Where the answer below comes from. The primary, or where it does not answer the server with the latest serial;
      null where no server answers.
  returned: success
  type: str
  sample: 198.51.100.153
value:
  description: The record's values, sorted; empty where it does not exist, null where nobody answers.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.11]
ttl:
  description: Its time to live in seconds.
  returned: success
  type: int
  sample: 5
alias:
  description: The target of a CNAME that stands in place of the record.
  returned: success
  type: str
  sample: null
serial:
  description: The zone's serial.
  returned: success
  type: int
  sample: 2026112207
epoch:
  description: The guard's epoch, 0 where there is none.
  returned: success
  type: int
  sample: 7
guard:
  description: The guard's text.
  returned: success
  type: str
  sample: epoch=7 run=20261122T031500Z-3f9a state=switched until=2026-11-22T03:15:09Z owner=user@control1
claim:
  description:
    - The guard's parts C(epoch), C(run_id), C(owner), C(state), C(until), and C(seconds_left) until another run may
      take it. Null where there is no guard.
    - C(cached_seconds) is for how long resolvers may still hold an answer with a longer time to live, where it was
      lowered ahead of a move.
  returned: success
  type: dict
  sample:
    epoch: 7
    run_id: 20261122T031500Z-3f9a
    owner: user@control1
    state: switched
    until: "2026-11-22T03:15:09Z"
    seconds_left: 0.0
    cached_seconds: 0.0
servers:
  description:
    - Every server, the primary first, with C(address), C(state) (C(fresh), C(stale), C(lame), C(servfail),
      C(unreachable)), C(serial), C(value), C(ttl) and C(elapsed_ms). Fresh is what agrees with RV(source).
  returned: success
  type: list
  elements: dict
  sample:
    - {address: 198.51.100.153, state: fresh, serial: 2026112207, value: [198.51.100.11], ttl: 5, elapsed_ms: 0.61}
reason:
  description: The first problem in one word, null where there is none.
  returned: success
  type: str
  sample: null
problems:
  description: What stands in the way of a switch, each with C(reason) and C(message).
  returned: success
  type: list
  elements: dict
  sample: []
ansible_facts:
  description:
    - RV(ignore:continuity_endpoint_observed) has this result under the record's name, beside the host's other
      endpoints.
  returned: success
  type: dict
"""
