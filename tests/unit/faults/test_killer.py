# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A controller like Ansible's, with workers and an armed process, ends right after the line that was asked for."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from harness import CHECKOUT

from tests.faults import cut_off
from tests.faults.cut_off import Place

#: Main process; workers in sessions of their own that all write to the journal; a process that has left them all.
CONTROLLER = """
import multiprocessing, os, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.continuity.dr.plugins.plugin_utils import journal

def note(name):
    with open(os.path.join(sys.argv[2], name), "w") as file:
        file.write(str(os.getpid()))

def armed():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note("armed")
            time.sleep(60)
        os._exit(0)
    os.wait()

def worker(number):
    os.setsid()
    note(f"worker{number}")
    child = subprocess.Popen(["sleep", "60"])
    with open(os.path.join(sys.argv[2], f"ssh{number}"), "w") as file:
        file.write(str(child.pid))
    if number == 0:
        armed()
    for _each in range(int(sys.argv[3])):
        journal.append(os.path.join(sys.argv[2], "runs", "r"), "r", "shop", "step", "done", {"by": number})
    child.kill()
    child.wait()

note("main")
workers = [multiprocessing.get_context("fork").Process(target=worker, args=(number,)) for number in range(2)]
for each in workers:
    each.start()
for each in workers:
    each.join()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "runs", "r", "shop")


def controller(place: Place, lines: int) -> list[str]:
    home = str(place.runs.parent)
    return [sys.executable, "-W", "ignore", "-c", CONTROLLER, str(CHECKOUT / "build" / "collections"), home, str(lines)]


def living(place: Place) -> set[str]:
    """Who of them still runs."""
    found = set()
    for path in place.runs.parent.iterdir():
        if path.is_file() and runs(int(path.read_text() or 0)):
            found.add(path.name)
    return found


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def settled(place: Place, wanted: set[str]) -> set[str]:
    """Who still runs, once a signal that was sent has had its effect."""
    until = time.monotonic() + 5
    while (found := living(place)) != wanted and time.monotonic() < until:
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("line", [1, 2, 7, 20])
def test_everything_ends_right_after_the_line(place: Place, line: int) -> None:
    cut = cut_off.run(controller(place, 10), place, line)
    assert cut.reached, cut
    assert len(place.journal()) == line
    assert settled(place, set()) == set()


def test_what_is_armed_lives_on_where_it_is_spared(place: Place) -> None:
    cut = cut_off.run(controller(place, 1000), place, 30, sparing=True)
    assert cut.reached, cut
    assert len(place.journal()) == 30
    assert settled(place, {"armed"}) == {"armed"}
    os.kill(int((place.runs.parent / "armed").read_text()), 9)


def test_a_run_with_fewer_lines_ends_by_itself(place: Place) -> None:
    cut = cut_off.run(controller(place, 10), place, 21)
    assert (cut.reached, cut.rc) == (False, 0), cut.output
    assert len(place.journal()) == 20
    assert settled(place, {"armed"}) == {"armed"}
    os.kill(int((place.runs.parent / "armed").read_text()), 9)


def test_the_journal_of_another_service_is_not_watched(place: Place) -> None:
    other = Place(place.runs, "r", "other")
    cut = cut_off.run(controller(place, 3), other, 1)
    assert (cut.reached, cut.rc) == (False, 0), cut.output
    os.kill(int((place.runs.parent / "armed").read_text()), 9)
