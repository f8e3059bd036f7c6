# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make sure that a Docker engine answers, and say what to do where we cannot start one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import docker
from say import LabError, step, wait
from topology import STATE

BY_HAND = (
    "Install and start Docker (https://docs.docker.com/engine/install/), let this user reach its socket, run again."
)
START_SECONDS = 60.0


def connect(start: bool = True) -> docker.DockerClient:
    """A client of the local engine; with C(start), one is installed and started where that is possible."""
    client, reason = _try_connect()
    if client is None and start:
        _start(reason)
        client, reason = _try_connect()
    if client is None:
        advice = BY_HAND if start else "`make lab` starts one, and the lab with it."
        raise LabError(f"No Docker engine answers ({reason}). {advice}")
    return client


def _try_connect() -> tuple[docker.DockerClient | None, str]:
    """The client, or None and why there is none."""
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        return None, str(error)
    return client, ""


def _start(reason: str) -> None:
    """Start the engine of this machine; LabError where that is not ours to do."""
    if os.environ.get("DOCKER_HOST"):
        raise LabError(f"DOCKER_HOST={os.environ['DOCKER_HOST']} does not answer ({reason}). Unset or repair it.")
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        raise LabError(f"No Docker engine answers ({reason}), and only root on Debian can be helped. {BY_HAND}")
    if shutil.which("dockerd") is None:
        apt_install("docker.io")
    if Path("/run/systemd/system").is_dir():
        step("starting the Docker engine by systemd")
        subprocess.run(["systemctl", "start", "docker"], check=False, timeout=START_SECONDS)
    else:
        _start_daemon()
    wait("the Docker engine answers", lambda: _try_connect()[0] is not None, START_SECONDS, 0.2)


def stop_ours(client: docker.DockerClient) -> None:
    """Stop the engine where the lab itself started it and nobody else has containers on it."""
    mark = STATE / "engine.pid"
    if not mark.exists() or client.containers.list(all=True) or not _is_dockerd(pid := mark.read_text()):
        return
    step("stopping the Docker engine that the lab started")
    os.kill(int(pid), signal.SIGTERM)
    wait("the Docker engine stops", lambda: not _is_dockerd(pid), START_SECONDS)


def _is_dockerd(pid: str) -> bool:
    """Whether the process lives and is an engine: numbers are given out again, and a dead child has no command line."""
    command = Path("/proc", pid.strip() or "0", "cmdline")
    return command.exists() and b"dockerd" in command.read_bytes().split(b"\0")[0]


def _start_daemon() -> None:
    """Run dockerd detached from this process, for machines without a service manager."""
    STATE.mkdir(parents=True, exist_ok=True)
    stale = Path("/var/run/docker.pid")
    if stale.exists() and not _is_dockerd(stale.read_text()):
        stale.unlink()  # of a killed engine: dockerd refuses to start where that number is taken by another process
    log = STATE / "dockerd.log"
    step(f"starting the Docker engine, log in {log}")
    with log.open("ab") as sink:
        # The lab makes its own networks: without a default bridge the engine takes no private range of this machine.
        daemon = subprocess.Popen(
            ["dockerd", "--bridge=none"], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
    (STATE / "engine.pid").write_text(str(daemon.pid))


def apt_install(*packages: str) -> None:
    """Install Debian packages on this machine; LabError with the end of apt's output when that fails."""
    step(f"installing {' '.join(packages)} on this machine")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode != 0:
            raise LabError(f"`{' '.join(command)}` failed:\n{(done.stdout + done.stderr)[-2000:]}")
