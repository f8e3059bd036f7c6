# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection's own verbs on the lab's plan, as docs/switchover.md and docs/failover.md show them."""

from __future__ import annotations

import time
from pathlib import Path

import harness
import topology

from benchmarks import commands, places, shells
from benchmarks.case import Acted, Case
from benchmarks.cases.floor import KILL
from benchmarks.others import OtherClients
from benchmarks.where import LAB, STATE

RESOLVER = "bench-resolver.service"
FENCE = "    fence:\n      role: continuity.dr.fence_systemd\n"
FENCE_WITH_DEVICE = f"""    fence:
      - role: continuity.dr.fence_systemd
      - role: continuity.dr.fence_agent
        agent: {LAB}/fence_lab
        members: {{db1: {{plug: db1}}, db2: {{plug: db2}}}}
        timeout: 10s
        call_timeout: 5s
        power_on_within: 40s
"""
TTL = f"        ttl: {topology.TTL_SECONDS:g}s\n"
LOWERED_SECONDS = 1.0
SCOPE = f"scope={places.SERVICE}"


class Verb(Case):
    """A verb moves the service from dc1 to dc2."""

    place = places.LAB
    verb = "switchover"
    plan: Path | None = None  # the lab's own

    def __init__(self, name: str, title: str, reach: str = "name") -> None:
        self.name, self.title, self.reach = name, title, reach

    others: OtherClients | None = None

    def prepare(self) -> None:
        """The lab at its start; a resolver that others keep full, its record of any age when the case begins."""
        harness.lab("reset")
        if self.reach == "cache":
            harness.inside("bench0", f"systemctl restart {RESOLVER}")
            self.others = OtherClients(lambda: places.answered(places.CACHING[0]))
            self.others.start(self.chance.uniform(0.0, topology.TTL_SECONDS))

    def clean(self) -> None:
        """Neither resolver nor other clients outside the case."""
        if self.others is not None:
            self.others.stop()
            self.others = None
        if self.reach == "cache":
            harness.inside("bench0", f"systemctl stop {RESOLVER}", check=False)

    def act(self) -> Acted:
        """The fault, where there is one, and the verb at once."""
        self.break_it()
        began = time.monotonic_ns()
        ran, parts = commands.verb(self.verb, SCOPE, "target_site=dc2", plan=self.plan)
        return Acted(began, ran.seconds, parts, ran.controller)

    def break_it(self) -> None:
        """A planned change needs no fault."""


class Switchover(Verb):
    """Planned."""

    floor = "floor_planned"


class SwitchoverLowered(Switchover):
    """The plan has a shorter time to live around a move, and the move was prepared."""

    def prepare(self) -> None:
        """Lowered so early that no cache holds the answer from before any more."""
        super().prepare()
        (STATE / "lowered").mkdir(parents=True, exist_ok=True)
        self.plan = harness.changed_plan(STATE / "lowered", (TTL, f"{TTL}        move_ttl: {LOWERED_SECONDS:g}s\n"))
        commands.verb(self.verb, SCOPE, "prepare=true", plan=self.plan)
        time.sleep(topology.TTL_SECONDS + self.chance.uniform(0.0, LOWERED_SECONDS))


class FailoverKilled(Verb):
    """The postmaster is killed, its machine lives."""

    verb = "failover"
    floor = "floor_killed"

    def prepare(self) -> None:
        """The shell that kills is open before, as for the floor."""
        super().prepare()
        self.killer = shells.shell("db1")

    def break_it(self) -> None:
        """SIGKILL, as for the floor."""
        self.killer.ask(KILL)

    def clean(self) -> None:
        """Close the shell."""
        super().clean()
        if hasattr(self, "killer"):
            self.killer.close()


class FailoverHostGone(Verb):
    """The whole machine loses its power, and a device proves that it is off: the lab's own, which asks Docker."""

    verb = "failover"
    floor = "floor_killed"

    def prepare(self) -> None:
        """A plan with that device: nothing is promoted while nobody knows whether the old primary still serves."""
        super().prepare()
        (STATE / "host_gone").mkdir(parents=True, exist_ok=True)
        self.plan = harness.changed_plan(STATE / "host_gone", (FENCE, FENCE_WITH_DEVICE))

    def break_it(self) -> None:
        """The container is killed; the lab's reset starts it again."""
        commands.docker("kill", "continuity-lab-db1")

    def clean(self) -> None:
        """The machine comes back, or the next case would find the lab without it."""
        harness.lab("reset")


class NothingToDo(Case):
    """The same command a second time: the service is where it shall be."""

    name = "continuity_nothing_to_do"
    title = "continuity.dr switchover, second run (nothing to do)"
    measure = "wall_seconds"
    floor = "ansible_debug_playbook"

    def prepare(self) -> None:
        """The lab at its start."""
        harness.lab("reset")

    def act(self) -> Acted:
        """The service is in dc1 already."""
        began = time.monotonic_ns()
        ran, _phases = commands.verb("switchover", SCOPE, "target_site=dc1")
        return Acted(began, ran.seconds, controller=ran.controller)


OURS = "continuity.dr"
CASES: tuple[Case, ...] = (
    Switchover("continuity_switchover", f"{OURS} switchover"),
    Switchover("continuity_switchover_both_hosts", f"{OURS} switchover, client tries both hosts", "hosts"),
    Switchover(
        "continuity_switchover_caching_resolver", f"{OURS} switchover, client behind a caching resolver", "cache"
    ),
    SwitchoverLowered(
        "continuity_switchover_lowered_ttl",
        f"{OURS} switchover, behind that resolver, prepared with move_ttl: 1s",
        "cache",
    ),
    FailoverKilled("continuity_failover_killed", f"{OURS} failover after kill -9, verb started at once"),
    FailoverKilled(
        "continuity_failover_killed_both_hosts", f"{OURS} failover after kill -9, client tries both hosts", "hosts"
    ),
    FailoverHostGone("continuity_failover_host_gone", f"{OURS} failover, whole host gone, verb started at once"),
    NothingToDo(),
)
