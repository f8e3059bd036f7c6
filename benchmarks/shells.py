# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shells and database clients that are open before a case begins, as somebody who prepares for the moment has them."""

from __future__ import annotations

import os
import select
import subprocess
import time

MARK = "continuity-bench-end"


class Shell:
    """A program inside a machine that takes lines and answers; each answer ends with a mark."""

    def __init__(self, machine: str, command: list[str], mark_line: str, user: str = "postgres") -> None:
        words = ["docker", "exec", "-i", "-u", user, f"continuity-lab-{machine}", *command]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._mark_line = mark_line
        self.ask("")

    def ask(self, text: str, seconds: float = 30.0) -> str:
        """Send lines and read the whole answer. Raises TimeoutError, and EOFError when the program has ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{text}\n{self._mark_line}\n".encode())
        self._process.stdin.flush()
        answer, descriptor, until = b"", self._process.stdout.fileno(), time.monotonic() + seconds
        while not answer.endswith(f"{MARK}\n".encode()):
            if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError(f"no answer within {seconds:g} s to: {text}; so far: {answer[-300:]!r}")
            piece = os.read(descriptor, 65536)
            if not piece:
                raise EOFError(f"the shell ended at: {text}; it said: {answer[-300:]!r}")
            answer += piece
        return answer.decode().removesuffix(f"{MARK}\n").strip()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def shell(machine: str, user: str = "postgres") -> Shell:
    """/bin/sh inside a machine."""
    return Shell(machine, ["/bin/sh"], f"echo {MARK}", user)


def psql(machine: str, port: int) -> Shell:
    """A database session inside a machine."""
    binary = "/usr/lib/postgresql/15/bin/psql"
    return Shell(
        machine, [binary, "-XAqt", "-h", "/var/run/postgresql", "-p", str(port), "-d", "postgres"], f"\\echo {MARK}"
    )
