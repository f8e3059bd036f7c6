# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a command costs its controller: processor time and memory of all its processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks import commands, memory

LIMIT = 120.0
# As Ansible's workers do it, the child leads a session of its own.
PARENT_AND_CHILD = """
import os, time
mine = bytearray(80 * 2**20)
child = os.fork()
if not child:
    os.setsid()
    own = bytearray(30 * 2**20)
    while time.process_time() < 0.5:
        pass
    time.sleep({pause})
    os._exit(0)
os.waitpid(child, 0)
"""


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_the_processor_time_and_the_memory_of_its_children_count() -> None:
    ran = commands.run(python(PARENT_AND_CHILD.format(pause=0)), os.environ, LIMIT)
    assert ran.cpu_seconds >= 0.5
    assert ran.largest_mb >= 110  # of the child, which has both
    assert ran.total_mb is None
    assert ran.controller.keys() == {"cpu_seconds", "largest_mb"}


def test_watched_it_also_tells_all_of_them_together_and_shared_pages_once() -> None:
    text = PARENT_AND_CHILD.format(pause=4 * memory.EVERY_SECONDS)
    ran = commands.run(python(text), os.environ, LIMIT, watched=True)
    assert ran.total_mb is not None
    assert 110 <= ran.total_mb < 180  # each for itself: 80 + 110 MB, and Python twice
    assert ran.controller["total_mb"] == round(ran.total_mb, 1)


def test_one_that_ends_badly_says_what_it_said_last() -> None:
    with pytest.raises(commands.CommandFailed, match=r"ended with 3: .*that is why"):
        commands.run(python("print('that is why'); raise SystemExit(3)"), os.environ, LIMIT)


def test_one_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    text = f"""
import os, time
child = os.fork()
if not child:
    os.setsid()
    open({str(path)!r} + '.new', 'w').write(str(os.getpid()))
    os.rename({str(path)!r} + '.new', {str(path)!r})
time.sleep({LIMIT})
"""
    limit = 2.0
    while not path.exists():  # on a machine that took longer to start it than the limit: again, with more time
        with pytest.raises(commands.CommandFailed, match="was killed after"):
            commands.run(python(text), os.environ, limit)
        limit *= 2
    stat = Path(f"/proc/{path.read_text(encoding='utf-8')}/stat")
    until = time.monotonic() + 60  # a signal that was sent is seen by its process in its own time
    while stat_of(stat) not in ("", "Z", "X"):
        assert time.monotonic() < until, "the child goes on"
        time.sleep(0.01)


def stat_of(path: Path) -> str:
    """The state of a process, a letter; nothing where there is none any more."""
    try:
        return path.read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_its_output_may_be_of_any_length() -> None:
    ran = commands.run(python("print('x' * 2_000_000)"), os.environ, LIMIT)
    assert ran.seconds > 0
