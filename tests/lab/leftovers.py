# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take the lab down, and fail where something of it is left on this machine. The image stays, as `lab.py down` says.

What the lab is made of is noted before: containers, networks, volumes. Afterwards each is looked for where the machine
itself keeps it, and not only by asking the engine: that may have been stopped with the lab.
"""

from __future__ import annotations

import ipaddress
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import containers
import docker
import engine
import harness
import image
from docker.models.networks import Network
from topology import NETWORKS, PREFIX, STATE

#: Where the lab could leave files outside build/. The lock of `lab.py` stays: another command may be waiting for it.
ELSEWHERE = [*(Path(folder, f"{PREFIX}*") for folder in (tempfile.gettempdir(), "/run")), Path("/var/lib/continuity*")]
LOCK = "continuity-lab.lock"


@dataclass(frozen=True)
class Parts:
    """What the lab is made of, by the names under which the machine knows it."""

    containers: tuple[str, ...]
    bridges: tuple[str, ...]
    volumes: tuple[str, ...]
    root: Path


def parts(client: docker.DockerClient) -> Parts:
    """Note what is there now."""
    boxes = client.containers.list(all=True, filters={"label": containers.LABEL})
    mounts = [mount for box in boxes for mount in box.attrs["Mounts"] if mount["Type"] == "volume"]
    return Parts(
        containers=tuple(box.id or "" for box in boxes),
        bridges=tuple(bridge(network) for network in client.networks.list(filters={"label": PREFIX})),
        volumes=tuple(mount["Name"] for mount in mounts),
        root=Path(client.info()["DockerRootDir"]),
    )


def bridge(network: Network) -> str:
    """The interface of a network."""
    options = network.attrs["Options"] or {}
    return str(options.get("com.docker.network.bridge.name") or f"br-{network.short_id}")


def said(*words: str) -> str:
    """What a program of the machine says; nothing where it is not installed."""
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def routes() -> Iterator[ipaddress.IPv4Network]:
    """Where this machine sends packets, but for its default route."""
    for line in Path("/proc/net/route").read_text(encoding="utf-8").splitlines()[1:]:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[place]), sys.byteorder) for place in (1, 7))
        if mask:
            yield ipaddress.ip_network((destination, bin(mask).count("1")))


def left(before: Parts) -> Iterator[str]:
    """One line for each thing that is left."""
    yield from (f"interface {name}" for name in before.bridges if Path("/sys/class/net", name).exists())
    rules = said("iptables-save").splitlines()
    for name, subnet in NETWORKS.items():
        network = ipaddress.ip_network(subnet)
        yield from (f"route of {name}: {route}" for route in routes() if route.overlaps(network))
        yield from (f"packet rule of {name}: {line}" for line in rules if subnet in line)
    mounted = Path("/proc/mounts").read_text(encoding="utf-8")
    yield from (f"mount of container {identity}" for identity in before.containers if identity in mounted)
    for one in before.containers:
        yield from (f"process group: {path}" for path in Path("/sys/fs/cgroup").rglob(f"*{one}*"))
    folders = [*(("containers", one) for one in before.containers), *(("volumes", one) for one in before.volumes)]
    yield from (f"{kind}: {one}" for kind, one in folders if (before.root / kind / one).exists())
    elsewhere = [path for one in ELSEWHERE for path in one.parent.glob(one.name) if path.name != LOCK]
    yield from (f"file: {path}" for path in (*elsewhere, STATE) if path.exists())
    yield from _known_to_the_engine()


def _known_to_the_engine() -> Iterator[str]:
    """What an engine still lists, where one answers."""
    try:
        client = engine.connect(start=False)
    except engine.LabError:
        return
    known: list[Any] = [*client.containers.list(all=True, filters={"name": PREFIX})]
    known += client.networks.list(names=[PREFIX])
    known += client.volumes.list(filters={"name": PREFIX})
    yield from (f"the engine still has {one.name}" for one in known)
    images = [tag for one in client.images.list(image.REPOSITORY) for tag in one.tags if tag != image.tag()]
    yield from (f"image {name}, which is not the present one" for name in images)


def main() -> int:
    """Take the lab down and look; return the exit code."""
    before = parts(engine.connect(start=False))
    if not before.containers or not before.bridges:
        print("no lab is up: nothing could be left, and nothing would be proven. Run `make lab` first.")
        return 1
    print(harness.lab("down"))
    found = list(left(before))
    print("\n".join(found) if found else f"nothing is left of {len(before.containers)} machines but the image")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
