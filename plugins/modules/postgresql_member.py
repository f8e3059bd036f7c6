# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_member
short_description: Make one PostgreSQL member a primary, a replica, or stopped
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Brings one cluster on one machine into the role asked for, and proves that it is there.
  - V(stopped) stops a primary cleanly, keeps it stopped over a reboot, makes it come back as a replica only, and
    returns the position of its shutdown checkpoint.
  - V(primary) promotes a replica, after it holds everything up to O(proof_position). On a primary that an earlier
    V(stopped) froze it undoes that, if nobody else was promoted since. On a running primary it changes nothing.
  - V(settled) makes a checkpoint on a running primary, sets O(synchronous), and returns the history of its timelines,
    by which other members decide how to rejoin it.
  - V(replica) makes the member follow O(upstream) again. It follows as it is, is rewound, or is cloned beside its
    old data, which is kept; what cannot be done safely is refused.
  - Runs on the controller and sends scripts to the member; no Python and no driver is needed there.
options:
  state:
    description: The role the member is to have.
    type: str
    choices: [primary, settled, replica, stopped]
    required: true
  proof_position:
    description:
      - Position in bytes of the old primary's shutdown checkpoint. The member must have received more than that, or
        nothing is promoted.
      - Leave it out only where nothing more can arrive because the old primary is dead.
    type: int
  proof_timeline:
    description: Timeline the old primary was on when it stopped.
    type: int
  upstream:
    description:
      - The member to follow, a dictionary as O(member); for O(state=stopped) the one it follows when it comes back.
      - C(replication_address) (else C(address), else C(host)) and C(port) say where it listens,
        C(replication.user) (C(replicator)) who logs in; the password is in the member's own password file.
    type: dict
  history:
    description: For O(state=replica), what O(state=settled) returned for the upstream (RV(branch)).
    type: dict
  synchronous:
    description: >-
      For O(state=settled), the replicas that must confirm every commit from now on. Leave it out to keep what is
      set; a promotion always lifts it first, or every commit would wait for the old primary.
    type: list
    elements: str
  clone:
    description: For O(state=replica), whether the member may be cloned anew when it cannot be rewound.
    type: bool
    default: true
  timeout:
    description: Bound in seconds of the stop, of the promotion, or of the start of streaming.
    type: float
    default: 30
attributes:
  check_mode:
    support: full
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.postgresql
  - continuity.dr.postgresql.lease
seealso:
  - module: continuity.dr.postgresql_member_info
"""

EXAMPLES = r"""
- name: Stop the old primary for good and remember where it stopped
  continuity.dr.postgresql_member:
    service: shop
    member: {host: db1, cluster: 15/main}
    state: stopped
    upstream: {host: db2, address: 203.0.113.11}
  delegate_to: db1
  register: old

- name: Promote the replica once it holds everything
  continuity.dr.postgresql_member:
    service: shop
    member: {host: db2, cluster: 15/main}
    state: primary
    proof_position: "{{ old.position }}"
    proof_timeline: "{{ old.timeline }}"
  delegate_to: db2
"""

RETURN = r"""
state:
  description: The role the member has now.
  returned: success
  type: str
position:
  description: Bytes of write-ahead log; where it stopped, or where the new timeline began.
  returned: when state is stopped or primary
  type: int
timeline:
  description: Timeline of the write-ahead log.
  returned: when it is known
  type: int
sessions:
  description: Client sessions that were open when the primary was stopped (user, database, client, application).
  returned: when a primary was stopped
  type: list
protection:
  description: What synchronous replication was lifted by the promotion, and what it is now.
  returned: when it was promoted or settled
  type: dict
branch:
  description: Where a primary stands (system_id, timeline, position, history), for members that rejoin it.
  returned: when state is settled
  type: dict
method:
  description: How a replica came back, one of V(none), V(follow), V(rewind), V(clone).
  returned: when state is replica
  type: str
kept:
  description: Where the old data was kept, when the member was cloned.
  returned: when it was cloned
  type: str
"""
