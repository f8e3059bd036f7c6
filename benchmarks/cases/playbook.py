# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook that a user writes today: as articles show it (naive), and tuned for time by somebody who knows how."""

from __future__ import annotations

import json
import time

import harness
from topology import machine

from benchmarks import commands, places, shells
from benchmarks.case import Acted, Case
from benchmarks.places import ADDRESSES, LINKS, Place
from benchmarks.where import HERE, LAB, STATE

PORT = 5446
PAIR = Place({"bench1": PORT, "bench2": PORT})
SCRIPT = "/opt/continuity-bench/playbook.sh"
OLD, NEW = "bench1", "bench2"
KILL = 'kill -KILL "$(head -1 /var/lib/postgresql/15/playbook/postmaster.pid)"'
NAIVE: dict[str, object] = {"ansible_ssh_pipelining": False}
TUNED: dict[str, object] = {"ansible_ssh_pipelining": True, "ansible_ssh_timeout": 3}


class Playbook(Case):
    """A pair of its own, moved from dc1 to dc2."""

    place = PAIR

    def __init__(self, style: str, condition: str, title: str) -> None:
        self.name, self.title = f"playbook_{style}_{condition}", title
        self.style, self.condition = style, condition
        self.floor = "floor_planned" if condition == "planned" else "floor_killed"
        self.killer: shells.Shell | None = None
        self.settings: dict[str, object] = NAIVE if style == "naive" else TUNED

    def prepare(self) -> None:
        """A standby that streams; a name that points at its primary."""
        make()
        places.point(OLD)
        self.inventory = write_inventory(self.settings)
        self.killer = shells.shell(OLD) if self.condition == "killed" else None

    def act(self) -> Acted:
        """The fault, where there is one, and the playbook at once."""
        if self.condition == "killed" and self.killer is not None:
            self.killer.ask(KILL)
        elif self.condition == "host_gone":
            commands.docker("kill", f"continuity-lab-{OLD}")
        playbook = HERE / "playbooks" / f"{self.style}_{'planned' if self.condition == 'planned' else 'unplanned'}.yml"
        began = time.monotonic_ns()
        ran = commands.ansible(["ansible-playbook", "-i", str(self.inventory), str(playbook)])
        return Acted(began, ran.seconds, controller=ran.controller)

    def clean(self) -> None:
        """Neither server runs between its cases."""
        if self.killer is not None:
            self.killer.close()
        if self.condition == "host_gone":
            commands.boot(OLD)
        stop()


def make() -> None:
    """The pair from nothing: a playbook leaves an old primary that must not start as a second one."""
    harness.inside(OLD, f"sh {SCRIPT} primary")
    harness.inside(NEW, f"sh {SCRIPT} standby {LINKS[OLD]}")
    PAIR.wait_healthy(20)


def stop() -> None:
    """Stop both."""
    for each in PAIR.ports:
        harness.inside(each, "systemctl stop postgresql@15-playbook.service", check=False)


def write_inventory(settings: dict[str, object]) -> str:
    """The inventory of such a playbook's author: who is primary stands in it, as it does in theirs."""
    ssh = (
        f"-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={STATE}/known_hosts"
        " -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    )
    shared = {
        "ansible_user": "continuity",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(LAB.parents[1] / "build" / "lab" / "id_ed25519"),
        "ansible_ssh_args": ssh,
        "new_address": ADDRESSES[NEW],
        "old_address": LINKS[OLD],
        "name_server": machine("ns0").addresses["link"],
        "record": places.NAME,
        "port": PORT,
        **settings,
    }
    groups = {
        role: {"hosts": {name: {"ansible_host": ADDRESSES[name]}}}
        for role, name in (("old_primary", OLD), ("new_primary", NEW))
    }
    path = STATE / "hosts.json"
    path.write_text(json.dumps({"all": {"vars": shared, "children": groups}}, indent=1), encoding="utf-8")
    return str(path)


CASES: tuple[Case, ...] = (
    Playbook("naive", "planned", "playbook as articles show it, planned"),
    Playbook("tuned", "planned", "playbook tuned for time, planned"),
    Playbook("naive", "killed", "playbook as articles show it, after kill -9, started at once"),
    Playbook("tuned", "killed", "playbook tuned for time, after kill -9, started at once"),
    Playbook("naive", "host_gone", "playbook as articles show it, whole host gone, started at once"),
    Playbook("tuned", "host_gone", "playbook tuned for time, whole host gone, started at once"),
)
