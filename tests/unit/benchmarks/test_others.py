# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The other clients keep a resolver's cache full until the case ends; how old the record is then, is left to chance."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
import topology

from benchmarks import others
from benchmarks.cases import continuity
from benchmarks.others import OtherClients


def test_they_ask_at_once_and_go_on_until_they_are_stopped() -> None:
    asked = threading.Semaphore(0)

    def ask() -> bool:
        asked.release()
        return True

    clients = OtherClients(ask)
    clients.start(0.0)
    for _question in range(4):
        assert asked.acquire(timeout=60)
    clients.stop()
    while asked.acquire(blocking=False):
        pass
    assert not clients._thread.is_alive()


class Noted(threading.Event):
    """An event that notes how long it was waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return super().wait(0.001)


def test_the_record_becomes_as_old_as_it_is_told_before_the_case_begins() -> None:
    clients = OtherClients(lambda: True)
    clients._ended = noted = Noted()
    clients.start(2.75)
    assert 2.75 in noted.waits
    clients.stop()


def test_a_resolver_that_never_answers_breaks_the_case_off(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(1000))
    monkeypatch.setattr(others.time, "monotonic", lambda: 4.0 * next(now))
    monkeypatch.setattr(others, "EVERY_SECONDS", 0.0)
    clients = OtherClients(lambda: False)
    with pytest.raises(TimeoutError, match="no answer within 15 s"):
        clients.start(0.0)
    clients.stop()


class Drawn:
    """Other clients that note how old the record was to become."""

    ages: list[float] = []

    def __init__(self, ask: object) -> None:
        self.stopped = False

    def start(self, age_seconds: float) -> None:
        Drawn.ages.append(age_seconds)

    def stop(self) -> None:
        self.stopped = True


def test_the_records_age_is_drawn_between_nothing_and_its_ttl_and_the_seed_gives_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside: list[str] = []
    monkeypatch.setattr(continuity, "OtherClients", Drawn)
    monkeypatch.setattr(continuity.harness, "lab", lambda *words: "")
    monkeypatch.setattr(continuity.harness, "inside", lambda machine, script, check=True: inside.append(script))
    case: Any = next(one for one in continuity.CASES if one.name.endswith("caching_resolver"))
    series = []
    for _again in range(2):
        monkeypatch.setattr(Drawn, "ages", [])
        monkeypatch.setattr(case, "chance", random.Random(3))
        for _round in range(40):
            case.prepare()
            case.clean()
        series.append(Drawn.ages)
    assert series[0] == series[1]
    assert min(series[0]) < 1 < topology.TTL_SECONDS - 1 < max(series[0]) <= topology.TTL_SECONDS
    assert case.others is None
    assert inside[:2] == [f"systemctl restart {continuity.RESOLVER}", f"systemctl stop {continuity.RESOLVER}"]


def test_without_a_cache_there_are_no_other_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuity, "OtherClients", None)
    monkeypatch.setattr(continuity.harness, "lab", lambda *words: "")
    case: Any = next(one for one in continuity.CASES if one.name == "continuity_switchover")
    case.prepare()
    case.clean()
