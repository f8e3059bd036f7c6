# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Networks and containers: made when missing, started when stopped, made anew when the topology says otherwise."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from docker.models.networks import Network
from say import LabError, step, wait
from topology import HERE, MACHINES, NETWORKS, PREFIX, REPOSITORIES, Machine

LABEL = f"{PREFIX}.made-from"
BOOT_SECONDS = 60.0


def run(container: Container, script: str, check: bool = True) -> tuple[int, str]:
    """Run C(script) as root by C(/bin/sh) inside; exit status and output. With C(check), a failure is a LabError."""
    result = container.exec_run(["/bin/sh", "-c", script])
    output = (result.output or b"").decode(errors="replace").strip()
    if check and result.exit_code != 0:
        raise LabError(f"{container.name}: exit {result.exit_code} from `{script}`:\n{output[-3000:]}")
    return result.exit_code, output


def put(container: Container, folder: str, files: Mapping[str, str]) -> None:
    """Write files below C(folder) of the container, readable by root only: some hold secrets."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            data = content.encode()
            entry = tarfile.TarInfo(f"{folder.strip('/')}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    if not container.put_archive("/", buffer.getvalue()):
        raise LabError(f"{container.name}: could not write to {folder}")


def ensure_networks(client: docker.DockerClient) -> list[str]:
    """Make the lab's networks; what was changed."""
    changes = []
    for name, subnet in NETWORKS.items():
        full = f"{PREFIX}-{name}"
        bridge = f"clab-{name}"
        for known in client.networks.list(names=[f"^{full}$"]):
            attributes = known.attrs
            pools = [pool.get("Subnet") for pool in attributes["IPAM"]["Config"] or []]
            same = pools == [subnet] and attributes["Internal"]
            if same and attributes["Options"].get("com.docker.network.bridge.name") == bridge:
                break
            _remove_network(known)
        else:
            step(f"network {full} {subnet}")
            pool = docker.types.IPAMPool(subnet=subnet)
            # A fixed bridge name: the bridge that a killed engine left behind is taken over, not doubled.
            client.networks.create(
                full,
                driver="bridge",
                internal=True,
                ipam=docker.types.IPAMConfig(pool_configs=[pool]),
                options={"com.docker.network.bridge.name": bridge},
                labels={PREFIX: ""},
            )
            changes.append(full)
    return changes


def ensure_volumes(client: docker.DockerClient) -> list[str]:
    """Make the repositories' volumes; what was made."""
    present = {known.name for known in client.volumes.list(filters={"label": PREFIX})}
    missing = [name for name in REPOSITORIES if name not in present]
    for name in missing:
        client.volumes.create(name, labels={PREFIX: ""})
    return missing


def ensure_containers(client: docker.DockerClient, image: str, machines: Sequence[Machine] = MACHINES) -> list[str]:
    """Bring every container into being and into running; what was changed. All boot at the same time."""
    present = {known.name: known for known in client.containers.list(all=True, filters={"label": LABEL})}
    changes = []
    for machine in machines:
        wanted = _digest(machine, image)
        container = present.get(machine.container)
        if container is not None and (
            container.labels[LABEL] != wanted or container.status not in ("running", "paused", "exited")
        ):
            step(f"{machine.container} is {container.status} and not what it should be; making it anew")
            container.remove(force=True, v=True)
            container = None
        if container is None:
            step(f"container {machine.container} {', '.join(machine.addresses.values())}")
            container = _create(client, machine, image, wanted)
            changes.append(machine.container)
            _repair(client, machine, container)
            continue
        changes += _repair(client, machine, container)
    for machine in machines:
        wait_booted(client.containers.get(machine.container))
    return changes


def wait_booted(container: Container) -> None:
    """Wait until systemd has brought the machine up. A failed unit still counts: the checks that follow name it."""

    def booted() -> bool:
        container.reload()
        if container.status == "exited":
            output = container.logs(tail=20).decode(errors="replace")
            raise LabError(f"{container.name} ended while booting. Its last words:\n{output}")
        return run(container, "systemctl is-system-running", check=False)[1].splitlines()[-1:] in (
            ["running"],
            ["degraded"],
        )

    wait(f"{container.name} boots", booted, BOOT_SECONDS, 0.3)


