# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that say which record a step is about and which servers hold it."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  zone:
    description:
      - The zone the record is in, absolute (with the final dot). It is never inferred.
    type: str
    required: true
  name:
    description:
      - The record's name, absolute (with the final dot), in O(zone).
    type: str
    required: true
  servers:
    description:
      - Addresses of the zone's primary, the server that accepts updates, in order of preference. A later one is tried
        when an earlier one is silent for a quarter of a second.
      - Every address must lead to the same primary. Two servers that accept changes on their own could each let one
        of two competing claims win.
      - Addresses only, with an own port as C(address#port) where it differs from O(port). Names are refused since they
        may not resolve in an outage.
    type: list
    elements: str
    required: true
  port:
    description:
      - Port of all servers that are not given with one of their own.
    type: int
    default: 53
  key:
    description:
      - The TSIG key that signs what is sent to the primary, reads included.
      - Required for everything that changes the zone.
    type: dict
    suboptions:
      name:
        description:
          - The key's name as the server has it.
        type: str
        required: true
      algorithm:
        description:
          - The key's algorithm. V(hmac-md5) and V(hmac-sha1) need O(key.allow_weak).
        type: str
        default: hmac-sha256
        choices: [hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512, hmac-md5, hmac-sha1]
      secret:
        description:
          - The secret in base64. It never enters a message, the result or the journal.
        type: str
        required: true
      allow_weak:
        description:
          - Accept an algorithm that is no longer considered strong, for an old server.
        type: bool
        default: false
  guard_name:
    description:
      - Name of the TXT record that carries the claim. Default is C(_continuity.<name>).
      - Endpoints in the same zone that move together may share one.
    type: str
  query_timeout:
    description:
      - Seconds to wait for one server's connection and for its answer.
    type: float
    default: 3.0
requirements:
  - dnspython >= 2.6 in the Python that runs Ansible (on the controller)
"""

    RECORD = r"""
options:
  type:
    description:
      - Type of the record.
    type: str
    choices: [A, AAAA, CNAME, TXT]
    default: A
"""

    AUTHORITATIVE = r"""
options:
  authoritative:
    description:
      - Addresses of the zone's other name servers, those that clients and resolvers ask, as in O(servers).
      - Without it they are discovered from the zone's NS records and the addresses of each, as the primary knows them.
        A name the primary does not know is asked of the controller's resolver; one that cannot be found counts as
        unreachable and is never left out.
      - V([]) checks the primary only.
    type: list
    elements: str
"""
