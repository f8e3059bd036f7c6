# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fence a service by its systemd units: stopped, masked (so it stays stopped over a reboot), and read back."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, guarded

#: Stopped and masked: nothing starts it but an operator who unmasks it, not even a reboot.
ACTIVE = ("active", "activating", "deactivating", "reloading")

_ROOT = '\nroot="sudo -n"; [ "$(id -u)" != 0 ] || root=\n'


@dataclass(frozen=True)
class UnitState:
    """What systemd says of one unit."""

    unit: str
    load: str
    active: str
    processes: int

    @property
    def fenced(self) -> bool:
        """Masked, not active, and no process of it is left."""
        return self.load == "masked" and self.active not in ACTIVE and self.processes == 0

    def __str__(self) -> str:
        return f"{self.unit} is {self.load}, {self.active}, {self.processes} processes"


@dataclass(frozen=True)
class Proof:
    """What was read back from the machine itself."""

    units: tuple[UnitState, ...]
    listening: tuple[int, ...]

    @property
    def fenced(self) -> bool:
        """Every unit is fenced and nobody listens on the service's ports; of no units nothing is proven."""
        return bool(self.units) and all(unit.fenced for unit in self.units) and not self.listening

    @property
    def masked(self) -> bool:
        """Something keeps a unit from starting."""
        return any(unit.load == "masked" for unit in self.units)

    def __str__(self) -> str:
        ports = f"; still listening: {', '.join(map(str, self.listening))}" if self.listening else ""
        return "; ".join(str(unit) for unit in self.units) + ports


def fence_script(service: str, lease: Lease | None, units: Sequence[str], ports: Sequence[int], seconds: int) -> str:
    """Mask first, so nothing can start it again, then stop, then kill what did not stop."""
    lines = []
    for unit in map(shlex.quote, units):
        lines += [
            # A name that no unit has can be masked as well: it would look fenced, and another unit would serve
            f"case $(systemctl show -p LoadState --value {unit}) in masked|not-found) ;; *) echo @@changed; "
            f"$root /usr/bin/systemctl mask {unit} >/dev/null 2>&1;; esac",
            f"case $(systemctl show -p ActiveState --value {unit}) in inactive|failed) ;; *) echo @@changed; "
            f"timeout -k 1 {int(seconds)} $root /usr/bin/systemctl stop {unit} </dev/null >/dev/null 2>&1 || "
            f"$root /usr/bin/systemctl kill --signal=KILL {unit} </dev/null;; esac",
        ]
    return guarded(lease, service, _ROOT + "\n".join(lines) + "\n" + _read_back(units, ports, wait=True))


def prove_script(units: Sequence[str], ports: Sequence[int]) -> str:
    """Only look."""
    return _read_back(units, ports, wait=False)


def release_script(service: str, lease: Lease | None, units: Sequence[str], ports: Sequence[int]) -> str:
    """Unmask; the units stay stopped until somebody starts them."""
    lines = [
        f'[ "$(systemctl show -p LoadState --value {unit})" != masked ] || {{ echo @@changed; '
        f"$root /usr/bin/systemctl unmask {unit} >/dev/null 2>&1; }}"
        for unit in map(shlex.quote, units)
    ]
    return guarded(lease, service, _ROOT + "\n".join(lines) + "\n" + _read_back(units, ports, wait=False))


def _read_back(units: Sequence[str], ports: Sequence[int], *, wait: bool) -> str:
    """Every process of the unit's control group must be gone; a killed server's children need a moment."""
    names = " ".join(map(shlex.quote, units))
    hexed = "|".join(f":{port:04X}$" for port in ports) or "^$"
    settle = (
        f"turns=0; while [ $turns -lt 100 ]; do busy=; for u in {names}; do "
        'case $(systemctl show -p ActiveState --value "$u") in '
        "active|activating|deactivating|reloading) busy=1;; esac; done; "
        '[ -n "$busy" ] || break; turns=$((turns + 1)); sleep 0.05; done\n'
    )
    return (
        (settle if wait else "")
        + f"""
for u in {names}; do
  group=$(systemctl show -p ControlGroup --value "$u"); count=0
  for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup; do
    [ -n "$group" ] && [ -r "$tree$group/cgroup.procs" ] && {{ count=$(wc -l < "$tree$group/cgroup.procs"); break; }}
  done
  printf '@@unit %s %s %s %s\\n' "$u" "$(systemctl show -p LoadState --value "$u")" \\
    "$(systemctl show -p ActiveState --value "$u")" "$count"
done
echo "@@listening" $(awk '$4 == "0A" {{ print $2 }}' /proc/net/tcp /proc/net/tcp6 2>/dev/null |
  grep -Eo '({hexed})' | tr -d : | sort -u)
"""
    )


def parse(stdout: str, units: Sequence[str]) -> Proof:
    """Read what the scripts print of ``units``; one of which nothing was read is unknown, and so is no proof.

    >>> parse("@@unit db.service masked inactive 0\\n@@listening", ["db.service"]).fenced
    True
    """
    said: dict[str, UnitState] = {}
    listening: list[int] | None = None
    for line in stdout.splitlines():
        fields = line.split()
        if fields[:1] == ["@@unit"] and len(fields) == 5 and fields[4].isdigit():
            said[fields[1]] = UnitState(fields[1], fields[2], fields[3], int(fields[4]))
        elif fields[:1] == ["@@listening"]:
            listening = [int(port, 16) for port in fields[1:]]
    if listening is None:  # the last line: the answer was cut off before it
        return Proof((), ())
    return Proof(tuple(said.get(unit, UnitState(unit, "unknown", "unknown", 0)) for unit in units), tuple(listening))


def sudo_rules(units: Sequence[str], login: str) -> list[str]:
    """The sudoers lines that fencing these units needs."""
    verbs = (["mask"], ["unmask"], ["stop"], ["kill", "--signal\\=KILL"])
    names = ["".join(f"\\{c}" if c in ",:=\\" else c for c in unit) for unit in units]
    return [
        f"{login} ALL=(root) NOPASSWD: /usr/bin/systemctl {' '.join(verb)} {name}" for name in names for verb in verbs
    ]
