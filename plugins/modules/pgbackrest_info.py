# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pgbackrest_info
short_description: Observe the backups of one PostgreSQL service
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Asks pgBackRest on one member what every repository holds, lists the log archive of each, and reads the timer that
    starts backups. Changes nothing. Each repository that does not answer costs its own bound only.
  - Counts the segments of the log that are missing since the newest backup; pgBackRest's own C(verify) does not.
  - A member that gives no answer is an observation (RV(backups.reachable=false)), not a failure.
attributes:
  check_mode:
    support: full
extends_documentation_fragment:
  - continuity.dr.controller
  - continuity.dr.postgresql
  - continuity.dr.pgbackrest
seealso:
  - module: continuity.dr.pgbackrest_backup
  - module: continuity.dr.pgbackrest_restore
"""

EXAMPLES = r"""
- name: Is what was promised there?
  continuity.dr.pgbackrest_info:
    service: shop
    member: {host: db1, cluster: 15/main}
    backup:
      stanza: shop
      repositories: [{key: 1, site: dc1}, {key: 2, site: dc2}]
      full_every: 7d
      incr_every: 1h
      verify_every: 7d
      rpo: 5m
  delegate_to: db1
  register: seen

- name: Fail on the first thing that stands against it
  ansible.builtin.assert:
    that: seen.backups.problems | length == 0
"""

RETURN = r"""
backups:
  description: What was observed; also the fact C(continuity_backups).
  returned: always
  type: dict
  contains:
    reachable:
      description: Whether the member answered.
      type: bool
    primary:
      description: Whether the member is the primary.
      type: bool
    repositories:
      description:
        - For each copy C(key), C(site), C(reachable), C(newest), C(kind), C(age_seconds), C(size_bytes),
          C(repository_size_bytes), C(archive_age_seconds), C(archived_until),
          C(archive_missing_segments), C(restore_proven_seconds_ago),
          C(verified_seconds_ago), and the kind of backup that is C(due).
      type: list
      elements: dict
    timer:
      description: Whether the timer on the member is C(installed) and C(active), and whether the last start C(failed).
      type: dict
    restore:
      description: A restore that this member holds beside its data.
      type: dict
    problems:
      description: Everything that stands against the promise, each with C(rule), C(measured), C(limit), C(hint).
      type: list
      elements: dict
"""
