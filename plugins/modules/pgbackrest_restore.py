# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pgbackrest_restore
short_description: Restore a PostgreSQL service from a backup and prove the result
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - V(restored) restores beside the production data, into a server that listens nowhere, archives nothing and starts
    nothing of its own; proves it, and leaves it stopped. Production is not touched.
  - Proven means that the server's log says where recovery stopped; that the canary has rows before the target and none
    after; that the plan's queries answer as expected; that every row was counted and dumped, and every page checked.
  - V(in_place) puts proven data in the place of the primary's. The old data is kept beside it. Without O(confirm) it
    only shows what would be lost. Until the restored data is promoted the old data is put back when something fails.
  - V(rebuilt) puts proven data where no member of the service has any. V(vacant) asks a member for that before, and
    refuses where it runs a server, holds data or does not say so.
  - V(absent) deletes what was restored aside, V(released) the data that a restore in place kept.
  - V(told) keeps on another member when a copy was last proven, so that whichever is asked knows it.
  - A run that was cut off is gone on with by the next one. What is half restored has no control file and cannot start.
options:
  state:
    description: What is wanted; see above.
    type: str
    choices: [restored, in_place, vacant, rebuilt, absent, released, told]
    default: restored
  restore_to:
    description:
      - V(last_clean), the last time at which all of the plan's C(verification) gives what is expected, found by at most
        20 restores. It is taken for granted that what is wrong stays wrong.
      - V(latest), a time with its zone (V(2026-11-22T02:10:00Z)), V(lsn=0/16B3748) or V(name=before_release).
    type: str
    default: latest
  timeline:
    description: The timeline to follow; without it the newest one in the archive. It is always named explicitly to
      the server.
    type: int
  repository:
    description: Only from this repository, by its number; without it the first that can serve the target.
    type: int
  canary:
    description: The canary's C(database) and C(table), as in a plan; none leaves its rows unasked.
    type: dict
  proof:
    description: For O(state=told), what a restore on another member returned as C(proof).
    type: dict
  confirm:
    description: The service's name, typed by the operator, for O(state=in_place), O(state=rebuilt) and
      O(state=released).
    type: str
  serves:
    description: For O(state=vacant), this member is to become primary, so the cluster's configuration must be there.
    type: bool
    default: false
  timeout:
    description: Bound in seconds of the stop and the start of the primary. Copying and recovery have none.
    type: float
    default: 300
attributes:
  check_mode:
    support: full
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.postgresql
  - continuity.dr.postgresql.lease
  - continuity.dr.pgbackrest
seealso:
  - module: continuity.dr.pgbackrest_info
  - module: continuity.dr.pgbackrest_backup
"""

EXAMPLES = r"""
- name: Prove that the second copy can be restored
  continuity.dr.pgbackrest_restore:
    service: shop
    member: {host: db2, cluster: 15/main}
    backup:
      stanza: shop
      repositories: [{key: 1, site: dc1}, {key: 2, site: dc2}]
      verification: [select count(*) > 0 from orders]
    repository: 2
  delegate_to: db2

- name: Bring the data back to before the mistake, beside what is there
  continuity.dr.pgbackrest_restore:
    service: shop
    member: {host: db1, cluster: 15/main}
    backup: {stanza: shop, repositories: [{key: 1, site: dc1}, {key: 2, site: dc2}]}
    restore_to: "2026-11-22T02:10:00Z"
  delegate_to: db1
"""

RETURN = r"""
target:
  description: The target, as PostgreSQL was told it.
  returned: when restored
  type: str
repository:
  description: The copy that it came from.
  returned: when restored
  type: int
label:
  description: The backup that it came from.
  returned: when restored
  type: str
stopped:
  description: Where recovery stopped, in the server's own words.
  returned: when restored
  type: str
counts:
  description: The rows of each table, by database.
  returned: when restored
  type: dict
checks:
  description: The plan's queries with what they gave.
  returned: when restored
  type: list
  elements: dict
newest_row_age_seconds:
  description: How much older than the target the canary's newest row is; what a restore would really lose.
  returned: when there is a canary
  type: float
seconds:
  description: How long the whole restore took; with C(copy_seconds) and C(recovery_seconds).
  returned: when restored
  type: float
loss:
  description: The tables whose rows differ between the primary and the restored data, C(now), C(restored), and
    C(written), how many of those of now were inserted or changed since. Of a rebuild, how old that is.
  returned: when state is in_place or rebuilt
  type: dict
newest_row:
  description: When the canary's newest row was written, in seconds since 1970; with C(last_commit) of the log.
  returned: when restored and there is a canary
  type: float
rebuilt:
  description: This very rebuild was put in place already.
  returned: when state is vacant
  type: bool
kept:
  description: Where the old data is.
  returned: when state is in_place
  type: str
reason:
  description: >-
    Why it failed, in one word. V(restore_failed), V(target_not_reached), V(recovery_incomplete), V(wrong_timeline),
    V(wal_missing), V(recovery_failed), V(not_proven), V(other_cluster), V(dump_failed), V(checksums_failed),
    V(not_promoted), V(not_equal), V(not_asked), V(unreachable), V(bad_input). What a rule forbids is in
    RV(ignore:refusals) instead.
  returned: failure
  type: str
  sample: target_not_reached
"""
