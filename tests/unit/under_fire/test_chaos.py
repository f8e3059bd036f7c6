# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many runs in any order: they claim, sleep, die, are started again, are broken; some reach one member only.

One thread, so a seed repeats it. The claims are made at a real name server and every script is run by a real shell.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import dns_named
import pytest
from fire_controller import CLAIM_SECONDS, target
from under_fire import mine, wrong_winners

from ansible_collections.continuity.dr.plugins.plugin_utils.core.holding import QUIET_SECONDS
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import Client
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Target

WORDS = ("observe", "claim", "lease", "act", "release")
#: How long nothing happens after a step, as often as it stands here.
PAUSES = [0.0] * 14 + [1.0, 12.0, 31.0, 31.0, 100.0, 271.0, 331.0]


@dataclass
class Process:
    """What one process of a run believes."""

    run: str
    number: int
    reach: tuple[str, ...]
    skew: float
    breaks: str = ""
    observed: int | None = None
    looked: float = 0.0
    epoch: int = 0
    usable_until: float = 0.0
    leased: set[str] = field(default_factory=set)
    acted: int = 0

    @property
    def next(self) -> str:
        """What it would do if nothing came between."""
        if not self.epoch:
            return "observe" if self.observed is None else "claim"
        if self.leased != set(self.reach):
            return "lease"
        return "act" if self.acted < 3 else "release"


class World:
    def __init__(self, fire: Any, chance: random.Random, endpoint: Target, client: Client) -> None:
        self.fire, self.chance, self.begun = fire, chance, time.time()
        self.target, self.client = endpoint, client
        self.processes: list[Process] = []
        self.said: list[str] = []

    def now(self, process: Process) -> float:
        return self.begun + self.fire.ahead + process.skew

    def claims(self, process: Process, **claimant: Any) -> Claims:
        wanted = Claimant(process.run, f"{process.run}@ops", CLAIM_SECONDS, **claimant)
        return Claims(self.target, wanted, self.client, Clock(now=lambda: self.now(process)))

    def step(self) -> None:
        """One thing that one process does."""
        if len(self.processes) < 3 or self.chance.random() < 0.06:
            self.begin()
        process = self.chance.choice(self.processes[-3:] + self.processes[-1:] * 3)
        what = process.next if self.chance.random() < 0.85 else self.chance.choice(WORDS)
        with suppress(DnsError):
            getattr(self, what)(process)
        self.said.append(f"{process.run}/{process.number} {what}")
        self.fire.pass_time(self.chance.choice(PAUSES))

    def begin(self) -> None:
        """A new run, or an earlier one again: its first process may still be there."""
        again = self.processes and self.chance.random() < 0.4
        run = self.chance.choice(self.processes).run if again else f"run-{len(self.processes)}"
        reach = self.chance.choice([("db1", "db2"), ("db1", "db2"), ("db1",), ("db2",)])
        # Whoever cannot reach every member is refused a break when it is decided: holder_unproven
        others = [each.run for each in self.processes if each.run != run] if len(reach) == 2 else []
        breaks = self.chance.choice(others) if others and self.chance.random() < 0.5 else ""
        skew = self.chance.choice([-30.0, 0.0, 30.0])
        self.processes.append(Process(run, len(self.processes), reach, skew, breaks))

    def observe(self, process: Process) -> None:
        found = self.claims(process).observe()
        # Whoever goes on for a run that may only sleep must reach every member, or it is refused: holder_unproven
        taken = found["state"] == "claimed" and found["seconds_left"] > 0 and found["run_id"] == process.run
        process.observed = None if taken and len(process.reach) < len(self.fire.members) else found["epoch"]
        process.looked = self.fire.ahead

    def claim(self, process: Process) -> None:
        if process.observed is None:
            return self.observe(process)
        observed, process.observed, process.epoch = process.observed, None, 0
        done = self.claims(process, observed_epoch=observed, break_run=process.breaks or None).claim()
        process.epoch, process.usable_until, process.leased = done["epoch"], done["usable_until"], set()
        return None

    def lease(self, process: Process) -> None:
        seconds = min(CLAIM_SECONDS - 30, int(process.usable_until - self.now(process)))
        if not process.epoch or seconds <= 0:
            return
        quiet = max(QUIET_SECONDS, int(self.fire.ahead - process.looked) + 1)
        for member in process.reach:
            if member not in process.leased:
                held = mine(process.run, process.epoch)
                done = self.fire.acquire(member, held, seconds, break_run=process.breaks, quiet_seconds=quiet)
                if done.rc != 0:
                    return self.release(process)
                process.leased.add(member)
                return None
        return None

    def act(self, process: Process) -> None:
        """Only with all its leases, as a walk does; and once more much later, as a script that hangs does."""
        if process.epoch and process.leased == set(process.reach):
            self.fire.act(self.chance.choice(process.reach), mine(process.run, process.epoch), str(process.number))
            process.acted += 1

    def release(self, process: Process) -> None:
        for member in sorted(process.leased):
            self.fire.release(member, mine(process.run, process.epoch))
        epoch, process.epoch, process.leased, process.acted = process.epoch, 0, set(), 0
        if epoch:
            self.claims(process, epoch=epoch).release()


@pytest.mark.parametrize("turn", range(6))
def test_whatever_happens_nobody_writes_beside_another(fire, chance, turn: int) -> None:
    endpoint = target(fire.name, fire.port, dns_named.SECRETS["continuity"])
    with Client(endpoint.servers, endpoint.key, 5.0) as client:
        world = World(fire, chance, endpoint, client)
        # By bad luck nobody gets as far as an effect in 150 steps (about one seed in 500)
        while len(world.said) < 150 or (not fire.effects() and len(world.said) < 1000):
            world.step()
            assert wrong_winners(fire.effects()) == [], "\n".join(world.said[-30:])
    assert fire.effects(), "nothing was tried"
