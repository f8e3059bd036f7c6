# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run was measured on: noted beside the numbers, or nobody could say what they mean."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import harness

from benchmarks.where import CHECKOUT


def describe() -> dict[str, Any]:
    """Cores, memory, kernel, load, versions."""
    return {
        **machine(),
        "versions": {
            **versions("ansible-core", "psycopg", "dnspython"),
            "docker": said(["docker", "version", "--format", "{{.Server.Version}}"]),
            "postgresql": harness.inside("db1", "/usr/lib/postgresql/15/bin/postgres --version").split()[2],
            "bind": harness.inside("ns0", "named -v").split()[1],
            "knot": harness.inside("ns2", "knotd --version").split()[-1],
        },
    }


def machine() -> dict[str, Any]:
    """What it is and what it does at the moment."""
    return {
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "processor": _processor(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "running": _busiest(),
    }


def versions(*packages: str) -> dict[str, str]:
    """This checkout's, Python's and those of its packages."""
    return {
        "commit": said(["git", "-C", str(CHECKOUT), "rev-parse", "--short", "HEAD"]),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def _busiest() -> list[str]:
    """The programs, besides this one, that take the most of the machine."""
    lines = said(["ps", "-eo", "pcpu,pid,comm", "--sort=-pcpu", "--no-headers"]).splitlines()
    rows = [line.split(None, 2) for line in lines]
    return [f"{comm} {share} %" for share, pid, comm in rows if float(share) >= 5 and int(pid) != os.getpid()][:5]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def said(words: list[str]) -> str:
    """What a command prints; nothing where it cannot be asked."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
