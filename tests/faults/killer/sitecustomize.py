# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ends a controller, as a power cut would, right after one line of a journal is on its disk.

Python imports this file by itself where its folder stands in PYTHONPATH; `cut_off.py` puts it there. The journal calls
`os.fsync` once its line is written and still holds the file's lock: nobody can write the next line before the end.

Everything that carries this run's mark in its environment is killed: Ansible's main process, its workers, their ssh,
and what is armed. Or, where the setting says so, only Ansible with all below it: what is armed has left it, and lives
on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

#: The environment that `cut_off.py` sets: the journal, the number of its last line, the run's mark, whether what has
#: left Ansible's own tree of processes is spared.
JOURNAL, LINE, MARK, SPARING = (f"CONTINUITY_CUT_{name}" for name in ("JOURNAL", "LINE", "MARK", "SPARING"))
#: A process that is just being forked is found in the next round.
ROUNDS = 100

_fsync = os.fsync


def install() -> None:
    """Look at the journal after each of its lines, from now on."""
    path, line = os.environ[JOURNAL], int(os.environ[LINE])

    def fsync(fd: FileDescriptorLike) -> None:
        _fsync(fd)
        descriptor = fd if isinstance(fd, int) else fd.fileno()
        if os.readlink(f"/proc/self/fd/{descriptor}") == path and lines(descriptor) >= line:
            end(os.environ[MARK], sparing=bool(os.environ.get(SPARING)))

    os.fsync = fsync


def lines(descriptor: int) -> int:
    """How many whole lines the file has."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).count(b"\n")


def end(mark: str, sparing: bool) -> None:
    """Kill every process of the run, Ansible's main process first (it must not see its workers end), this one last."""
    parent, own = multiprocessing.parent_process(), os.getpid()
    main = own if parent is None or parent.pid is None else parent.pid
    tree = {main}
    for _round in range(ROUNDS):
        living = dict(processes(mark))
        tree |= below(tree, living)
        found = (tree & set(living) if sparing else set(living)) - {own}
        if not found:
            break
        for pid in sorted(found, key=lambda pid: pid != main):
            _kill(pid)
    _kill(own)


def processes(mark: str) -> Iterator[tuple[int, int]]:
    """Each living process that carries the mark, with its parent. A zombie is none."""
    wanted = f"{MARK}={mark}".encode()
    for folder in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = Path(f"/proc/{folder}/environ").read_bytes().split(b"\0")
            stat = Path(f"/proc/{folder}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended meanwhile, or is another user's
        state, parent = stat.rpartition(")")[2].split()[:2]
        if wanted in environment and state not in ("Z", "X"):
            yield int(folder), int(parent)


def below(roots: set[int], parents: dict[int, int]) -> set[int]:
    """The descendants of some processes."""
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in roots | found} - found:
        found |= more
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


if os.environ.get(JOURNAL):
    install()
