# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that say which stanza of pgBackRest keeps a service's backups."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  backup:
    description:
      - Where the backups are, as a plan's C(backup) has it. Other keys are left alone.
    type: dict
    required: true
    suboptions:
      role:
        description: The role that a plan names; not read here.
        type: str
      stanza:
        description: Name of the stanza in pgBackRest's configuration on the members.
        type: str
        required: true
      repositories:
        description:
          - The copies, each with C(key), the number of pgBackRest's C(repoN), and C(site), where it is. Two sites at
            least.
          - A replica and a RAID are no copies, they repeat a mistake at once.
        type: list
        elements: dict
        required: true
      full_every:
        description: A duration such as V(7d), the interval of full backups.
        type: str
        default: 7d
      diff_every:
        description: The interval of differential backups; none without it.
        type: str
      incr_every:
        description: The interval of incremental backups; none without it.
        type: str
      verify_every:
        description: How often a restore from each repository is to be proven.
        type: str
      rpo:
        description: How much may be lost where only the backups are left; the archive must never be older.
        type: str
      every:
        description: The same as O(backup.incr_every), for plans that name one interval only.
        type: str
      every_seconds:
        description: O(backup.every) in seconds, as a verb hands it on.
        type: float
      verification:
        description:
          - Queries that a restored cluster must answer as expected, each a text that must give V(t), or a dictionary
            with C(database), C(query) and C(expect).
        type: list
        elements: raw
        default: []
      restore_directory:
        description: Where a restore aside goes, by default the data directory with C(.restored); a member's own wins.
        type: str
      config:
        description: pgBackRest's configuration file, where it is not the default one.
        type: str
      program:
        description: pgBackRest's program.
        type: str
        default: /usr/bin/pgbackrest
      log_path:
        description: Where pgBackRest writes its logs on the members.
        type: str
        default: /var/log/pgbackrest
"""
