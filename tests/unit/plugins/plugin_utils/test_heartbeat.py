# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import signal
import threading
import time

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.deadline import Deadline, DeadlineExceeded
from ansible_collections.continuity.dr.plugins.plugin_utils.heartbeat import Heartbeat


def test_it_beats_while_the_block_is_at_work_and_no_longer():
    beats, third = [], threading.Event()

    def beat(seconds):
        beats.append(seconds)
        if len(beats) == 3:
            third.set()

    with Heartbeat(beat, every=0.01):
        assert third.wait(10)
    count = len(beats)
    assert beats == sorted(beats) and count >= 3
    assert not any(thread.is_alive() for thread in _beating(0.5)) and len(beats) <= count + 1


def _beating(seconds):
    threads = [thread for thread in threading.enumerate() if thread.daemon and thread is not threading.main_thread()]
    for thread in threads:
        thread.join(seconds)
    return threads


def test_a_short_block_hears_nothing_and_without_a_beat_there_is_no_thread():
    beats, before = [], threading.active_count()
    with Heartbeat(beats.append):
        assert threading.active_count() == before + 1
    with Heartbeat(None):
        assert threading.active_count() <= before + 1
    assert beats == []


def test_an_error_ends_it_and_is_not_swallowed():
    heart = Heartbeat(lambda _seconds: None, every=60)
    with pytest.raises(KeyError), heart:
        raise KeyError("step")
    assert heart._over.is_set()


def test_the_signal_of_a_deadline_arrives_in_the_step_and_the_mask_is_as_before():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded), Heartbeat(lambda _seconds: None, every=0.001), Deadline(0.1):
        threading.Event().wait(30)
    assert time.monotonic() - started < 5
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_a_machine_that_has_no_thread_left_goes_on_without(monkeypatch):
    def none_left(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    before, done = signal.pthread_sigmask(signal.SIG_BLOCK, []), []
    with Heartbeat(lambda _seconds: None):
        done.append(1)
    assert done == [1] and signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
