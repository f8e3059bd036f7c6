# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is armed acts once, at its message, or never: not after its time, its controller, or whoever took it over."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import armed
from ansible_collections.continuity.dr.plugins.plugin_utils.process import mark_of


@pytest.fixture
def place(tmp_path):
    return armed.Place.of(str(tmp_path), "shop")


def answer(message):
    return {"got": message}


def arm(place, work=answer, name="one", topic="frozen", seconds=20.0):
    armed.start(place, topic, name, lambda: work, seconds)


def waits(place, name="one"):
    return (place.directory / f"{name}.waiting").exists()


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_acts_once_at_its_message_in_a_process_that_is_not_ours(place):
    arm(place, lambda message: {"got": message, "pid": os.getpid()})
    assert armed.announce(place, "promoted", {}) == [] and waits(place)
    assert armed.announce(place, "frozen", {"position": 7}) == ["one"]
    fired = armed.collect(place, "one", 10.0)
    assert fired.result["got"] == {"position": 7} and fired.result["pid"] != os.getpid()
    assert armed.announce(place, "frozen", {"position": 8}) == [], "it has ended"
    assert armed.collect(place, "one", 0.1) is None, "and was collected"


def test_everything_that_waits_for_a_topic_is_told_and_knows_its_own_name_only(place):
    for name in ("one", "two"):
        arm(place, name=name)
    arm(place, name="other", topic="promoted")
    assert armed.announce(place, "frozen", {"n": 1}) == ["one", "two"]
    assert [armed.collect(place, name, 10.0).result for name in ("one", "two")] == [{"got": {"n": 1}}] * 2
    assert armed.collect(place, "other", 0.1) is None


def test_what_an_earlier_controller_armed_is_not_collected_by_the_run_that_is_continued(tmp_path, monkeypatch):
    earlier = armed.Place.of(str(tmp_path), "shop")
    arm(earlier)
    armed.announce(earlier, "frozen", {})
    until((earlier.directory / "one.done").exists)
    monkeypatch.setattr(armed, "controller", lambda: (os.getpid(), "started later"))
    assert armed.collect(armed.Place.of(str(tmp_path), "shop"), "one", 0.1) is None


def test_nothing_was_armed(place):
    assert armed.announce(place, "frozen", {}) == []
    assert armed.collect(place, "one", 0.1) is None and armed.disarm(place, "frozen")


def test_it_ends_after_its_time_and_then_nobody_acts(place, tmp_path):
    arm(place, lambda _message: {"wrote": (tmp_path / "acted").write_text("x")}, seconds=0.3)
    until(lambda: not waits(place))
    assert armed.announce(place, "frozen", {}) == [] and armed.collect(place, "one", 0.1) is None
    assert not (tmp_path / "acted").exists()


def test_it_ends_with_its_controller(place, monkeypatch):
    controller = subprocess.Popen(["sleep", "60"])
    monkeypatch.setattr(armed, "controller", lambda: (controller.pid, mark_of(controller.pid)))
    arm(place)
    controller.kill()
    controller.wait()
    until(lambda: not waits(place), 2.0)
    assert armed.announce(place, "frozen", {}) == []


def test_one_that_was_taken_over_never_acts(place, tmp_path):
    arm(place, lambda _message: {"wrote": (tmp_path / "acted").write_text("x")})
    assert armed.disarm(place, "promoted") and waits(place), "another topic"
    assert armed.disarm(place, "frozen") and not waits(place)
    armed.announce(place, "frozen", {})
    assert armed.disarm(place, "frozen") and armed.collect(place, "one", 0.1) is None
    until(lambda: armed.announce(place, "frozen", {}) == [])  # its process has ended
    assert not (tmp_path / "acted").exists()


def test_one_that_died_at_work_is_not_taken_for_one_that_never_began(place):
    arm(place, lambda _message: os._exit(1))
    armed.announce(place, "frozen", {})
    until(lambda: not waits(place))
    assert armed.collect(place, "one", 10.0) == armed.Fired(None)
    assert not armed.disarm(place, "frozen")


def test_one_that_takes_too_long_is_waited_for_no_longer(place):
    arm(place, lambda _message: time.sleep(3))
    armed.announce(place, "frozen", {})
    until(lambda: not waits(place))
    started = time.monotonic()
    assert armed.collect(place, "one", 0.2) == armed.Fired(None) and time.monotonic() - started < 2


def test_one_that_cannot_be_prepared_does_not_wait_and_says_so(place):
    def broken():
        raise OSError("no connection")

    armed.start(place, "frozen", "one", broken, 20.0)
    assert not waits(place) and armed.collect(place, "one", 0.1) is None


def test_arming_again_replaces_what_an_earlier_stage_left(place):
    arm(place, lambda _message: {"first": True})
    armed.announce(place, "frozen", {})
    until((place.directory / "one.done").exists)
    arm(place, lambda _message: {"second": True})
    armed.announce(place, "frozen", {})
    assert armed.collect(place, "one", 10.0).result == {"second": True}


def test_a_message_that_could_be_torn_is_not_sent(place):
    arm(place)
    with pytest.raises(ValueError, match="in one piece"):
        armed.announce(place, "frozen", {"text": "x" * 5000})
    assert armed.disarm(place, "frozen")


@pytest.mark.parametrize("seed", range(25))
def test_of_who_fires_and_who_disarms_exactly_one_wins(place, seed):
    chance = random.Random(seed)
    acted = Path(place.directory) / "acted"
    arm(place, lambda _message: {"wrote": acted.write_text("x")})
    gate, said = threading.Barrier(2), {}

    def race(name, do):
        gate.wait()
        time.sleep(chance.random() * 0.004)
        said[name] = do()

    sides = [
        threading.Thread(target=race, args=("told", lambda: armed.announce(place, "frozen", {}))),
        threading.Thread(target=race, args=("disarmed", lambda: armed.disarm(place, "frozen"))),
    ]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    fired = armed.collect(place, "one", 10.0)
    assert (fired is None) == said["disarmed"] and acted.exists() == (fired is not None)
