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
  - V(armed) changes nothing. Before the stop it opens a session on a replica and has a process on the controller wait
    for the proof that V(stopped) returns, so that the replica is promoted at once; V(primary) then returns what came of
    it. Only within a verb, and over the connection C(ssh). What is armed ends after a minute, and with the run.
  - V(stopped) stops a primary cleanly, keeps it stopped over a reboot, makes it come back as a replica only, and
    returns the position of its shutdown checkpoint.
  - V(primary) promotes a replica, after it holds everything up to O(proof_position). On a primary that an earlier
    V(stopped) froze it undoes that, if nobody else was promoted since. On a running primary it changes nothing.
  - V(settled) makes a checkpoint on a running primary, sets O(synchronous), and returns the history of its timelines,
    by which other members decide how to rejoin it. Where a freeze or a fence was cut off between its mask and its stop,
    the primary is made one that starts again after a reboot.
  - V(replica) makes the member follow O(upstream) again. It follows as it is, is rewound, or is cloned beside its
    old data, which is kept; what cannot be done safely is refused.
  - The task's host is the member. The module runs on the controller and sends scripts there, which use PostgreSQL's own
    programs and systemd; no Python and no driver is needed. C(docs/rights.md) has the commands that its login may run
    by C(sudo), C(docs/engine_postgresql.md) what the cluster needs.
  - It checks what it does itself, and not whether it is wise. That nobody else is primary, that the loss is bearable
    and that clients are sent to the right place is up to who calls it; the verbs do that.
options:
  state:
    description: The role the member is to have; see above.
    type: str
    choices: [armed, primary, settled, replica, stopped]
    required: true
  proof_position:
    description:
      - Position in bytes of the old primary's shutdown checkpoint. The member must have received more than that, or
        nothing is promoted.
      - Leave it out only where nothing more can arrive because the old primary is dead. What the member has is promoted
        then.
    type: int
  proof_timeline:
    description: >-
      Timeline the old primary was on when it stopped. The replica must be on the same one, or nothing is promoted; it
      stands in the promotion record.
    type: int
  detached:
    description:
      - With O(state=primary), promote nobody who receives log from another server at that moment. For a failover in
        which a member gives no answer, which was decided while nothing arrived any more.
    type: bool
    default: false
  lease_left:
    description:
      - With O(state=primary), the least that must be left of this run's lease on the member, in seconds, as
        M(continuity.dr.fence_proof) returns it. With less, this run slept since it proved that the others are out of
        the way, and nothing is promoted.
    type: int
  upstream:
    description:
      - The member to follow, a dictionary as O(member); required with O(state=replica). With O(state=stopped) the one
        it follows when it comes back.
      - C(replication_address) (else C(address), else C(host)) and C(port) say where it listens,
        C(replication.user) (C(replicator)) who logs in; the password is in the member's own password file.
    type: dict
  history:
    description: Required with O(state=replica), what O(state=settled) returned for the upstream (RV(branch)).
    type: dict
  synchronous:
    description: >-
      For O(state=settled), the replicas by name that must confirm every commit from now on. Leave it out to keep what
      is set; a promotion always lifts it first, or every commit would wait for the old primary.
    type: list
    elements: str
  clone:
    description: For O(state=replica), whether the member may be cloned anew when it cannot be rewound.
    type: bool
    default: true
  timeout:
    description: >-
      Bound in seconds of the stop, of the promotion, or of the start of streaming. Rewinding and cloning have none;
      they run as a unit of systemd that goes on when the controller dies.
    type: float
    default: 30
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.postgresql
  - continuity.dr.postgresql.lease
notes:
  - The role P(continuity.dr.engine_postgresql#role) has the same as entry points, in the order that a move needs.
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

- name: Read where the timelines parted
  continuity.dr.postgresql_member:
    service: shop
    member: {host: db2, cluster: 15/main}
    state: settled
  delegate_to: db2
  register: new

- name: Bring the old primary back as a replica
  continuity.dr.postgresql_member:
    service: shop
    member: {host: db1, cluster: 15/main}
    state: replica
    upstream: {host: db2, address: 203.0.113.11}
    history: "{{ new.branch }}"
  delegate_to: db1
"""

RETURN = r"""
state:
  description: The role the member has now; in check mode the one it would have.
  returned: success
  type: str
  sample: primary
position:
  description: >-
    Position in the write-ahead log, in bytes from its beginning; where it stopped, or where the new timeline began.
    Beside it C(position_text), as PostgreSQL writes it.
  returned: when state is stopped or primary
  type: int
  sample: 50434144
timeline:
  description: Timeline of the write-ahead log.
  returned: when it is known
  type: int
  sample: 2
armed:
  description: >-
    With V(armed) whether the member is armed, else C(why) not, and the move goes on without. With V(primary) it is true
    where the armed promotion did it; then C(armed_monotonic_ns) says when, on the controller's monotonic clock.
  returned: when state is armed, or the armed promotion did it
  type: bool
disarmed:
  description: Nothing that was armed for this stop will promote another member, and nothing did.
  returned: when the stop failed within a verb
  type: bool
sessions:
  description: Client sessions that were open when the primary was stopped (user, database, client, application).
  returned: when a primary was stopped
  type: list
  elements: dict
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
  sample: /var/lib/postgresql/15/main.kept
rewind_failed:
  description: How a rewind ended that was tried before the clone.
  returned: when it was cloned after a rewind
  type: str
promotion:
  description: The promotion record that was written to C(/var/lib/continuity/<service>/promotion).
  returned: when it was promoted
  type: dict
reason:
  description: >-
    Why it failed, in one word. V(unclean_stop), V(not_received), V(other_timeline), V(primary_seen), V(stop_failed),
    V(promote_failed), V(start_failed) and the like, V(not_writable), V(not_started), V(not_streaming), V(clone_needed),
    V(clone_failed), V(unreachable), V(unknown), V(bad_input). What a rule forbids is in RV(ignore:refusals) instead
    (C(running_as_primary), C(not_stopped), C(other_cluster), C(timeline_ahead), C(position_ahead),
    C(kept_data_present), C(not_a_frozen_primary), and those of the lease).
  returned: failure
  type: str
  sample: unclean_stop
"""
