# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the peers have in common: a pair that lives as long as its case, is made once and then goes to and fro.

None of them switches a name, so their client tries both hosts, as their users' connection strings do.
"""

from __future__ import annotations

import time

import harness

from benchmarks import shells
from benchmarks.case import Acted, Case, timed
from benchmarks.commands import CommandFailed, boot, docker, ended
from benchmarks.places import NotReady, Place

FIRST, SECOND, ARBITER = "bench1", "bench2", "bench0"
HEALTHY_SECONDS = 120.0
# A server that a product is just making answers to nobody at first; bounded at a minute.
WAIT_PRIMARY = """
ask() {{ /usr/lib/postgresql/15/bin/psql -XAqt -h /var/run/postgresql -p {port} -d {database} -c "$1" 2>/dev/null; }}
for i in $(seq 300); do ask 'SELECT pg_is_in_recovery()' | grep -q f && exit 0; sleep 0.2; done
echo 'no primary on port {port} within a minute' && exit 1
"""


def as_postgres(machine: str, command: str, seconds: float = 120.0) -> str:
    """Run a shell command as postgres in a machine of the peers. Raises CommandFailed with what it said."""
    words = ["docker", "exec", "-u", "postgres", "-w", "/var/lib/postgresql", f"continuity-lab-{machine}"]
    done = ended([*words, "/bin/sh", "-c", command], seconds)
    if done.returncode != 0:
        raise CommandFailed(f"{machine}: `{command}` ended with {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout


class Peer:
    """One product: its pair, and how it is made, started and stopped."""

    name = ""
    place: Place

    def version(self) -> str:
        """What is installed. Raises CommandFailed when nothing is."""
        raise NotImplementedError

    def make(self) -> None:
        """The pair from nothing, running."""
        raise NotImplementedError

    def start(self) -> None:
        """Start what was made before."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop everything of it."""
        raise NotImplementedError

    def ready(self) -> str:
        """The primary, once the product itself would let it be moved. Raises NotReady."""
        return self.place.healthy()

    def up(self) -> str:
        """Have it run and ready, from nothing where it does not come up by itself; the primary."""
        try:
            self.start()
            return self.wait_ready(30.0)
        except (NotReady, CommandFailed, AssertionError):
            self.make()
            return self.wait_ready(HEALTHY_SECONDS)

    def wait_ready(self, seconds: float) -> str:
        """Ask until it is ready."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self.ready()
            except (NotReady, CommandFailed):
                if time.monotonic() > until:
                    raise
                time.sleep(0.3)


class PeerCase(Case):
    """Something that a product does with its pair."""

    reach = "hosts"
    floor = "floor_planned"
    product: Peer

    def __init__(self) -> None:
        self.place = self.product.place
        self.peer = self.product.name

    def prepare(self) -> None:
        """Running, ready, an empty table."""
        self.primary = self.product.up()
        self.product.place.forget(self.primary)

    def act(self) -> Acted:
        """The product's own command."""
        return timed(self.command)

    def command(self) -> None:
        """What an operator types."""
        raise NotImplementedError

    def clean(self) -> None:
        """Nothing of it goes on running."""
        self.product.stop()


class PeerKilled(PeerCase):
    """The postmaster is killed; nobody types anything. Some products start it again where it was."""

    floor = "floor_killed"
    moves = False
    served_seconds = 180.0

    def prepare(self) -> None:
        """As ever, and a shell that is open."""
        super().prepare()
        self.killer = shells.shell(self.primary)
        self.data = self.product.place.sql(self.primary, "SHOW data_directory")

    def act(self) -> Acted:
        """The fault; the rest is the product's."""
        began = time.monotonic_ns()
        self.killer.ask(f'kill -KILL "$(head -1 {self.data}/postmaster.pid)"')
        return Acted(began, None)

    def clean(self) -> None:
        """Close the shell, stop the rest."""
        if hasattr(self, "killer"):
            self.killer.close()
        super().clean()


class PeerHostGone(PeerCase):
    """The primary's whole machine loses its power; nobody types anything."""

    floor = "floor_killed"
    served_seconds = 180.0

    def act(self) -> Acted:
        """The fault; the rest is the product's."""
        began = time.monotonic_ns()
        docker("kill", f"continuity-lab-{self.primary}")
        return Acted(began, None)

    def clean(self) -> None:
        """The machine comes back, the product stops."""
        if hasattr(self, "primary"):
            boot(self.primary)
        super().clean()


def systemctl(machine: str, *words: str) -> None:
    """Tell a machine's service manager. Raises when it refuses."""
    harness.inside(machine, f"systemctl {' '.join(words)}")
