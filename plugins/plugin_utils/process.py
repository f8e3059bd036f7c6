# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which process is meant, even after its number was given to another one."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

_PROC = Path("/proc")


def controller() -> tuple[int, str]:
    """The process that nothing of a run may outlive, with its mark: Ansible's main process, as its workers see it."""
    parent = multiprocessing.parent_process()
    pid = os.getpid() if parent is None or parent.pid is None else parent.pid
    return pid, mark_of(pid) or ""


def mark_of(pid: int) -> str | None:
    """What tells this process from a later one with the same number: when it started, in the kernel's ticks.

    None when there is no such process, or only what is left of it (a zombie). Empty where there is no `/proc` to ask.
    """
    if not (_PROC / "self" / "stat").exists():
        return "" if _signal_arrives(pid) else None
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state_and_rest = stat.rpartition(")")[2].split()  # the program's name stands in brackets and may hold anything
    return None if state_and_rest[0] in ("Z", "X") else state_and_rest[19]


def is_running(pid: int, mark: str) -> bool:
    """Whether the process that had this number and this mark still runs."""
    return mark_of(pid) == mark


def _signal_arrives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
