# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_member_info
short_description: Observe the PostgreSQL clusters of one member
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Asks one machine about all clusters it carries, at the same time, and returns what it said in the words every
    engine shares, so that a decision needs no knowledge of PostgreSQL.
  - Changes nothing. What cannot be known is V(null); lag that is unknown is not lag zero.
  - A machine that gives no answer within its bound (3 s, the connection included, and 3 s more for each further ten
    clusters) is a result with RV(observed.reachable=false) and no failure, because a dead primary is what a failover is
    about.
  - The task's host is the member. The module runs on the controller and sends one script there; no Python and no driver
    is needed. Its login may run C(psql), C(pg_ctl status), C(pg_controldata) and C(test -e) as the cluster's account by
    C(sudo), see C(docs/rights.md).
options:
  members:
    description:
      - The clusters on this machine, one dictionary for each service it carries. C(service) (any name, the key of
        RV(observed)), C(host) and C(cluster) (C(<version>/<name>)) are required; C(site) and C(address) are returned as
        they are.
      - C(port), C(data_directory), C(config_file), C(bin_directory), C(unit), C(socket_directory) and C(user) as in
        M(continuity.dr.postgresql_member).
    type: list
    elements: dict
    required: true
  replication_logins:
    description:
      - Also try from here whether each entry of C(peers) (other members of the service, as in the plan) lets this
        member log in for replication. A planned switchover needs that; it costs up to 2 s for a peer that is down.
    type: bool
    default: false
attributes:
  check_mode:
    description: It changes nothing in any mode.
extends_documentation_fragment:
  - continuity.dr.controller
notes:
  - The role P(continuity.dr.engine_postgresql#role) has the same as its entry point C(observe).
seealso:
  - module: continuity.dr.postgresql_member
"""

EXAMPLES = r"""
- name: See which member is primary, without a plan
  continuity.dr.postgresql_member_info:
    members:
      - {service: shop, host: "{{ inventory_hostname }}", cluster: 15/main, port: 5432}
  register: seen

- name: Show the role and how many bytes are missing
  ansible.builtin.debug:
    msg: "{{ seen.observed.shop.role }}, {{ seen.observed.shop.lag_bytes }} bytes behind"
"""

RETURN = r"""
observed:
  description: For each service what this member said of it.
  returned: always
  type: dict
  contains:
    reachable:
      description: The machine answered.
      returned: always
      type: bool
    running:
      description: The server runs; null when it neither answers nor is known to be stopped.
      returned: always
      type: bool
    role:
      description: >-
        One of V(primary), V(replica), V(none) (it is stopped), V(unknown).
      returned: always
      type: str
    writable:
      description: It takes writes.
      returned: always
      type: bool
    position:
      description: Bytes of write-ahead log written (primary) or held (replica).
      returned: always
      type: int
    lag_bytes:
      description: Bytes behind what the upstream announced; null without a live upstream, and of a primary.
      returned: always
      type: int
    lag_seconds:
      description:
        - Age in seconds of the last word from upstream where everything announced is held, else of the newest commit
          held; null of a primary.
        - By this member's clock. Where that is behind the primary's, the age of a commit is too small; therefore
          RV(observed.committed).
      returned: always
      type: float
    committed:
      description:
        - The time of the commit whose age RV(observed.lag_seconds) is, in seconds since 1970 by the clock of the
          primary that made it; null where it is no commit's age. A failover judges it by the controller's clock too,
          and by what a sight of that primary told of its RV(observed.clock).
      returned: always
      type: float
    upstream:
      description: Where it streams from, C(host:port).
      returned: always
      type: str
    last_contact:
      description: When the upstream last spoke, in seconds since 1970.
      returned: always
      type: float
    system_id:
      description: Identity of the database cluster.
      returned: always
      type: str
    timeline:
      description: Timeline of the write-ahead log.
      returned: always
      type: int
    epoch:
      description: Newest epoch this member took part in.
      returned: always
      type: int
    version:
      description: Major version of the server.
      returned: always
      type: str
    fenced:
      description: Stopped and masked.
      returned: always
      type: bool
    starts_at_boot:
      description:
        - The unit starts when the machine boots. V(true) where systemd says C(enabled) or C(enabled-runtime) of its
          file, V(false) where it says C(disabled) or C(masked), else null.
        - Debian's C(enabled-runtime) is V(auto) in the cluster's C(start.conf), as systemd read it at the last boot or
          C(systemctl daemon-reload).
      returned: always
      type: bool
    receiving:
      description: A replica receives from a live upstream at this moment.
      returned: always
      type: bool
    comes_back_as:
      description: The role that a stopped member would have if somebody started it.
      returned: always
      type: str
    member:
      description: The member's name, as given in C(host).
      returned: always
      type: str
    site:
      description: As given.
      returned: always
      type: str
    address:
      description: As given; where clients reach it.
      returned: always
      type: str
    capacities:
      description: Settings that a replica needs at least as large as its primary has them.
      returned: always
      type: dict
    asked:
      description: When it was asked, in seconds since 1970 by the controller's clock.
      returned: always
      type: float
    clock:
      description:
        - Its own clock when it answered, in seconds since 1970; null where its server gave no answer.
        - What it is more than RV(observed.asked) is the most that it is ahead of the controller's. Of a primary that is
          kept with its sight in C(runs/last_seen), for the age of the commits that it leaves behind.
      returned: always
      type: float
    engine:
      description: >-
        What only the engine's own steps read, among it C(units) and C(ports), which a fence takes.
      returned: always
      type: dict
    followers:
      description: >-
        For each replica that streams from here, by its C(application_name), V(sync), V(quorum), V(async) or its state.
        After a comma stands why a synchronous one proves nothing, such as V(sync, commits do not wait).
      returned: always
      type: dict
    lease:
      description: >-
        Who holds the lease on the member, with C(run), C(owner), C(seconds_left) and C(acted_seconds_ago) (since that
        run last began a step there); null where nobody does.
      type: dict
    promotion:
      description: The last promotion this member knows of.
      returned: always
      type: dict
    problems:
      description:
        - What stands in the way, each with C(rule), C(measured), C(limit), C(message), C(hint) and the verbs it
          C(blocks); C(every verb) stands for all of them.
      returned: always
      type: list
reason:
  description: V(bad_input) where an entry of O(members) cannot be right; nothing was asked then.
  returned: failure
  type: str
unreachable_reason:
  description: Why nothing is known, where the machine gave no answer about a service.
  returned: when a service has no answer
  type: str
"""
