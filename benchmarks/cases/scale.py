# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many services at once: one verb moves 1, 10 or 50 of them, in waves; its wall time, and each service's own outage.

Small clusters of their own on the benchmarks' pair, with a zone of their own, and one process that is a client of each
of them, five rows a second: more would be most of the load on the machine that is measured, and the verb runs without
canaries for the same reason. So an outage is known to a fifth of a second. Each repetition moves them to the other
site.

The controller takes `FORKS` services at once. With as many forks as services fifty walks share the processors, each
command takes seconds, and the members' answers come too late.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import credentials
import harness
import yaml

from benchmarks import commands, figures, load
from benchmarks.case import Acted, Case
from benchmarks.places import ADDRESSES, LINKS, NotReady
from benchmarks.where import LAB, STATE

FIRST, SECOND, ARBITER = "bench1", "bench2", "bench0"
SITES = {FIRST: "dc1", SECOND: "dc2"}
MOST = 50
WAVES = 3
ZONE = "scale.example."
SCRIPT = "/opt/continuity-bench/scale.sh"
UNIT = "bench-zone.service"
START_SECONDS = 60.0
LIMIT_SECONDS = 900.0
FORKS = 4 * (os.cpu_count() or 1)
ROWS_A_SECOND = 5.0
WARM_SECONDS = 2.0  # ten rows, served without a failure
SERVED_SECONDS = 60.0


class Scale(Case):
    """So many services, moved by one command."""

    measure = "wall_seconds"
    floor = "continuity_scale_1"
    clients: load.Clients | None = None

    def __init__(self, count: int) -> None:
        self.count = count
        self.name = f"continuity_scale_{count}"
        waves = f" in {WAVES} waves" if count >= WAVES else ""
        self.title = f"continuity.dr switchover of {count} service{'s' if count > 1 else ''}{waves}"

    def prepare(self) -> None:
        """All of them healthy, with their primaries in one site."""
        folder = STATE / "scale"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hosts.yml").write_text(yaml.safe_dump(hosts()), encoding="utf-8")
        (folder / "plan.yml").write_text(yaml.safe_dump(plan(self.count), sort_keys=False), encoding="utf-8")
        try:
            self.start()
            if len(set(wait_streaming(self.count))) > 1:  # a case of fewer services has moved some of them
                self.move(FIRST)
            self.primary = wait_placed(self.count)
        except (NotReady, commands.CommandFailed, AssertionError):
            make()
            self.start()
            self.primary = wait_placed(self.count)

    def start(self) -> None:
        """The zone and both servers of each service."""
        harness.inside(ARBITER, f"systemctl start {UNIT}")
        for machine in SITES:
            harness.inside(machine, f"sh {SCRIPT} start {self.count}")

    def act(self) -> Acted:
        """To the other site."""
        run_id = f"scale-{time.time_ns()}"
        ledgers = self.write(run_id)
        began = time.monotonic_ns()
        ran = self.move(next(machine for machine in SITES if machine != self.primary))
        placed = wait_placed(self.count)
        if placed == self.primary:
            raise NotReady(f"the services are still on {placed}")
        for ledger in ledgers.values():
            load.wait_served(ledger, ADDRESSES[placed], SERVED_SECONDS, WARM_SECONDS, since_ns=began)
        self.write_no_more()
        rows = {name: load.read(ledger) for name, ledger in ledgers.items()}
        outages, lost = judged(rows, surviving(placed, run_id, self.count), began)
        return Acted(began, ran.seconds, controller=ran.controller, outages=outages, lost=lost)

    def move(self, machine: str) -> commands.Ran:
        """One command for all of them; those that are there already stay."""
        folder = STATE / "scale"
        words = harness.command(
            "switchover",
            f"target_site={SITES[machine]}",
            "scope=all-of-them",
            f"continuity_runs_dir={commands.RUNS}",
            plan=folder / "plan.yml",
            hosts=folder / "hosts.yml",
        )
        return commands.ansible([*words, "--forks", str(FORKS)], limit_seconds=LIMIT_SECONDS, watched=True)

    def write(self, run_id: str) -> dict[str, Path]:
        """A client for each service, and each of them served; their ledgers."""
        made = {name: load.client(f"{run_id}-{name}", login(name), ROWS_A_SECOND, []) for name in names(self.count)}
        for _ledger, settings in made.values():
            settings["run_id"] = run_id
        self.clients = load.Clients([settings for _ledger, settings in made.values()])
        self.clients.start()
        ledgers = {name: ledger for name, (ledger, _settings) in made.items()}
        for ledger in ledgers.values():
            load.wait_served(ledger, ADDRESSES[self.primary], SERVED_SECONDS, WARM_SECONDS)
        return ledgers

    def write_no_more(self) -> None:
        """End the clients."""
        if self.clients is not None:
            self.clients.stop()
            self.clients = None

    def clean(self) -> None:
        """None of them runs outside its case."""
        try:
            self.write_no_more()
        finally:
            for machine in SITES:
                harness.inside(machine, f"sh {SCRIPT} stop {MOST}", check=False)
            harness.inside(ARBITER, f"systemctl stop {UNIT}", check=False)


def make() -> None:
    """All clusters from nothing, and the zone: some minutes, once."""
    lines = [f"$TTL 5\n@ SOA ns hostmaster 1 5 1 3600 5\n@ NS ns\nns A {ADDRESSES[ARBITER]}\n"]
    lines += [f"s{number:02} A {ADDRESSES[FIRST]}\n" for number in range(1, MOST + 1)]
    zone = "".join(lines)
    path = "/var/lib/bind/scale.example.zone"
    script = f"systemctl stop {UNIT}; rm -f {path}*; cat > {path} <<'ZONE'\n{zone}ZONE\nchown bind:bind {path}"
    harness.inside(ARBITER, script)
    harness.inside(FIRST, f"sh {SCRIPT} primary {MOST}")
    harness.inside(SECOND, f"sh {SCRIPT} standby {MOST} {LINKS[FIRST]}")


