# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Patroni, from PyPI, with one etcd from Debian; its defaults."""

from __future__ import annotations

import json

import harness

from benchmarks.case import Case
from benchmarks.peer import (
    ARBITER,
    FIRST,
    SECOND,
    WAIT_PRIMARY,
    Peer,
    PeerCase,
    PeerHostGone,
    PeerKilled,
    as_postgres,
    systemctl,
)
from benchmarks.places import NotReady, Place

PATRONICTL = (
    "PYTHONPATH=/opt/patroni python3 -c 'from patroni.ctl import ctl; ctl()' -c /var/lib/postgresql/patroni.yml"
)
UNIT = "bench-patroni.service"


class Patroni(Peer):
    """Two Patroni nodes and an etcd in the third site."""

    name = "patroni"
    place = Place({FIRST: 5443, SECOND: 5443})

    def version(self) -> str:
        """Patroni's and etcd's."""
        say = "from patroni.version import __version__; print(__version__)"
        own = as_postgres(FIRST, f"PYTHONPATH=/opt/patroni python3 -c '{say}'")
        return f"Patroni {own.strip()}, {as_postgres(ARBITER, 'etcd --version').splitlines()[0]}"

    def make(self) -> None:
        """An empty etcd; the first node makes the cluster, the second clones it."""
        self.stop()
        harness.inside(ARBITER, "rm -rf /var/lib/bench-etcd")
        for machine in self.place.ports:
            as_postgres(machine, "sh /opt/continuity-bench/patroni.sh")
        systemctl(ARBITER, "start", "bench-etcd.service")
        systemctl(FIRST, "start", UNIT)
        self.wait_primary()
        as_postgres(FIRST, "sh /opt/continuity-bench/shop.sh 5443")
        systemctl(SECOND, "start", UNIT)

    def wait_primary(self) -> None:
        """Until the first node takes writes; it answers to nobody before."""
        as_postgres(FIRST, WAIT_PRIMARY.format(port=5443, database="postgres"))

    def start(self) -> None:
        """The etcd first."""
        systemctl(ARBITER, "start", "bench-etcd.service")
        for machine in self.place.ports:
            harness.inside(machine, f"test -e /var/lib/postgresql/15/patroni/PG_VERSION && systemctl start {UNIT}")

    def stop(self) -> None:
        """Patroni stops its server with itself; the standby first, or it would take over."""
        for machine in sorted(
            self.place.ports, key=lambda name: self.place.sql(name, "SELECT pg_is_in_recovery()") != "t"
        ):
            harness.inside(machine, f"systemctl stop {UNIT}; systemctl reset-failed {UNIT}", check=False)
        harness.inside(ARBITER, "systemctl stop bench-etcd.service", check=False)

    def ready(self) -> str:
        """Both nodes known to the etcd, the replica streaming."""
        primary = self.place.healthy()
        listed = {one["Member"]: one for one in json.loads(as_postgres(primary, f"{PATRONICTL} list -f json"))}
        states = {name: (one["Role"], one["State"]) for name, one in listed.items()}
        if states != {primary: ("Leader", "running"), self.place.other(primary): ("Replica", "streaming")}:
            raise NotReady(f"Patroni says {states}")
        return primary


PATRONI = Patroni()


class Switchover(PeerCase):
    """Typed by an operator."""

    name = "patroni_switchover"
    title = "patronictl switchover"
    product = PATRONI

    def command(self) -> None:
        """Without questions."""
        target = self.product.place.other(self.primary)
        as_postgres(target, f"{PATRONICTL} switchover bench --leader {self.primary} --candidate {target} --force")


class Killed(PeerKilled):
    """Detected and decided by itself."""

    name = "patroni_failover_killed"
    title = "Patroni by itself after kill -9 (defaults: it starts the server again where it was)"
    product = PATRONI


class HostGone(PeerHostGone):
    """Detected and decided by itself, once the leader's key has run out."""

    name = "patroni_failover_host_gone"
    title = "Patroni by itself, whole host gone (defaults; detection included)"
    product = PATRONI


CASES: tuple[Case, ...] = (Switchover(), Killed(), HostGone())
