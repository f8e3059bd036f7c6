# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is armed before an outage: a process on the controller that waits for one message, then acts at once.

A step of a playbook costs a tenth of a second and more before it does anything, and inside an outage several would
follow each other. So a step is armed while the service still serves, and the step that has its evidence announces it.
``announce`` tells everything that waits for a topic; the step that stands in the playbook afterwards collects what came
of it. Who renames ``<name>.waiting`` decides: to ``fired`` it acts, to ``taken`` it never will. Nothing that is armed
outlives its seconds or the process it belongs to.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.process import controller, is_running, mark_of

#: Between two looks whether the controller is still there, in seconds.
LOOK_SECONDS = 0.2
#: Between two looks at what an armed process has come to.
COLLECT_SECONDS = 0.002
#: A message is written in one piece or not at all below this size (PIPE_BUF of Linux).
LONGEST_MESSAGE = 4096

Message = dict[str, Any]
Work = Callable[[Message], Message]
#: Runs in the new process before it waits: what opens connections there and says what is to be done.
Prepare = Callable[[], Work]


@dataclass(frozen=True)
class Place:
    """Where what is armed for one service of one run meets what announces."""

    directory: Path

    @classmethod
    def of(cls, run_directory: str, service: str) -> Place:
        """The place below the run's directory, of this controller alone.

        A run that is continued with its id must not collect what an earlier controller's process came to.
        """
        pid, mark = controller()
        return cls(Path(run_directory) / "armed" / service / f"{pid}-{mark}")


@dataclass(frozen=True)
class Fired:
    """An armed process has acted; ``result`` is what its work returned, None where it ended before it could tell."""

    result: Message | None


def start(place: Place, topic: str, name: str, prepare: Prepare, seconds: float) -> None:
    """Have a process of its own wait at most ``seconds`` for ``topic``, then do its work with the message, once.

    It ends with the controller. Returns when it waits, or when it could not be prepared: then none waits.
    """
    place.directory.mkdir(parents=True, exist_ok=True)
    for old in ("waiting", "taken", "fired", "done", "fifo"):
        _path(place, name, old).unlink(missing_ok=True)
    fifo = place.directory / f"{name}.fifo"
    os.mkfifo(fifo, 0o600)
    reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    (place.directory / f"{name}.topic").write_text(topic, encoding="utf-8")
    watched = controller()
    ready_in, ready_out = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the new process uses none of theirs
        child = os.fork()
    if child == 0:
        _second(place, name, prepare, seconds, watched, reader, ready_out)
    os.close(reader)
    os.close(ready_out)
    os.waitpid(child, 0)
    try:
        os.read(ready_in, 1)
    finally:
        os.close(ready_in)


def announce(place: Place, topic: str, message: Message) -> list[str]:
    """Tell every process that waits for ``topic``; returns their names. None waiting is fine.

    From here on each of them counts as fired, whether it has begun or not.
    """
    text = json.dumps(message).encode() + b"\n"
    if len(text) > LONGEST_MESSAGE:
        raise ValueError(f"a message of {len(text)} bytes is not written in one piece; allowed: {LONGEST_MESSAGE}")
    told = [name for name in _waiting_for(place, topic) if _moved(place, name, "fired")]
    for name in told:
        with contextlib.suppress(OSError):  # nobody reads it: it has ended, and whoever collects finds that out
            descriptor = os.open(_path(place, name, "fifo"), os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(descriptor, text)
            finally:
                os.close(descriptor)
    return told


def collect(place: Place, name: str, seconds: float) -> Fired | None:
    """What came of the armed process; None where none acted, and then none will: the caller has taken it over.

    Waits for one that is at work, at most ``seconds``.
    """
    if _moved(place, name, "taken"):
        return None
    fired, done = _path(place, name, "fired"), _path(place, name, "done")
    try:
        pid, _space, mark = fired.read_text(encoding="utf-8").partition(" ")
    except FileNotFoundError:
        return None
    deadline = time.monotonic() + seconds
    while not done.exists():
        if time.monotonic() >= deadline or not (is_running(int(pid), mark) or done.exists()):
            return Fired(None)
        time.sleep(COLLECT_SECONDS)
    result: Message = json.loads(done.read_text(encoding="utf-8"))
    fired.unlink()
    return Fired(result)


def disarm(place: Place, topic: str) -> bool:
    """Take over everything that waits for ``topic``. True: none of it acts any more, and none has."""
    # a list: each of them is taken over, also after one that has acted
    silent = [_moved(place, n, "taken") or not _path(place, n, "fired").exists() for n in _waiting_for(place, topic)]
    return all(silent)


def _waiting_for(place: Place, topic: str) -> list[str]:
    """The names of all that was armed for the topic, whether it still waits or not."""
    found = sorted(place.directory.glob("*.topic"))
    return [path.stem for path in found if path.read_text(encoding="utf-8") == topic]


def _moved(place: Place, name: str, to: str) -> bool:
    """Whoever moves the file decides what becomes of what waits; only one can."""
    try:
        _path(place, name, "waiting").rename(_path(place, name, to))
    except FileNotFoundError:
        return False
    return True


def _path(place: Place, name: str, state: str) -> Path:
    return place.directory / f"{name}.{state}"


def _second(
    place: Place,
    name: str,
    prepare: Prepare,
    seconds: float,
    watched: tuple[int, str],
    reader: int,
    ready: int,
) -> None:
    """Fork once more, so that the waiting process is nobody's child and in nobody's session; never returns."""
    try:
        os.setsid()
        if os.fork() == 0:
            _on_its_own(keep=(reader, ready))
            _wait(place, name, prepare(), seconds, watched, reader, ready)
    finally:
        os._exit(0)


def _on_its_own(keep: tuple[int, ...]) -> None:
    """Neither signals, timers nor open files of the process it came from."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    first = 3
    for descriptor in sorted(keep):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX") if first > 65536 else 65536)


def _wait(
    place: Place, name: str, work: Work, seconds: float, watched: tuple[int, str], reader: int, ready: int
) -> None:
    waiting, deadline, said = _path(place, name, "waiting"), time.monotonic() + seconds, b""
    new = waiting.with_suffix(".new")
    new.write_text(f"{os.getpid()} {mark_of(os.getpid())}", encoding="utf-8")
    new.rename(waiting)
    os.write(ready, b".")
    os.close(ready)
    while not said.endswith(b"\n"):
        if select.select([reader], [], [], max(0.0, min(LOOK_SECONDS, deadline - time.monotonic())))[0]:
            said += os.read(reader, LONGEST_MESSAGE)
        elif not _goes_on(place, name, deadline, watched):
            return
    done = _path(place, name, "done")
    new.write_text(json.dumps(work(json.loads(said)), default=str), encoding="utf-8")
    new.rename(done)


def _goes_on(place: Place, name: str, deadline: float, watched: tuple[int, str]) -> bool:
    """Whether to wait on: not after the time, without the controller, or when somebody else has taken over."""
    if time.monotonic() >= deadline or not is_running(*watched):
        _moved(place, name, "taken")
        return False
    return any(_path(place, name, state).exists() for state in ("waiting", "fired"))
