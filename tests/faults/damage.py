# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The faults that random schedules are made of, injected and healed past Ansible, in a moment, however often.

They are those of tests/lab/faults: a fault file tells a drill what it did, a schedule only needs it done.
"""

from __future__ import annotations

import subprocess
from collections.abc import Container, Iterable

import harness
import topology
from say import LabError, wait

MEMBERS = tuple(known.name for known in topology.members())
NAME_SERVERS = tuple(known.name for known in topology.name_servers())
LINK = "203.0.113.128/26"
#: The machines whose packets of the link vanish where a site is cut off.
CUT = {"dc1": ("db1", "ns1"), "dc2": ("db2", "ns2")}
#: Where each fault may happen; roles are those of the moment.
PLACES: dict[str, tuple[str, ...]] = {
    "link_cut": tuple(CUT),
    "member_killed": ("primary", "replica"),
    "member_paused": ("primary", "replica"),
    "primary_crashed": ("primary",),
    "name_server_stopped": NAME_SERVERS,
}
BOOT_SECONDS = 30.0
TIMELINE = "select ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int"


class Roles:
    """Which member is primary, as last seen: one that is dead or silent was it all the same."""

    def __init__(self, service: str) -> None:
        self._cluster = next(one for one in topology.CLUSTERS if one.service == service)
        self._primary = topology.PRIMARY

    def resolved(self, where: str) -> str:
        """A role as the member that has it, `away` and `stay` as the site; anything else as it is."""
        if where not in ("primary", "replica", "away", "stay"):
            return where
        seen = harness.writable(self._cluster.ports, self._cluster.database)
        self._primary = seen[0] if len(seen) == 1 else self._primary
        other = next(member for member in MEMBERS if member != self._primary)
        member = self._primary if where in ("primary", "stay") else other
        return (
            next(site for site, machines in CUT.items() if member in machines) if where in ("away", "stay") else member
        )

    def timeline(self) -> int:
        """The timeline of the primary: a promotion is one more. LabError where not exactly one takes writes."""
        seen = harness.writable(self._cluster.ports, self._cluster.database)
        if len(seen) != 1:
            raise LabError(f"{self._cluster.service}: not one primary but {len(seen)} at the end")
        return int(harness.sql(seen[0], self._cluster.ports[seen[0]], TIMELINE))


def inject(name: str, where: str, service: str) -> bool:
    """Whether there was anything to break: what lies down already is left alone."""
    if name == "link_cut":
        done = [_link(machine, "--insert") for machine in CUT[where]]  # each of them, whatever one says
        return all(done)
    if state(where) != "running":
        return False
    if name == "primary_crashed":
        return _crash(where, _unit(service))
    if name == "name_server_stopped":
        harness.inside(where, f"systemctl stop {_name_server(where)}")
        return True
    _docker({"member_killed": "kill", "member_paused": "pause"}[name], where)
    return True


def superseded(service: str, members: Iterable[str] = MEMBERS) -> list[str]:
    """The members that have no power while another one takes writes: a fence, or their death, was followed by a
    promotion. Who switches one on by hand starts a second primary (docs/fencing.md): rejoin does it."""
    cluster = next(one for one in topology.CLUSTERS if one.service == service)
    serving = harness.writable(cluster.ports, cluster.database)
    return [member for member in members if state(member) in ("exited", "dead") and set(serving) - {member}]


def heal(name: str, where: str, service: str) -> bool:
    """Take a fault back; True also where it was not there. A crashed server is started, unless it was fenced."""
    if name == "link_cut":
        for machine in CUT[where]:
            _link(machine, "--delete")
    elif name == "primary_crashed":
        if state(where) == "running":
            _start(where, _unit(service))
    elif name == "name_server_stopped":
        harness.inside(where, f"systemctl start {_name_server(where)}")
    else:
        _awake(where)
    return True


def heal_all(service: str, replicas: Container[str] = ()) -> None:
    """Every machine runs and answers, every packet passes, every name server serves, every server that may runs.

    But for members that lost their power as a primary, and are `superseded`; `replicas` did not.
    """
    for machine in (*MEMBERS, *NAME_SERVERS):
        if state(machine) == "paused":
            _awake(machine)
    for server in NAME_SERVERS:
        _awake(server)
        harness.inside(server, f"systemctl start {_name_server(server)}")
    for machine in (*CUT["dc1"], *CUT["dc2"]):
        if state(machine) == "running":
            _link(machine, "--delete")
    for member in MEMBERS:  # who runs first: whether it serves decides what may be switched on
        if state(member) == "running":
            _start(member, _unit(service))
    left = [member for member in superseded(service) if member not in replicas]
    for member in MEMBERS:
        if state(member) != "running" and member not in left:
            _awake(member)
            _link(member, "--delete")
            _start(member, _unit(service))


def reset() -> None:
    """The healthy lab, also where a schedule was broken off."""
    for machine in (*MEMBERS, *NAME_SERVERS):
        _awake(machine)
    harness.lab("reset")
    start_at_boot(True)


def start_at_boot(starts: bool) -> None:
    """Whether the members' databases start when their machines boot."""
    how = "auto" if starts else "manual"
    names = " ".join(one.unit.removesuffix(".service").partition("-")[2] for one in topology.CLUSTERS)
    script = f"for name in {names}; do echo {how} > /etc/postgresql/15/$name/start.conf; done; systemctl daemon-reload"
    for member in MEMBERS:
        harness.inside(member, script)


def state(machine: str) -> str:
    """running, paused, exited: what Docker says."""
    return _docker("container", "inspect", "--format", "{{.State.Status}}", machine)


def _awake(machine: str) -> None:
    """Thaw or boot a machine and wait for its sshd."""
    how = state(machine)
    if how == "paused":
        _docker("unpause", machine)
    elif how != "running":
        _docker("start", machine)
        wait(f"{machine} boots", lambda: _boots(machine), BOOT_SECONDS)


def _boots(machine: str) -> bool:
    probe = "systemctl is-active --quiet ssh.service && systemctl is-system-running 2>/dev/null || true"
    return harness.inside(machine, probe, check=False) in ("running", "degraded")


def _link(machine: str, flag: str) -> bool:
    """Cut or mend the link at one machine; whether it is as it shall be then."""
    if state(machine) != "running":
        return False  # it forgets a cut when it boots
    rules = (f"INPUT --source {LINK} --jump DROP", f"OUTPUT --destination {LINK} --jump DROP")
    wanted = {"--insert": "iptables --check {0} 2>/dev/null || iptables --insert {0}"}
    script = wanted.get(flag, "while iptables --check {0} 2>/dev/null; do iptables --delete {0}; done")
    harness.inside(machine, "\n".join(script.format(rule) for rule in rules))
    return True


def _crash(member: str, unit: str) -> bool:
    script = (
        f'pid=$(systemctl show --property=MainPID --value {unit}); [ "$pid" -gt 1 ] && kill -KILL "$pid" && echo killed'
    )
    return harness.inside(member, script, check=False) == "killed"


def _start(member: str, unit: str) -> None:
    masked = f'[ "$(systemctl show --property=LoadState --value {unit})" = masked ]'
    harness.inside(member, f"{masked} || systemctl start {unit} || true")


def _unit(service: str) -> str:
    return next(one.unit for one in topology.CLUSTERS if one.service == service)


def _name_server(machine: str) -> str:
    return topology.machine(machine).program.unit


def _docker(*words: str) -> str:
    command = ["docker", *words[:-1], f"{topology.PREFIX}-{words[-1]}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()
