# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many services at once: one verb moves 1, 10 or 50 of them, in waves, and its wall time is what counts.

Small clusters of their own on the benchmarks' pair, with a zone of their own; without canaries, since fifty clients
on the machine that is measured would be most of the load. Each repetition moves them to the other site.
"""

from __future__ import annotations

import time
from typing import Any

import credentials
import harness
import yaml

from benchmarks import commands
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


class Scale(Case):
    """So many services, moved by one command."""

    measure = "wall_seconds"
    floor = "continuity_scale_1"

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
            self.primary = wait_placed(self.count)
        except (NotReady, AssertionError):
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
        target = next(site for machine, site in SITES.items() if machine != self.primary)
        folder = STATE / "scale"
        words = harness.command(
            "switchover",
            f"target_site={target}",
            "scope=all-of-them",
            f"continuity_runs_dir={commands.RUNS}",
            plan=folder / "plan.yml",
            hosts=folder / "hosts.yml",
        )
        began = time.monotonic_ns()
        seconds = commands.ansible([*words, "--forks", str(MOST)])
        placed = wait_placed(self.count)
        if placed == self.primary:
            raise NotReady(f"the services are still on {placed}")
        return Acted(began, seconds)

    def clean(self) -> None:
        """None of them runs outside its case."""
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
    until = time.monotonic() + START_SECONDS
    while True:
        states = {machine: harness.inside(machine, f"sh {SCRIPT} state {count}", False).split() for machine in SITES}
        for machine, seen in states.items():
            if seen == ["streaming"] * count:
                return machine
        if time.monotonic() > until:
            raise NotReady(f"not all of {count} services have a primary in one site, with a standby: {states}")
        time.sleep(0.5)


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
