# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Members as directories, scripts by a real shell, and a log of every effect: who, in which epoch, in which order.

Nothing here looks at messages. What counts is what reached the log: ``wrong_winners`` names every pair of writers.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease

SERVICE = "shop"
MEMBERS = ("db1", "db2")


@dataclass(frozen=True)
class Effect:
    """One line of the log. A run that was started again is another writer than its first process."""

    epoch: int
    run: str
    process: str
    member: str

    @property
    def writer(self) -> str:
        return f"{self.run}/{self.process}"


@dataclass(frozen=True)
class Said:
    """What a script left."""

    rc: int
    stdout: str

    @property
    def refused(self) -> str:
        """The rule it was refused by, or nothing."""
        found = lease.refusal(self.stdout)
        return found[0] if found else ""


class Field:
    """Members below one directory, with a clock since boot and a boot id of their own."""

    def __init__(self, home: Path, members: Sequence[str] = MEMBERS) -> None:
        self.home, self.members = home, tuple(members)
        self.log = home / "writers"
        self.bin = home / "bin"
        self.bin.mkdir(parents=True)
        for number, member in enumerate(members):
            (home / member / "state").mkdir(parents=True)
            (home / member / "boot_id").write_text(f"boot-of-{member}\n")
            self._tick(member, 5000.0 * (number + 1))

    def _tick(self, member: str, uptime: float) -> None:
        # A whole file at once: scripts read it at any time
        new = self.home / member / "uptime.new"
        new.write_text(f"{uptime:.2f} 1.00\n")
        new.replace(self.home / member / "uptime")

    def uptime(self, member: str) -> float:
        return float((self.home / member / "uptime").read_text().split()[0])

    def pass_time(self, seconds: float) -> None:
        """Time goes by on every member."""
        for member in self.members:
            self._tick(member, self.uptime(member) + seconds)

    def state(self, member: str, name: str) -> str:
        """A file beside the lease, or nothing."""
        path = self.home / member / "state" / SERVICE / name
        return path.read_text().strip() if path.exists() else ""

    def script(self, member: str, text: str) -> str:
        """The script as this member would run it: its directories and its clock are below the test's own."""
        here = self.home / member
        moved = {
            f"{lease.STATE_DIRECTORY}/": f"{here}/state/",
            "/proc/uptime": f"{here}/uptime",
            "/proc/sys/kernel/random/boot_id": f"{here}/boot_id",
        }
        for old, new in moved.items():
            text = text.replace(old, new)
        return text

    def start(self, member: str, text: str = "") -> subprocess.Popen[str]:
        """A shell of the member, in a session of its own; what it is to run may be sent later."""
        shell = subprocess.Popen(
            ["/bin/sh", "-s"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": f"{self.bin}:/usr/bin:/bin"},
            start_new_session=True,
        )
        if text and shell.stdin:
            shell.stdin.write(self.script(member, text))
            shell.stdin.close()
            shell.stdin = None
        return shell

    def run(self, member: str, text: str) -> Said:
        shell = self.start(member)
        stdout, _nothing = shell.communicate(self.script(member, text), timeout=20)
        return Said(shell.returncode, stdout)

    def acquire(self, member: str, held: Lease, seconds: int = 270, **options: Any) -> Said:
        return self.run(member, lease.acquire_script(held, seconds, **options))

    def release(self, member: str, held: Lease, promotion: Mapping[str, Any] | None = None) -> Said:
        return self.run(member, lease.release_script(held, promotion))

    def effect(self, member: str, held: Lease, process: str = "1", before: str = "") -> str:
        """A guarded script that writes one line to the log, where a real one would promote."""
        return lease.guarded(held, SERVICE, before + self.line(member, process))

    def line(self, member: str, process: str = "1") -> str:
        """Shell text: the effect itself."""
        return f'printf \'%s %s %s %s\\n\' "$epoch" "$run" {process} {member} >> {self.log}\n'

    def act(self, member: str, held: Lease, process: str = "1") -> Said:
        return self.run(member, self.effect(member, held, process))

    def effects(self) -> list[Effect]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        words = [line.split() for line in lines]
        return [Effect(int(epoch), run, process, member) for epoch, run, process, member in words]


def mine(run: str, epoch: int = 1) -> Lease:
    return Lease(SERVICE, run, epoch, f"{run}@ops")


def wrong_winners(effects: Sequence[Effect]) -> list[str]:
    """Every way in which two took writes: two writers in one epoch, or an older epoch's effect after a newer one's."""
    return [*_two_in_one(effects), *_late(effects)]


def _two_in_one(effects: Sequence[Effect]) -> Iterator[str]:
    writers: dict[int, str] = {}
    for effect in effects:
        first = writers.setdefault(effect.epoch, effect.writer)
        if first != effect.writer:
            yield f"epoch {effect.epoch}: {first} and {effect.writer}"


def _late(effects: Sequence[Effect]) -> Iterator[str]:
    newest: Effect | None = None
    for effect in effects:
        if newest is not None and effect.epoch < newest.epoch:
            late = f"{effect.writer} wrote on {effect.member} in epoch {effect.epoch}"
            yield f"{late} after {newest.writer} in {newest.epoch}"
        if newest is None or effect.epoch >= newest.epoch:
            newest = effect
