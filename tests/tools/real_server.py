# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tests that start a real PostgreSQL server on this machine have in common."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

#: initdb and the servers refuse root
AS_USER = "setpriv --reuid=postgres --regid=postgres --init-groups " if os.geteuid() == 0 else ""

#: For the servers of some tests at once
NEEDED_BYTES = 4_000_000_000


def programs(*more: str) -> Path:
    """Where the server's programs are. A test without them, or without one of the others, fails: it is not skipped."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    assert folders, "PostgreSQL's server programs are not installed (make packages; Debian: apt-get install postgresql)"
    missing = [name for name in ("setpriv", *more) if not shutil.which(name)]
    assert not missing, f"not installed: {', '.join(missing)} (make packages; on Debian setpriv is in util-linux)"
    return folders[-1]


def server_folder() -> Path:
    """A folder for servers, readable by their user, and short: a socket's path has at most 107 bytes.

    It is in memory where there is room. A server makes and deletes a thousand files, and ext4 looks at every inode that
    was deleted lately before it gives out one: that took a fifth of the processor of all unit tests.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > NEEDED_BYTES
    folder = Path(tempfile.mkdtemp(prefix="dr-unit-", dir=memory if roomy else "/tmp"))
    if roomy and not _runs_programs(folder):
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="dr-unit-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def _runs_programs(folder: Path) -> bool:
    program = folder / "program"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    try:
        return subprocess.run([program], check=False).returncode == 0
    except OSError:
        return False
    finally:
        program.unlink()


def free_port() -> int:
    """Below the ports that clients get: one that calls a dead server may else be given its port, and answer itself."""
    for _attempt in range(100):
        port = random.randint(20000, 30000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no free port")
