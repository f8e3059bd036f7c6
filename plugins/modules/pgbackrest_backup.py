# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pgbackrest_backup
short_description: Make, verify and schedule the backups of one PostgreSQL service
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - V(present) makes the backup that the plan wants in each repository, a full, differential or incremental one by
    what is there; a young enough one is left alone. Success is read from the repository, not from an exit code.
  - V(verified) reads every file of each repository again and compares checksums. C(pgbackrest verify) ends well
    whatever it finds, so its words are read, and compared with what the repository lists.
  - V(scheduled) installs the script, the service and the timer that start backups without Ansible, and starts the
    timer. Needs root on the member; else have an administrator install the files that the verb C(rights) writes.
  - Backups run as transient units of systemd, which go on when the controller dies; the next run waits for them.
options:
  state:
    description: What is wanted; see above.
    type: str
    choices: [present, verified, scheduled]
    default: present
  kind:
    description: For O(state=present), make a backup of this kind in any case; without it, the one that is due, if any.
    type: str
    choices: [full, diff, incr]
  repositories:
    description: Only these repositories, by their number; empty takes all.
    type: list
    elements: int
    default: []
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
  - module: continuity.dr.pgbackrest_restore
"""

EXAMPLES = r"""
- name: Make what is due, in both copies
  continuity.dr.pgbackrest_backup:
    service: shop
    member: {host: db1, cluster: 15/main}
    backup: {stanza: shop, repositories: [{key: 1, site: dc1}, {key: 2, site: dc2}], full_every: 7d, incr_every: 1h}
  delegate_to: db1

- name: Read every file of the second copy again
  continuity.dr.pgbackrest_backup:
    service: shop
    member: {host: db1, cluster: 15/main}
    backup: {stanza: shop, repositories: [{key: 1, site: dc1}, {key: 2, site: dc2}]}
    state: verified
    repositories: [2]
  delegate_to: db1
"""

RETURN = r"""
made:
  description: The backups that were made (C(repository), C(label), C(kind), C(size), C(seconds)); in check mode
    those that would be.
  returned: when state is present
  type: list
  elements: dict
kept:
  description: The newest backup of each repository that needed none.
  returned: when state is present
  type: list
  elements: dict
repositories:
  description: For each what is C(wrong), as sentences; anything fails.
  returned: when state is verified
  type: list
  elements: dict
files:
  description: The files that were installed.
  returned: when state is scheduled
  type: list
  elements: str
reason:
  description: >-
    Why it failed, in one word. V(backup_failed), V(backup_not_there), V(verify_failed), V(backup_damaged),
    V(unreachable), V(bad_input). What a rule forbids is in RV(ignore:refusals) instead (C(not_the_primary),
    C(archiving_off), C(repository_unreachable), C(schedule_needs_root), and those of the lease).
  returned: failure
  type: str
  sample: backup_damaged
"""
