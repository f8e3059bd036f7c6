# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The floor: the least that has to be done, by hand, with every connection open and every name known beforehand.

Planned: CHECKPOINT, fast stop, receive proof, promote (polled every 2 ms), one DNS UPDATE. After a kill: the last two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import harness

from benchmarks import places, shells
from benchmarks.case import Acted, Case, timed

POLL_SECONDS = 0.002
PROOF_SECONDS = 10.0
DATA = "/var/lib/postgresql/15/accounts"
# What pg_ctl does, without its pauses of 100 ms: ask the postmaster for a fast shutdown, wait until its file is gone.
STOP = f"""
kill -INT "$(head -1 {DATA}/postmaster.pid)"
while [ -e {DATA}/postmaster.pid ]; do sleep {POLL_SECONDS}; done
"""
STATE, POSITION = "Database cluster state", "Latest checkpoint location"
CONTROL = f"/usr/lib/postgresql/15/bin/pg_controldata -D {DATA} | sed -n -e 's/^{STATE}: *//p' -e 's/^{POSITION}: *//p'"
KILL = f'kill -KILL "$(head -1 {DATA}/postmaster.pid)"'


@dataclass
class Hands:
    """What is open before the moment: both machines, both databases, the update signed and ready to be sent."""

    old: shells.Shell
    old_sql: shells.Shell
    new_sql: shells.Shell


class Floor(Case):
    """A primary in dc1, moved to dc2 by hand."""

    place = places.LAB

    def prepare(self) -> None:
        """The lab at its start, and everything open."""
        harness.lab("reset")
        self.hands = Hands(
            shells.shell("db1"),
            shells.psql("db1", self.place.ports["db1"]),
            shells.psql("db2", self.place.ports["db2"]),
        )
        self.update = places.update_message(places.ADDRESSES["db2"])

    def clean(self) -> None:
        """Close everything."""
        for each in vars(self.hands).values() if hasattr(self, "hands") else ():
            each.close()

    def promote(self) -> None:
        """Promote the standby and see that it is one no more."""
        self.hands.new_sql.ask("SELECT pg_promote(false);")
        poll(lambda: self.hands.new_sql.ask("SELECT pg_is_in_recovery();") == "f")

    def redirect(self) -> None:
        """Send the clients there."""
        places.send_update(self.update)


class Planned(Floor):
    """Nothing may be lost."""

    name = "floor_planned"
    title = "the floor, planned: by hand, connections open"
    floor = "floor_planned"

    def act(self) -> Acted:
        """The steps; what each of them took."""
        return timed(
            lambda: steps(
                checkpoint=lambda: self.hands.old_sql.ask("CHECKPOINT;"),
                stop=lambda: self.hands.old.ask(STOP),
                position=self.read_position,
                replay=self.see_replayed,
                promote=self.promote,
                redirect=self.redirect,
            )
        )

    def read_position(self) -> None:
        """Where the old primary ended; it must have ended well."""
        state, _newline, position = self.hands.old.ask(CONTROL).partition("\n")
        if state != "shut down":
            raise places.NotReady(f"the old primary is {state!r}, not shut down")
        self.ended_at = position

    def see_replayed(self) -> None:
        """The standby has replayed past that position."""
        poll(lambda: self.hands.new_sql.ask(f"SELECT pg_last_wal_replay_lsn() > '{self.ended_at}';") == "t")


class Killed(Floor):
    """Nobody was asked."""

    name = "floor_killed"
    title = "the floor, after kill -9: by hand, connections open"
    floor = "floor_killed"

    def act(self) -> Acted:
        """The fault, and the two steps that are left."""
        self.hands.old.ask(KILL)
        return timed(lambda: steps(promote=self.promote, redirect=self.redirect))


def steps(**actions: Callable[[], object]) -> dict[str, float]:
    """Do one after another; the milliseconds of each."""
    took = {}
    for name, action in actions.items():
        started = time.monotonic()
        action()
        took[name] = (time.monotonic() - started) * 1000
    return took


def poll(ready: Callable[[], bool]) -> None:
    """Ask every 2 ms until it is so. Raises NotReady after 10 s."""
    until = time.monotonic() + PROOF_SECONDS
    while not ready():
        if time.monotonic() > until:
            raise places.NotReady(f"not within {PROOF_SECONDS:g} s")
        time.sleep(POLL_SECONDS)


CASES: tuple[Case, ...] = (Planned(), Killed())
