# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: dns_switch
short_description: Move a DNS record, or change its time to live alone, as one compare-and-swap
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Sends one UPDATE message (RFC 2136) whose prerequisites are the exact expected value, the absence of an alias and
    the exact guard of this run's claim. The record and the guard move together or not at all, and the record is never
    empty in between.
  - What somebody else changed meanwhile is kept and reported as C(conflict). A run that lost its claim is told
    C(stale_epoch).
  - An answer C(NOERROR) is read back before it counts. Where the answer is lost the record is read again, so a switch
    is never reported to have failed when it was applied.
  - Nothing is sent when the goal is reached already.
options:
  state:
    description:
      - V(switched) moves the record at the primary and reads it back.
      - V(armed) changes nothing yet. Within a verb it has a process on the controller, with the same options as
        V(switched), wait for the promotion of the member with this address and switch at once; V(switched) then returns
        what came of it, or switches itself. What is armed ends after a minute, and with the run.
      - V(prepared) lowers the time to live to O(ttl) where it is longer, ahead of a planned move. The value stays and
        is a prerequisite, so a record that somebody moved is not touched. Resolvers may hold an answer with the longer
        one until RV(clients_safe_at); with O(run_id) the guard notes that time for later runs.
      - V(restored) sets the time to live to O(ttl) in the same way, where a move was called off or undone. After a move
        there is nothing to restore, V(switched) has written O(ttl) with the new value.
      - V(verified) changes nothing and watches every authoritative server until it serves O(value), or until
        O(deadline).
    type: str
    choices: [armed, switched, prepared, restored, verified]
    default: switched
  value:
    description:
      - The values the record shall hold, all of them. With O(state=prepared) and O(state=restored) those it holds now.
    type: list
    elements: str
    required: true
  expected:
    description:
      - What the record holds now. The exact values as a list, V(absent) for a record that does not exist, or V(any)
        for whatever is read, which needs O(expected_reason).
      - Required with O(state=switched) and O(state=armed); not read with the other states.
    type: raw
  expected_reason:
    description:
      - Why whatever is there may be overwritten.
    type: str
  ttl:
    description:
      - Time to live of the new values in whole seconds. Default is the record's present one, 60 for a new record.
      - Required with O(state=prepared) and O(state=restored).
    type: int
  run_id:
    description:
      - The run that holds the claim. Without it (a playbook of your own, without claims) the record moves unless
        another run holds an open claim, and the guard is left as it is.
    type: str
  epoch:
    description:
      - The epoch that M(continuity.dr.dns_claim) returned. Given together with O(run_id).
    type: int
  guard:
    description:
      - The guard's text that M(continuity.dr.dns_claim) returned. With it, O(ttl) and an exact O(expected), the
        change is sent at once without reading first; its prerequisites hold only if the zone is exactly so.
      - A repeated task with the same text sends one message that cannot apply; leave it out where no message at all
        may be sent.
    type: str
  require:
    description:
      - With O(state=verified) how many servers must serve the value, the primary included; V(all) or a number.
    type: str
    default: all
  serial:
    description:
      - With O(state=verified) the zone's serial that each server must have reached, RV(serial_after) of the switch.
        Default is the primary's present one.
    type: int
  previous_ttl:
    description:
      - With O(state=verified) the time to live of the value before, to tell when clients are safe.
    type: int
  deadline:
    description:
      - Seconds all of it may take, 0.1 to 3600. A server that is silent three times in a row is given up earlier.
    type: float
    default: 30.0
attributes:
  diff_mode:
    support: full
extends_documentation_fragment:
  - continuity.dr.dns
  - continuity.dr.dns.record
  - continuity.dr.dns.authoritative
  - continuity.dr.controller
