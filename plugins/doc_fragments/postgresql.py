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
  cluster:
    description: The cluster as Debian names it, C(<version>/<name>).
    type: str
    required: true
  member:
    description:
      - The name the member has in replication (C(application_name)); the inventory name of the machine by default.
    type: str
  port:
    description: Port the server listens on.
    type: int
    default: 5432
  data_directory:
    description: Data directory; C(/var/lib/postgresql/<version>/<name>) by default.
    type: str
  config_file:
    description: Main configuration file; C(/etc/postgresql/<version>/<name>/postgresql.conf) by default.
    type: str
  bin_directory:
    description: Where the server's own programs are; C(/usr/lib/postgresql/<version>/bin) by default.
    type: str
  unit:
    description: The systemd unit of the cluster; C(postgresql@<version>-<name>.service) by default.
    type: str
  socket_directory:
    description: Where the server's local socket is.
    type: str
    default: /var/run/postgresql
  user:
    description: The operating system user the server runs as, who may log in locally without a password.
    type: str
    default: postgres
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
