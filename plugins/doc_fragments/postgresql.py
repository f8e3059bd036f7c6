# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that say where a PostgreSQL cluster is and under whose lease a step acts."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description:
      - The service this cluster carries. It names the directory C(/var/lib/continuity/<service>) on the member,
        where the lease, the epoch and the promotion record are kept.
    type: str
    required: true
  member:
    description:
      - The member as a plan has it, a dictionary. C(host) is its name in the inventory and in replication,
        C(cluster) is C(<version>/<name>) as Debian names clusters; both are required.
      - C(port) (5432), C(data_directory) (C(/var/lib/postgresql/<version>/<name>)),
        C(config_file) (C(/etc/postgresql/<version>/<name>/postgresql.conf)),
        C(bin_directory) (C(/usr/lib/postgresql/<version>/bin)), C(unit) (C(postgresql@<version>-<name>.service)),
        C(socket_directory) (C(/var/run/postgresql)) and C(user) (C(postgres)) say where it differs from Debian's
        layout.
      - Other keys of the plan are left alone.
    type: dict
    required: true
"""

    LEASE = r"""
options:
  run_id:
    description:
      - The run that holds the lease on this member. With it, every script checks run id, epoch and expiry in the
        same script that acts.
      - Without it (a playbook of your own, outside a verb) nothing is checked.
    type: str
  epoch:
    description: The epoch the run claimed; required with O(run_id).
    type: int
    default: 0
"""
