# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take the lab down, and fail where something of it is left on this machine. The image stays, as `lab.py down` says.

What the lab is made of is noted before: containers, networks, volumes. Afterwards each is looked for where the machine
itself keeps it, and not only by asking the engine: that may have been stopped with the lab.
"""

from __future__ import annotations

import json
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
from topology import NETWORKS, PREFIX, STATE

#: Where the lab could leave files outside build/. The lock of `lab.py` stays: another command may be waiting for it.
ELSEWHERE = [Path(tempfile.gettempdir()), Path("/var/lib"), Path("/run"), Path("/etc/docker")]
LOCK = "continuity-lab.lock"


@dataclass(frozen=True)
class Parts:
    """What the lab is made of, by the names under which the machine knows it."""

    containers: tuple[str, ...]
    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    root: Path

    @property
    def bridges(self) -> list[str]:
        """The interfaces of the networks."""
        return [f"br-{identity[:12]}" for identity in self.networks]


def parts(client: docker.DockerClient) -> Parts:
    """Note what is there now."""
    boxes = client.containers.list(all=True, filters={"label": containers.LABEL})
    mounts = [mount for box in boxes for mount in box.attrs["Mounts"] if mount["Type"] == "volume"]
    return Parts(
        containers=tuple(box.id or "" for box in boxes),
        networks=tuple(network.id or "" for network in client.networks.list(filters={"label": PREFIX})),
        volumes=tuple(mount["Name"] for mount in mounts),
        root=Path(client.info()["DockerRootDir"]),
    )


def said(*words: str) -> str:
    """What a program of the machine says; nothing where it is not installed."""
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def left(before: Parts) -> Iterator[str]:
    """One line for each thing that is left."""
    addresses = said("ip", "-json", "address"), said("ip", "route", "show", "table", "all")
    links = [link["ifname"] for link in json.loads(addresses[0] or "[]")]
    yield from (f"interface {name}" for name in before.bridges if name in links)
    for name, subnet in NETWORKS.items():
        stem = subnet.rsplit(".", 1)[0] + "."
        yield from (f"route of {name}: {line}" for line in addresses[1].splitlines() if stem in line)
        rules = said("iptables-save").splitlines()
        yield from (f"packet rule of {name}: {line}" for line in rules if subnet in line)
    mounted = Path("/proc/mounts").read_text(encoding="utf-8")
    yield from (f"mount of container {identity}" for identity in before.containers if identity in mounted)
    for one in before.containers:
        yield from (f"process group: {path}" for path in Path("/sys/fs/cgroup").rglob(f"*{one}*"))
    folders = [*(("containers", one) for one in before.containers), *(("volumes", one) for one in before.volumes)]
    yield from (f"{kind}: {one}" for kind, one in folders if (before.root / kind / one).exists())
    elsewhere = [path for folder in ELSEWHERE for path in folder.glob("continuity*") if path.name != LOCK]
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
    yield from (f"the engine still has {one.name}" for one in known)
    images = [tag for one in client.images.list(image.REPOSITORY) for tag in one.tags if tag != image.tag()]
    yield from (f"image {name}, which is not the present one" for name in images)


def main() -> int:
    """Take the lab down and look; return the exit code."""
    before = parts(engine.connect(start=False))
    if not before.containers or not before.networks:
        print("no lab is up: nothing could be left, and nothing would be proven. Run `make lab` first.")
        return 1
    print(harness.lab("down"))
    found = list(left(before))
    print("\n".join(found) if found else f"nothing is left of {len(before.containers)} machines but the image")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