notes:
  - The role P(continuity.dr.endpoint_rfc2136#role) does the same as its entry points C(point) and C(verify).
seealso:
  - module: continuity.dr.dns_claim
  - module: continuity.dr.dns_answer_info
"""

EXAMPLES = r"""
- name: Send clients to the other site, without claims
  continuity.dr.dns_switch:
    zone: shop.example.
    name: payments-db.shop.example.
    expected: [198.51.100.11]
    value: [203.0.113.11]
    ttl: 5
    servers: [198.51.100.153]
    key: "{{ dns_key }}"  # {name: continuity, secret: ...}, from a vault
  register: switch

- name: Wait until every name server says so
  continuity.dr.dns_switch:
    state: verified
    zone: shop.example.
    name: payments-db.shop.example.
    value: [203.0.113.11]
    servers: [198.51.100.153]
    serial: "{{ switch.serial_after }}"
    previous_ttl: "{{ switch.before.ttl }}"
    deadline: 60

- name: Lower the time to live an hour ahead of a move
  continuity.dr.dns_switch:
    state: prepared
    zone: shop.example.
    name: payments-db.shop.example.
    value: [198.51.100.11]  # as it is: a record that was moved meanwhile is left alone
    ttl: 5
    servers: [198.51.100.153]
    key: "{{ dns_key }}"
  register: prepared  # move it after prepared.clients_safe_at

- name: Switch under the claim taken before
  continuity.dr.dns_switch:
    zone: shop.example.
    name: payments-db.shop.example.
    expected: [198.51.100.11]
    value: [203.0.113.11]
    ttl: 5
    servers: [198.51.100.153]
    key: "{{ dns_key }}"
    run_id: "{{ claim.run_id }}"
    epoch: "{{ claim.epoch }}"
    guard: "{{ claim.guard }}"
"""

RETURN = r"""
armed:
  description: >-
    With O(state=armed) whether it is. With O(state=switched) it is true where the armed switch did it; then
    C(armed_monotonic_ns) says when, on the controller's monotonic clock.
  returned: with O(state=armed), or when the armed switch did it
  type: bool
status:
  description:
    - C(switched), C(prepared), C(restored), C(already) (nothing was sent), C(verified), or C(partial) when too few
      servers serve the value.
  returned: always
  type: str
  sample: switched
before:
  description: C(value), C(ttl) and C(guard) before. C(ttl) is null where it is not known.
  returned: with a state that changes the record
  type: dict
  sample:
    value: [198.51.100.11]
    ttl: 5
    guard: epoch=7 run=20261122T031500Z-3f9a state=claimed until=2026-11-22T03:17:00Z owner=user@control1
after:
  description: The same after, as read back.
  returned: with a state that changes the record
  type: dict
  sample:
    value: [203.0.113.11]
    ttl: 5
    guard: epoch=7 run=20261122T031500Z-3f9a state=switched until=2026-11-22T03:15:09Z owner=user@control1
serial_before:
  description: The zone's serial before; null where it is not known.
  returned: with a state that changes the record
  type: int
  sample: 2026112207
serial_after:
  description: The zone's serial after.
  returned: with a state that changes the record
  type: int
  sample: 2026112208
applied_at:
  description: When the primary confirmed the change, RFC 3339 in UTC.
  returned: with a state that changes the record
  type: str
  sample: "2026-11-22T03:15:09Z"
held_seconds:
  description:
    - For how many seconds after RV(applied_at) resolvers may hold the answer from before. It is the time to live from
      before, or what was left of a longer one that was lowered. Null where it is not known or nothing was sent.
  returned: with a state that changes the record
  type: int
  sample: 5
clients_safe_at:
  description:
    - When no resolver that keeps to the time to live serves the old value any more, or after O(state=prepared) an
      answer with the longer time to live. Null where the old time to live is not known.
    - With O(state=switched) as far as the primary knows; with O(state=verified) counted from the last server that
      followed.
    - Clients that keep connections or cache for longer are not seen here.
  returned: success
  type: str
  sample: "2026-11-22T03:15:15Z"
rollback:
  description: C(expected) and C(value) of the switch back. It needs a new claim.
  returned: with a state that changes the record
  type: dict
  sample: {expected: [203.0.113.11], value: [198.51.100.11]}
servers:
  description:
    - With O(state=verified) every server with C(address), C(state) (C(fresh), C(stale), C(lame), C(servfail),
      C(unreachable)), C(serial), C(value), C(ttl) and C(elapsed_ms); the primary first.
  returned: with O(state=verified)
  type: list
  elements: dict
  sample:
    - {address: 198.51.100.153, state: fresh, serial: 2026112208, value: [203.0.113.11], ttl: 5, elapsed_ms: 0.58}
fresh:
  description: How many servers serve the value.
  returned: with O(state=verified)
  type: int
  sample: 3
required:
  description: How many must.
  returned: with O(state=verified)
  type: int
  sample: 3
reason:
  description:
    - Why it failed, in one word. C(conflict), C(stale_epoch), C(claim_missing), C(claim_held), C(guard_unreadable),
      C(refused_acl), C(tsig_badkey), C(tsig_badsig), C(tsig_badtime), C(not_authoritative), C(not_zone), C(formerr),
      C(servfail), C(notimp), C(not_applied), C(unknown), C(partial), C(timeout), C(bad_input), C(library_missing).
    - The guide C(docs/endpoint_rfc2136.md) says for each what it means and what to do next.
  returned: failure
  type: str
  sample: conflict
delta_seconds:
  description: By how much the server's clock is ahead; beside it C(local_time), C(server_time) and C(fudge_seconds).
  returned: when RV(reason=tsig_badtime)
  type: int
  sample: 600
problems:
  description: Every option that cannot be right.
  returned: when RV(reason=bad_input)
  type: list
  elements: str
  sample: ["value[0]: '2001:db8::1' is not an IPv4 address"]
ansible_facts:
  description:
    - RV(ignore:continuity_endpoint_pointed), RV(ignore:continuity_endpoint_prepared),
      RV(ignore:continuity_endpoint_restored) or RV(ignore:continuity_endpoint_verified) has this result under the
      record's name, beside the host's other endpoints.
  returned: success
  type: dict
"""
