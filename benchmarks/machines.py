# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machines of the peers: three more containers in the lab's networks, of the lab's image with the peers in it.

The lab's own members have no Python and no other failover system on purpose, so the peers, and the playbooks of users,
get a pair of their own: the same sites, PostgreSQL and settings. Nothing of theirs runs outside its case.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import containers
import credentials
import docker
import image
from docker.models.containers import Container
from say import LabError, step
from topology import PREFIX, Machine

from benchmarks.where import HERE, LAB, STATE

REPOSITORY = f"{PREFIX}-peers"
PATRONI = "patroni==4.1.5"  # of Debian's own only the dependencies: users of today run a version 4
PACKAGES = (
    *("postgresql-15-repmgr", "pg-auto-failover-cli", "postgresql-15-auto-failover", "etcd-server", "etcd-client"),
    *("python3", "python3-psycopg2", "python3-urllib3", "python3-yaml", "python3-click", "python3-prettytable"),
    *("acl", "python3-psutil", "python3-dateutil", "python3-dnspython", "python3-six", "python3-etcd", "python3-cdiff"),
)
INPUTS = "/opt/continuity-bench"
PEERS = (
    Machine("bench1", "member", {"dc1": "198.51.100.21", "link": "203.0.113.141"}),
    Machine("bench2", "member", {"dc2": "203.0.113.21", "link": "203.0.113.142"}),
    Machine("bench0", "member", {"witness": "198.51.100.141", "link": "203.0.113.143"}),
)
FINISH = """set -eu
for unit in etcd.service pg_autoctl.service repmgrd.service; do ln -sf /dev/null /etc/systemd/system/$unit; done
rm -f /etc/ssh/ssh_host_* /etc/apt/sources.list.d/bench-* && rm -rf /var/lib/apt/lists/*
pg_dropcluster 15 main 2>/dev/null || true
"""


def ensure(client: docker.DockerClient) -> None:
    """Image, containers, logins: what is already as it should be is left alone."""
    _ensure_image(client)
    containers.ensure_containers(client, tag(), PEERS)
    shared = _files()
    boxes = {peer.name: client.containers.get(peer.container) for peer in PEERS}
    with ThreadPoolExecutor(len(boxes)) as pool:
        own = {name: {**shared, "ssh_host_key": _key(f"host_{name}").read_text(encoding="utf-8")} for name in boxes}
        for job in [pool.submit(_set_up, box, own[name]) for name, box in boxes.items()]:
            job.result()
    public = {peer.address: Path(f"{_key(f'host_{peer.name}')}.pub").read_text(encoding="utf-8") for peer in PEERS}
    lines = [f"{address} {' '.join(text.split()[:2])}\n" for address, text in public.items()]
    (STATE / "known_hosts").write_text("".join(lines), encoding="utf-8")


def stop(client: docker.DockerClient) -> None:
    """Stop them, so that they disturb nobody; the next run starts them again, and `make lab-down` removes them."""
    running = [box for peer in PEERS for box in client.containers.list(filters={"name": f"^{peer.container}$"})]
    with ThreadPoolExecutor(len(PEERS)) as pool:
        for job in [pool.submit(box.stop, timeout=20) for box in running]:
            job.result()


def tag() -> str:
    """The image's name, with a digest of everything it is built from."""
    inputs = "\0".join([image.tag(), PATRONI, *PACKAGES, FINISH])
    return f"{REPOSITORY}:{hashlib.sha256(inputs.encode()).hexdigest()[:12]}"


def _ensure_image(client: docker.DockerClient) -> None:
    """The lab's image with the peers installed, made inside a container that may reach the package servers."""
    try:
        client.images.get(tag())
        return
    except docker.errors.ImageNotFound:
        step(f"building {tag()}: {image.tag()} with the peers")
    box = client.containers.run(
        image.tag(),
        ["/bin/sleep", "1800"],
        detach=True,
        network_mode="host",
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
    )
    try:
        containers.put(box, "/etc/apt/sources.list.d", _sources())
        containers.run(box, "chmod 0644 /etc/apt/sources.list.d/*; cp -n /etc/resolv.conf /tmp/ || true")
        options = "-o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false"
        containers.run(
            box,
            f"apt-get {options} update && DEBIAN_FRONTEND=noninteractive apt-get install --yes"
            f" --no-install-recommends {' '.join(PACKAGES)}",
        )
        _put_patroni(box)
        containers.run(box, FINISH)
        repository, version = tag().split(":")
        box.commit(repository, version, changes=image.CHANGES)
    finally:
        box.remove(force=True)
    for old in client.images.list(REPOSITORY):
        for name in old.tags:
            if name != tag():
                client.images.remove(name, force=True)


def _sources() -> dict[str, str]:
    """Where packages come from: this machine's sources, where they are of the same release, else Debian's own."""
    files = {f"bench-{path.name}": path.read_text(encoding="utf-8") for path in map(Path, image.sources())}
    return files or {"bench-debian.list": f"deb http://deb.debian.org/debian {image.SUITE} main\n"}


def _put_patroni(box: Container) -> None:
    """Patroni from PyPI, which the controller reaches; its wheel is pure Python and only needs to be unpacked."""
    folder = STATE / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run([*command, "--dest", str(folder), PATRONI], capture_output=True, text=True, check=False)
    wheel = folder / f"{PATRONI.replace('==', '-')}-py3-none-any.whl"
    if done.returncode or not wheel.is_file():
        raise LabError(f"pip download {PATRONI} gave no wheel:\n{done.stderr[-1500:]}")
    if not box.put_archive("/opt", _tar(wheel)):
        raise LabError(f"{box.name}: could not write to /opt")
    containers.run(box, f"python3 -m zipfile -e /opt/{wheel.name} /opt/patroni && rm /opt/{wheel.name}")
    containers.run(box, "cd /opt/patroni && PYTHONPATH=. python3 -c 'import patroni.ctl, patroni.dcs.etcd3'")


def _tar(path: Path) -> bytes:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(path, path.name)
    return buffer.getvalue()


def _key(name: str) -> Path:
    """A private key of the benchmarks, made once; host keys as well, so that they are known and never asked for."""
    path = STATE / "keys" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=30)
    return path


def _files() -> Mapping[str, str]:
    """What the machines are given: the lab's login key, one key for postgres among them, passwords, the zone's key."""
    key = _key("postgres")
    scripts = {path.name: path.read_text(encoding="utf-8") for path in (HERE / "machines").iterdir()}
    return {
        **scripts,
        "authorized_keys": credentials.login_key_public(),
        "postgres_key": key.read_text(encoding="utf-8"),
        "postgres_key.pub": Path(f"{key}.pub").read_text(encoding="utf-8"),
        "canary": credentials.secret("canary"),
        "lab.conf": (LAB / "member" / "postgresql.conf").read_text(encoding="utf-8"),
        "tsig.key": 'key "continuity" {\n    algorithm hmac-sha256;\n    secret "'
        f'{credentials.secret("tsig_continuity")}";\n}};\n',
    }


def _set_up(box: Container, files: Mapping[str, str]) -> None:
    digest = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in sorted(files.items())).encode()).hexdigest()
    if containers.run(box, f"cat {INPUTS}/digest 2>/dev/null", check=False)[1] == digest:
        return
    step(f"{box.name}: logins")
    containers.run(box, f"rm -rf {INPUTS}")
    containers.put(box, INPUTS, files)
    containers.run(box, f"sh {INPUTS}/machine.sh && echo {digest} > {INPUTS}/digest")