def wait_placed(count: int) -> str:
    """The machine that has all primaries, each with its standby. Raises NotReady when there is none within a minute."""
    found = set(wait_streaming(count))
    if len(found) != 1:
        raise NotReady(f"the primaries of {count} services are spread over {', '.join(sorted(found))}")
    return found.pop()


def wait_streaming(count: int) -> list[str]:
    """The machine of each service's primary, with its standby. Raises NotReady when not all are there in a minute."""
    until = time.monotonic() + START_SECONDS
    while True:
        states = {machine: harness.inside(machine, f"sh {SCRIPT} state {count}", False).split() for machine in SITES}
        found = primaries(states, count)
        if None not in found:
            return [machine for machine in found if machine]
        if time.monotonic() > until:
            raise NotReady(f"not all of {count} services have a primary with a standby: {states}")
        time.sleep(0.5)


def primaries(states: Mapping[str, Sequence[str]], count: int) -> list[str | None]:
    """By service the one machine whose server has a standby; None where there is none, or two, or no answer of all."""
    if any(len(seen) != count for seen in states.values()):
        return [None] * count
    found = [[machine for machine, seen in states.items() if seen[at] == "streaming"] for at in range(count)]
    return [machines[0] if len(machines) == 1 else None for machines in found]


def names(count: int) -> list[str]:
    """Of so many services."""
    return [f"s{number:02}" for number in range(1, count + 1)]


def login(name: str) -> dict[str, Any]:
    """Where the client of one service goes and as whom."""
    return {
        "name": f"{name}.{ZONE}",
        "database": "postgres",
        "role": "canary",
        "port": 6000 + int(name[1:]),
        "resolvers": [ADDRESSES[ARBITER]],
    }


def surviving(machine: str, run_id: str, count: int) -> dict[str, list[int]]:
    """The rows of a run in each service's table, asked by another program than the one that wrote them."""
    lines = harness.inside(machine, f"sh {SCRIPT} rows {count} {run_id}").splitlines()
    return {
        name: [int(word) for word in line.split(",") if word != "-"]
        for name, line in zip(names(count), lines, strict=True)
    }


def judged(
    rows: Mapping[str, Sequence[figures.Row]], there: Mapping[str, Sequence[int]], began_ns: int
) -> tuple[dict[str, float], int]:
    """Each service's own outage, and how many acknowledged rows all of them lost."""
    outages = {name: figures.longest_gap(written, began_ns) for name, written in rows.items()}
    return outages, sum(figures.lost(written, there[name]) for name, written in rows.items())


def hosts() -> dict[str, Any]:
    """The two machines, as an inventory has them."""
    ssh = (
        f"-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={STATE}/known_hosts"
        " -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    )
    shared = {
        "ansible_user": "continuity",
        "ansible_ssh_private_key_file": str(LAB.parents[1] / "build" / "lab" / "id_ed25519"),
        "ansible_ssh_args": ssh,
        "ansible_ssh_pipelining": True,
        "ansible_ssh_timeout": 3,
    }
    sites = {site: {"hosts": {machine: {"ansible_host": ADDRESSES[machine]}}} for machine, site in SITES.items()}
    return {"machines": {"vars": shared, "children": sites}}


def plan(count: int) -> dict[str, Any]:
    """A plan of so many services; each third of them depends on the third before it."""
    third = -(-count // WAVES)
    services = {}
    for number in range(1, count + 1):
        service = _service(number)
        wave = (number - 1) // third
        if wave and count >= WAVES:
            service["depends_on"] = [f"s{number - third:02}"]
        services[f"s{number:02}"] = service
    return {
        "plugin": "continuity.dr.plan",
        "plan": {"id": "scale", "title": "Many services", "environment": "drill", "owner": "bench", "version": "1"},
        "sites": {
            "dc1": {"use": "preferred", "group": "dc1"},
            "dc2": {"use": "recovery", "standby": "hot", "group": "dc2"},
        },
        "functions": {
            "all-of-them": {
                "title": "All of them",
                "tier": 1,
                "owner": "bench",
                "objectives": {"rto": "1h", "rpo": "5m", "mtpd": "8h"},
            }
        },
        "services": services,
    }


def _service(number: int) -> dict[str, Any]:
    name = f"s{number:02}"
    key = {"name": "continuity", "algorithm": "hmac-sha256", "secret": credentials.secret("tsig_continuity")}
    return {
        "function": "all-of-them",
        "engine": {
            "role": "continuity.dr.engine_postgresql",
            "cluster": f"15/{name}",
            "port": 6000 + number,
            "replication": {"user": "replicator"},
        },
        "members": [{"host": machine, "replication_address": LINKS[machine]} for machine in SITES],
        "endpoints": [
            {
                "role": "continuity.dr.endpoint_rfc2136",
                "name": f"{name}.{ZONE}",
                "zone": ZONE,
                "type": "A",
                "servers": [ADDRESSES[ARBITER]],
                "authoritative": [ADDRESSES[ARBITER]],
                "ttl": "5s",
                "key": key,
            }
        ],
        "fence": {"role": "continuity.dr.fence_systemd"},
    }


CASES: tuple[Case, ...] = (Scale(1), Scale(10), Scale(MOST))
