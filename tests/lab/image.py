# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one image of the lab: Debian 12 with systemd, sshd, PostgreSQL 15, pgBackRest, BIND and Knot, and no Python.

Which of these services run is decided when a machine is provisioned, so that one image serves members, name servers and
the client. It is tagged by a digest of what it is built from: where that did not change, nothing is built.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import docker
from engine import apt_install
from say import LabError, step
from topology import DNS_PROGRAMS, PREFIX

REPOSITORY = f"{PREFIX}-base"
PARENT = "debian:12-slim"
SUITE = "bookworm"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "procps", "rsync"),
    *("iproute2", "iptables", "iputils-ping"),
    *("postgresql-15", "postgresql-client-15", "pgbackrest"),
    "bind9-dnsutils",
    "libfaketime",  # a clock of its own for one server: the machines' is the kernel's
    *(package for server in DNS_PROGRAMS.values() for package in server.packages),
)
# What every machine makes for itself goes, what is of no use in a container is masked, and no dependency brings Python.
FINISH = """set -eu
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id
touch /etc/machine-id
pg_dropcluster 15 main 2>/dev/null || true
cd /etc/systemd/system
for unit in \\
    systemd-udevd.service systemd-logind.service getty@.service console-getty.service systemd-resolved.service \\
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \\
    systemd-networkd.service systemd-modules-load.service sys-kernel-debug.mount sys-kernel-tracing.mount; do
    ln -sf /dev/null "$unit"
done
for unit in @UNITS@ ssh.service; do rm -f "multi-user.target.wants/$unit"; done
rm -f bind9.service sshd.service
ln -sf /lib/systemd/system/multi-user.target default.target
if command -v python3; then echo "python3 came into the image" >&2; exit 1; fi
""".replace("@UNITS@", " ".join(server.unit for server in DNS_PROGRAMS.values()))
CHANGES = ["ENV container=docker LC_ALL=C.UTF-8", 'CMD ["/sbin/init"]']


def tag() -> str:
    """The image's name, with a digest of everything it is built from."""
    inputs = "\0".join([PARENT, SUITE, *PACKAGES, FINISH, *CHANGES])
    return f"{REPOSITORY}:{hashlib.sha256(inputs.encode()).hexdigest()[:12]}"


def ensure(client: docker.DockerClient) -> bool:
    """Build the image unless it is there; whether it was built."""
    try:
        client.images.get(tag())
        return False
    except docker.errors.ImageNotFound:
        pass
    if _parent_available(client):
        _build_on_parent(client)
    else:
        _build_from_packages(client)
    return True


def remove(client: docker.DockerClient, keep: str = "") -> list[str]:
    """Remove the image in every version that was ever built here, but C(keep); the names of what was removed."""
    names = [name for one in client.images.list(REPOSITORY) for name in one.tags if name != keep]
    for name in names:
        client.images.remove(name, force=True)
    return names


def _parent_available(client: docker.DockerClient) -> bool:
    """Whether Debian's own image is here, or a registry gives it. No answer within seconds counts as no."""
    try:
        client.images.get(PARENT)
        return True
    except docker.errors.ImageNotFound:
        pass
    try:
        # The engine retries for minutes where packets are dropped: ask ourselves first, with a bound.
        registry = urlsplit(client.info()["IndexServerAddress"]).hostname
        socket.create_connection((registry, 443), timeout=3).close()
        client.images.pull(PARENT)
        return True
    except (OSError, docker.errors.DockerException) as error:
        step(f"no registry gives {PARENT} ({error}); building from Debian's packages")
        return False


def _build_on_parent(client: docker.DockerClient) -> None:
    """Build with Docker, packages installed inside."""
    step(f"building {tag()} on {PARENT}")
    install = f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(PACKAGES)}"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "finish.sh").write_text(FINISH)
        lines = [
            f"FROM {PARENT}",
            f"RUN export DEBIAN_FRONTEND=noninteractive && {install} && rm -rf /var/lib/apt/lists/*",
            "COPY finish.sh /finish.sh",
            "RUN sh /finish.sh && rm /finish.sh",
            *CHANGES,
        ]
        Path(folder, "Dockerfile").write_text("\n".join(lines) + "\n")
        try:
            client.images.build(path=folder, tag=tag(), rm=True, forcerm=True, network_mode="host", timeout=900)
        except docker.errors.BuildError as error:
            output = "".join(str(line.get("stream", "")) for line in error.build_log)
            raise LabError(f"building on {PARENT} failed: {error}\n{output[-2000:]}") from error


def _build_from_packages(client: docker.DockerClient) -> None:
    """Build a root file system with mmdebstrap from this machine's package sources and import it."""
    if shutil.which("mmdebstrap") is None:
        if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
            raise LabError(
                f"Neither {PARENT} nor mmdebstrap is here. `docker load` {PARENT}, or run as root on Debian."
            )
        apt_install("mmdebstrap")
    step(f"building {tag()} with mmdebstrap (about a minute)")
    with tempfile.TemporaryDirectory(prefix="continuity-lab-") as folder:
        finish, archive = Path(folder, "finish.sh"), Path(folder, "root.tar")
        finish.write_text(FINISH)
        command = _mmdebstrap(finish, archive)
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False
        )
        if done.returncode != 0:
            raise LabError(f"mmdebstrap failed:\n{done.stderr[-3000:]}")
        repository, version = tag().split(":")
        client.api.import_image_from_file(str(archive), repository=repository, tag=version, changes=CHANGES)
    client.images.get(tag())  # an import reports its errors in a stream: only the image itself is proof


def _mmdebstrap(finish: Path, archive: Path) -> list[str]:
    """The command line. Sources and APT settings of this machine are used, and removed from the result."""
    clean = "rm -f $1/etc/apt/sources.list $1/etc/apt/sources.list.d/* $1/etc/apt/apt.conf.d/99mmdebstrap"
    return [
        "mmdebstrap",
        "--variant=minbase",
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("man", "doc", "locale", "info")),
        "--aptopt=APT::Install-Recommends false",
        f"--include={','.join(PACKAGES)}",
        f'--customize-hook=chroot "$1" sh < {finish}',
        f"--customize-hook={clean}",
        SUITE,
        str(archive),
        *sources(),
    ]


def sources() -> list[str]:
    """This machine's source files that name our release; none means mmdebstrap's default mirror."""
    folder = Path("/etc/apt/sources.list.d")
    candidates = [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))]
    words = {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
    return [str(path) for path in candidates if path.is_file() and words & set(path.read_text().split())]