def existing(client: docker.DockerClient) -> dict[str, Container]:
    """Machine name -> container, for those that exist."""
    present = {box.name: box for box in client.containers.list(all=True, filters={"label": LABEL})}
    return {known.name: present[known.container] for known in MACHINES if known.container in present}


def remove_all(client: docker.DockerClient) -> list[str]:
    """Remove containers, networks and the repositories' volumes; what was removed."""
    removed = []
    for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
        step(f"removing {container.name}")
        container.remove(force=True, v=True)
        removed.append(container.name)
    for network in client.networks.list(filters={"label": PREFIX}):
        _remove_network(network)
        removed.append(network.name)
    for volume in client.volumes.list(filters={"label": PREFIX}):
        volume.remove(force=True)
        removed.append(volume.name)
    return removed


def _remove_network(network: Network) -> None:
    network.reload()
    for identity in network.attrs.get("Containers") or {}:
        network.disconnect(identity, force=True)
    network.remove()


def _repair(client: docker.DockerClient, machine: Machine, container: Container) -> list[str]:
    """Unpause, reconnect and start one container; what was changed."""
    changes = []
    container.reload()
    if container.status == "paused":
        container.unpause()
        changes.append(f"{machine.name} unpaused")
    attached = container.attrs["NetworkSettings"]["Networks"]
    for name, address in machine.addresses.items():
        full = f"{PREFIX}-{name}"
        configured = (attached.get(full, {}).get("IPAMConfig") or {}).get("IPv4Address")
        if configured == address:
            continue
        network = client.networks.get(full)
        if full in attached:
            network.disconnect(container, force=True)
        network.connect(container, ipv4_address=address)
        changes.append(f"{machine.name} connected to {full}")
    if container.status != "running" and container.status != "paused":
        container.start()
        changes.append(f"{machine.name} started")
    return changes


def _create(client: docker.DockerClient, machine: Machine, image: str, digest: str) -> Container:
    """Make the container, attached to its first network."""
    first, address = next(iter(machine.addresses.items()))
    endpoint = client.api.create_endpoint_config(ipv4_address=address)
    api = client.api
    made = api.create_container(
        image,
        name=machine.container,
        hostname=machine.name,
        stop_signal="SIGRTMIN+3",  # what systemd takes for a shutdown
        labels={LABEL: digest, PREFIX: ""},
        host_config=api.create_host_config(**_host_options(machine, client.info()["CgroupVersion"])),
        networking_config=api.create_networking_config({f"{PREFIX}-{first}": endpoint}),
    )
    return client.containers.get(made["Id"])


def _host_options(machine: Machine, cgroup_version: str) -> dict[str, Any]:
    """What systemd needs in a container where --privileged is not to be had."""
    resolv = HERE / machine.kind / "resolv.conf"
    volumes = [f"{volume}:{path}:rw" for volume, path in machine.volumes.items()]
    return {
        "cap_add": ["SYS_ADMIN", "NET_ADMIN"],
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "tmpfs": {"/run": "", "/run/lock": "", "/tmp": "exec,mode=1777"},
        # systemd makes groups below its own: on version 1 and 2 alike it must see the host's tree, writable.
        "binds": [f"{_cgroup_root(cgroup_version)}:/sys/fs/cgroup:rw", f"{resolv}:/etc/resolv.conf:ro", *volumes],
        "cgroupns": "host",
        "shm_size": "256m",
        "restart_policy": {"Name": "no"},
    }


def _cgroup_root(version: str) -> str:
    """The host's tree; on version 1 systemd must find its named hierarchy there."""
    root = Path("/sys/fs/cgroup")
    if version == "1" and root.is_dir() and not (root / "systemd").is_dir():
        raise LabError(
            "This machine has no systemd control group. As root: mkdir /sys/fs/cgroup/systemd &&"
            " mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd"
        )
    return str(root)


def _digest(machine: Machine, image: str) -> str:
    """Of everything that a running container cannot be given afterwards."""
    options = _host_options(machine, "2")
    facts = [image, machine.name, sorted(machine.addresses.items()), next(iter(machine.addresses)), options]
    facts.append(sorted(machine.settings.items()))  # the program that another one takes the place of would stay
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
