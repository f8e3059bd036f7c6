# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""pg_auto_failover, from Debian, with its monitor in the third site; its defaults."""

from __future__ import annotations

import harness

from benchmarks.case import Case
from benchmarks.peer import ARBITER, FIRST, SECOND, WAIT_PRIMARY, Peer, PeerCase, as_postgres, systemctl
from benchmarks.places import NotReady, Place

SCRIPT = "/opt/continuity-bench/autoctl.sh"
UNIT = "bench-autoctl.service"
MONITOR = "--monitor postgres://autoctl_node@203.0.113.143:5445/pg_auto_failover"
STATES = "SELECT nodename || ':' || reportedstate || ':' || goalstate FROM pgautofailover.node ORDER BY 1"


class AutoFailover(Peer):
    """Two nodes and a monitor."""

    name = "pg_auto_failover"
    place = Place({FIRST: 5444, SECOND: 5444})
    monitor = Place({ARBITER: 5445})

    def version(self) -> str:
        """As it names itself."""
        return as_postgres(FIRST, "pg_autoctl --version").splitlines()[0]

    def make(self) -> None:
        """The monitor, then the node that becomes the primary, then the other."""
        self.stop()
        as_postgres(ARBITER, f"sh {SCRIPT} monitor")
        systemctl(ARBITER, "start", UNIT)
        as_postgres(ARBITER, WAIT_PRIMARY.format(port=5445, database="pg_auto_failover"))
        as_postgres(FIRST, f"sh {SCRIPT} node")
        self.let_clients_in(FIRST)
        systemctl(FIRST, "start", UNIT)
        as_postgres(FIRST, WAIT_PRIMARY.format(port=5444, database="accounts"))
        as_postgres(FIRST, "sh /opt/continuity-bench/shop.sh 5444")
        as_postgres(SECOND, f"sh {SCRIPT} node", 180)
        self.let_clients_in(SECOND)
        systemctl(SECOND, "start", UNIT)

    def let_clients_in(self, machine: str) -> None:
        """The lab's settings and the clients' lines; the product writes its own beside them."""
        data = "/var/lib/postgresql/15/autoctl"
        lines = "\\n".join(f"host accounts canary {net} scram-sha-256" for net in ("198.51.100.0/24", "203.0.113.0/24"))
        as_postgres(machine, f"grep -q canary {data}/pg_hba.conf || printf '{lines}\\n' >> {data}/pg_hba.conf")
        settings = (
            "shared_buffers = 32MB\\nmax_wal_size = 256MB\\nmin_wal_size = 80MB\\njit = off\\n"
            "wal_retrieve_retry_interval = 500ms\\n"
        )
        as_postgres(
            machine, f"grep -q 'jit = off' {data}/postgresql.conf || printf '{settings}' >> {data}/postgresql.conf"
        )

    def start(self) -> None:
        """The monitor first."""
        systemctl(ARBITER, "start", UNIT)
        for machine in self.place.ports:
            harness.inside(machine, f"test -e /var/lib/postgresql/15/autoctl/PG_VERSION && systemctl start {UNIT}")

    def stop(self) -> None:
        """The monitor first: with it, the other node would take over from the one that is stopped."""
        for machine in (ARBITER, SECOND, FIRST):
            harness.inside(machine, f"systemctl stop {UNIT}; systemctl reset-failed {UNIT}", check=False)

    def ready(self) -> str:
        """The monitor has to know both as what they are."""
        primary = self.place.healthy()
        seen = self.monitor.sql(ARBITER, STATES, "pg_auto_failover").splitlines()
        wanted = sorted([f"{primary}:primary:primary", f"{self.place.other(primary)}:secondary:secondary"])
        if seen != wanted:
            raise NotReady(f"the monitor says {' '.join(seen)}")
        return primary


class Switchover(PeerCase):
    """Typed by an operator."""

    name = "pg_auto_failover_switchover"
    title = "pg_autoctl perform switchover"
    product = AutoFailover()

    def command(self) -> None:
        """It waits until the monitor has seen it through."""
        as_postgres(ARBITER, f"pg_autoctl perform switchover {MONITOR}")


CASES: tuple[Case, ...] = (Switchover(),)
