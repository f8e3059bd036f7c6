# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""repmgr, from Debian: `repmgr standby switchover`, everything as its own documentation sets it up."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.peer import FIRST, SECOND, Peer, PeerCase, as_postgres
from benchmarks.places import LINKS, Place

SCRIPT = "/opt/continuity-bench/repmgr.sh"
CONFIG = "/var/lib/postgresql/repmgr.conf"


class Repmgr(Peer):
    """A pair that repmgr knows."""

    name = "repmgr"
    place = Place({FIRST: 5442, SECOND: 5442})

    def version(self) -> str:
        """As it names itself."""
        return as_postgres(FIRST, "repmgr --version").strip()

    def make(self) -> None:
        """Register a primary, clone a standby from it."""
        for machine in self.place.ports:
            as_postgres(machine, f"sh {SCRIPT} configure")
        as_postgres(FIRST, f"sh {SCRIPT} primary")
        as_postgres(SECOND, f"sh {SCRIPT} standby {LINKS[FIRST]}")

    def start(self) -> None:
        """Both servers; which of them follows stands in their data directories."""
        for machine in self.place.ports:
            as_postgres(machine, f"sh {SCRIPT} start")

    def stop(self) -> None:
        """Both servers, the standby first: it would only lose its primary."""
        for machine in sorted(
            self.place.ports, key=lambda name: self.place.sql(name, "SELECT pg_is_in_recovery()") != "t"
        ):
            as_postgres(machine, f"sh {SCRIPT} stop || true")


class Switchover(PeerCase):
    """Typed on the standby."""

    name = "repmgr_switchover"
    title = "repmgr standby switchover"
    product = Repmgr()

    def command(self) -> None:
        """What its documentation says."""
        as_postgres(self.product.place.other(self.primary), f"repmgr -f {CONFIG} standby switchover")


CASES: tuple[Case, ...] = (Switchover(),)
