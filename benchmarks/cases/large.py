# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a big plan and a long run cost on the controller alone: no machine is asked."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import journal
from benchmarks import commands
from benchmarks.case import Acted, Case
from benchmarks.where import STATE

FUNCTIONS, SERVICES, EACH_WAVE = 1000, 5000, 100
MACHINES = 100  # in each site
LINES = 10_000
# As docs/plan.md advises for a plan of this size: `auto`, which stands first by default, would read the whole file once
PLAN_FIRST = {"ANSIBLE_INVENTORY_ENABLED": "continuity.dr.plan,host_list,script,auto,yaml,ini"}


class Large(Case):
    """The wall time of one command."""

    measure = "wall_seconds"
    floor = "ansible_debug_playbook"
    count: int  # of services
    folder: Path

    def prepare(self) -> None:
        """The files; JSON is YAML, too."""
        self.folder = STATE / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plan.yml").write_text(json.dumps(plan(self.count), indent=1), encoding="utf-8")
        (self.folder / "hosts.yml").write_text(json.dumps(hosts(), indent=1), encoding="utf-8")

    def timed(self, *words: str) -> Acted:
        """Run it with the plan's inventory."""
        began = time.monotonic_ns()
        sources = ["-i", str(self.folder / "hosts.yml"), "-i", str(self.folder / "plan.yml")]
        ran = commands.ansible([*words, *sources], PLAN_FIRST)
        return Acted(began, ran.seconds, controller=ran.controller)


class Plan(Large):
    """Read, checked, ordered, turned into hosts and groups."""

    name = "plan_of_5000_services"
    title = f"a plan of {FUNCTIONS} functions and {SERVICES} services, checked and as inventory"
    count = SERVICES

    def act(self) -> Acted:
        """Every group with its services."""
        return self.timed("ansible-inventory", "--graph")


class Report(Large):
    """Built again from the journal of a run that took long."""

    name = "report_of_10000_lines"
    title = f"the report of a run with {LINES} journal lines"
    count = 1
    run_id = "long"

    def prepare(self) -> None:
        """A run of one service, one step of which was done again and again."""
        super().prepare()
        directory = self.folder / "runs" / self.run_id
        if len(journal.read(journal.path_of(directory, service_name(0)))) == LINES:
            return
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        (directory / "run.json").write_text(json.dumps(run(self.run_id)), encoding="utf-8")
        shared = {"stage": "switchover", "check_mode": False}
        decided = {**shared, "goal_reached": True, "refused": False, "to_site": "dc1", "steps": [], "refusals": []}
        lines = [("decide", "done", decided)]
        lines += [("verify", ("started", "done")[number % 2], shared) for number in range(LINES - 2)]
        lines += [("outcome", "done", {**shared, "state": "done"})]
        for line in lines:
            journal.append(directory, self.run_id, service_name(0), *line, fsync=False)

    def act(self) -> Acted:
        """All its forms."""
        own = ["-e", f"continuity_run_id={self.run_id}", "-e", f"continuity_runs_dir={self.folder / 'runs'}"]
        return self.timed("ansible-playbook", "continuity.dr.report", *own)


def service_name(number: int) -> str:
    """Names of one length."""
    return f"s{number:04}"


def machines(number: int) -> list[str]:
    """The two that carry a service, one in each site."""
    return [f"{site}{number % MACHINES:03}" for site in "ab"]


def hosts() -> dict[str, Any]:
    """The machines in their sites; none of them exists."""
    sites = {"dc1": ("a", "198.51.100"), "dc2": ("b", "203.0.113")}
    groups = {
        group: {"hosts": {f"{site}{number:03}": {"ansible_host": f"{net}.{number + 1}"} for number in range(MACHINES)}}
        for group, (site, net) in sites.items()
    }
    return {**groups, "all": {"vars": {"key_of_the_zone": "c2VjcmV0"}}}


def plan(count: int) -> dict[str, Any]:
    """Functions in ten layers, each on one of the layer above; the services spread over them."""
    functions: dict[str, Any] = {}
    for number in range(min(FUNCTIONS, count)):
        function: dict[str, Any] = {"tier": 1 + number % 3, "objectives": {"rto": "1h", "rpo": "5m", "mtpd": "8h"}}
        if number >= EACH_WAVE:
            function["depends_on"] = [f"f{number - EACH_WAVE:04}"]
        functions[f"f{number:04}"] = function
    return {
        "plugin": "continuity.dr.plan",
        "plan": {"id": "large", "environment": "drill"},
        "sites": {"dc1": {"use": "preferred"}, "dc2": {"use": "recovery", "standby": "hot"}},
        "functions": functions,
        "services": {service_name(number): _service(number) for number in range(count)},
    }


def _service(number: int) -> dict[str, Any]:
    name = service_name(number)
    return {
        "function": f"f{number % FUNCTIONS:04}",
        "engine": {
            "role": "continuity.dr.engine_postgresql",
            "cluster": f"15/{name}",
            "port": 6000 + number // MACHINES,
        },
        "members": machines(number),
        "endpoints": [
            {
                "role": "continuity.dr.endpoint_rfc2136",
                "name": f"{name}.shop.example.",
                "zone": "shop.example.",
                "servers": ["198.51.100.253"],
                "ttl": "5s",
                "key": {"name": "continuity", "secret": "{{ key_of_the_zone }}"},
            }
        ],
        "fence": {"role": "continuity.dr.fence_systemd"},
    }


def run(run_id: str) -> dict[str, Any]:
    """What a verb writes of itself at its beginning, as far as a report needs it."""
    service = {
        "function": "f0000",
        "tier": 1,
        "objectives": {"rto_seconds": 3600.0, "rpo_seconds": 300.0, "mtpd_seconds": 28800.0},
        "depends_on": [],
        "wave": 1,
        "members": [{"host": host, "site": site} for host, site in zip(machines(0), ("dc1", "dc2"), strict=True)],
        "endpoints": ["s0000.shop.example."],
        "canary": False,
    }
    return {
        "schema": 1,
        "run_id": run_id,
        "verb": "switchover",
        "check_mode": False,
        "operator": "bench",
        "reason": None,
        "started": time.time(),
        "started_monotonic_ns": time.monotonic_ns(),
        "plan": {"id": "large", "title": "large", "environment": "drill", "digest": "", "allowances": {}, "sites": {}},
        "services": {service_name(0): service},
        "inputs": {"scope": "all", "target_site": "dc1", "waive": []},
        "allow_degraded": [],
        "inventory": [],
    }


CASES: tuple[Case, ...] = (Plan(), Report())
