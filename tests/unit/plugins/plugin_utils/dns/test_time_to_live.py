# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A record's time to live, lowered ahead of a move and put back, against BIND 9 on loopback and a zone in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from dns_endpoint import NEW, OLD, OTHER, Endpoint, failing
from dns_named import FOLLOWER, PRIMARY, NameServers
from dns_zone import MemoryClock, MemoryZone

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Question
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import ask_server
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError, DnsRefused
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import Guard, parse_guard
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.outcome import describe
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch import Switch
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import Expected, Purpose, Wanted

NORMAL, LOW = 300, 5


@pytest.fixture
def endpoint(name_servers: NameServers) -> Endpoint:
    endpoint = Endpoint(name_servers)
    endpoint.edit(OLD, ttl=NORMAL)
    return endpoint


def wanted(claim: dict[str, Any] | None, purpose: Purpose, ttl: int, value: str = OLD) -> Wanted:
    run, epoch = (claim["run_id"], claim["epoch"]) if claim else (None, None)
    return Wanted((value,), Expected("set", (value,)), ttl, run, epoch, purpose)


def ttl(endpoint: Endpoint, server: str = PRIMARY) -> int | None:
    return ask_server(endpoint.address(server), Question(endpoint.name, "A"), 2.0).ttl


def test_it_is_lowered_in_one_message_and_the_value_stays(endpoint: Endpoint) -> None:
    claim = endpoint.claim()
    before = endpoint.servers.updates()
    lower = wanted(claim, "lower", LOW)
    outcome = endpoint.switch(lower)
    assert (outcome.changed, outcome.before.ttl, outcome.after.ttl) == (True, NORMAL, LOW)
    assert endpoint.servers.updates() == before + 1
    assert (endpoint.values(), ttl(endpoint)) == ([OLD], LOW)
    guard = outcome.after.guard
    assert guard is not None
    assert (guard.state, guard.epoch) == ("claimed", claim["epoch"]), "the claim goes on: the move is still to come"
    told = describe(outcome, endpoint.target, "A", lower)
    assert (told["status"], told["held_seconds"]) == ("prepared", NORMAL)
    applied, safe = (datetime.fromisoformat(told[key]).timestamp() for key in ("applied_at", "clients_safe_at"))
    assert NORMAL <= safe - applied <= NORMAL + 2
    verified = endpoint.verify(endpoint.address(FOLLOWER), value=OLD, minimum_serial=outcome.after.serial)
    assert {server["ttl"] for server in verified["servers"]} == {LOW}


def test_again_it_sends_nothing_and_still_knows_until_when_the_old_one_is_held(endpoint: Endpoint) -> None:
    claim = endpoint.claim()
    first = endpoint.switch(wanted(claim, "lower", LOW))
    before = endpoint.servers.updates(), endpoint.serial()
    lower = wanted(claim, "lower", LOW)
    again = endpoint.switch(lower)
    assert (again.status, again.changed) == ("already", False)
    assert (endpoint.servers.updates(), endpoint.serial()) == before
    assert first.after.guard is not None
    told = describe(again, endpoint.target, "A", lower)
    assert datetime.fromisoformat(told["clients_safe_at"]).timestamp() == first.after.guard.cached


@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize("purpose", ["lower", "restore"])
def test_a_record_that_somebody_moved_is_not_touched(endpoint: Endpoint, claimed: bool, purpose: Purpose) -> None:
    claim = endpoint.claim() if claimed else None
    endpoint.edit(OTHER, ttl=NORMAL)
    serial = endpoint.serial()
    with failing("conflict"):
        endpoint.switch(wanted(claim, purpose, LOW))
    assert (endpoint.serial(), endpoint.values(), ttl(endpoint)) == (serial, [OTHER], NORMAL)


def test_a_run_that_lost_its_claim_and_one_without_are_refused(endpoint: Endpoint) -> None:
    claim = endpoint.claim("run-a")
    with failing("claim_held"):
        endpoint.switch(wanted(None, "lower", LOW))
    with failing("claim_missing"):
        endpoint.switch(wanted({**claim, "run_id": "run-b"}, "lower", LOW))
    with endpoint.client() as client:
        Claims(endpoint.target, Claimant("run-a", "a@here"), client, Clock(), "A").release()
    endpoint.claim("run-b")
    with failing("stale_epoch"):
        endpoint.switch(wanted(claim, "lower", LOW))
    assert ttl(endpoint) == NORMAL


def test_without_a_claim_the_guard_is_left_alone(endpoint: Endpoint) -> None:
    lower = wanted(None, "lower", LOW)
    outcome = endpoint.switch(lower)
    assert (outcome.changed, ttl(endpoint), outcome.after.guard) == (True, LOW, None)
    assert describe(outcome, endpoint.target, "A", lower)["held_seconds"] == NORMAL


def test_what_caches_hold_outlives_the_claim_and_the_move_tells_it(endpoint: Endpoint) -> None:
    """Prepared by one run and moved by a later one, which sends its change at once: no question more than before."""
    claim = endpoint.claim("run-a")
    lowered = endpoint.switch(wanted(claim, "lower", LOW))
    with endpoint.client() as client:
        Claims(endpoint.target, Claimant("run-a", "a@here"), client, Clock(), "A").release()
    later = endpoint.claim("run-b")
    assert LOW < later["cached_seconds"] <= NORMAL + 1
    move = replace(endpoint.wanted(later), ttl=NORMAL)
    before = endpoint.servers.updates()
    moved = endpoint.switch(move, later["guard"])
    assert endpoint.servers.updates() == before + 1, "sent at once: its prerequisites held"
    assert (endpoint.values(), ttl(endpoint)) == ([NEW], NORMAL), "the normal one comes back with the move"
    told = describe(moved, endpoint.target, "A", move)
    assert moved.before.ttl == LOW
    assert LOW < told["held_seconds"] <= NORMAL + 1
    assert lowered.after.guard is not None
    assert moved.after.guard is not None
    assert (moved.after.guard.state, moved.after.guard.cached) == ("switched", 0)


def test_it_is_put_back_and_a_move_that_did_not_happen_is_not_noted(endpoint: Endpoint) -> None:
    claim = endpoint.claim()
    endpoint.switch(wanted(claim, "lower", LOW))
    restored = endpoint.switch(wanted(claim, "restore", NORMAL))
    assert (restored.changed, ttl(endpoint), endpoint.values()) == (True, NORMAL, [OLD])
    assert restored.after.guard is not None
    assert (restored.after.guard.state, restored.after.guard.cached) == ("claimed", 0)
    before = endpoint.servers.updates()
    assert not endpoint.switch(wanted(claim, "restore", NORMAL)).changed
    assert endpoint.servers.updates() == before


# In memory: what no real server can be made to do at the right moment

NAME, GUARD_NAME = "db.shop.example.", "_continuity.db.shop.example."
TARGET = Target("shop.example.", NAME, (Address("127.0.0.1"),), GUARD_NAME)
TIME = MemoryClock()
MINE = Guard(7, "run-me", "claimed", int(TIME.time) + 60, "me@here")
CLAIM = {"run_id": "run-me", "epoch": 7}


@pytest.fixture
def zone() -> MemoryZone:
    zone = MemoryZone()
    zone.put(NAME, "A", OLD, ttl=NORMAL)
    zone.put(GUARD_NAME, "TXT", f'"{MINE.text()}"')
    return zone


def switch(zone: MemoryZone, purpose: Purpose, ttl: int, clock: MemoryClock | None = None) -> Switch:
    clock = clock or MemoryClock()
    doing = wanted(CLAIM, purpose, ttl)
    return Switch(TARGET, "A", doing, zone, Clock(clock.now, clock.monotonic, clock.pause), 10.0)


def noted(zone: MemoryZone) -> int:
    guard = parse_guard([zone.stored(GUARD_NAME, "TXT")[0].strip('"')])
    assert guard is not None
    return guard.cached


def test_the_guard_notes_until_when_and_never_an_earlier_time(zone: MemoryZone) -> None:
    switch(zone, "lower", 60).run()
    assert noted(zone) == TIME.time + NORMAL
    clock = MemoryClock(TIME.time + 10)
    switch(zone, "lower", LOW, clock).run()
    assert zone.sets[NAME, "A"].ttl == LOW
    assert noted(zone) == TIME.time + NORMAL, "lowered in two steps: the first one's caches last longer"


def test_a_shorter_one_than_asked_for_stays(zone: MemoryZone) -> None:
    zone.put(NAME, "A", OLD, ttl=2)
    outcome = switch(zone, "lower", LOW).run()
    assert (outcome.status, zone.updates, zone.sets[NAME, "A"].ttl) == ("already", 0, 2)


@pytest.mark.parametrize("fault", ["lost reply", "lost"])
def test_an_answer_that_is_lost_is_known_by_reading_again(zone: MemoryZone, fault: str) -> None:
    zone.faults = [fault]
    outcome = switch(zone, "lower", LOW).run()
    assert (outcome.changed, zone.sets[NAME, "A"].ttl) == (True, LOW)
    assert outcome.before.ttl == NORMAL


def test_somebody_moves_the_record_between_the_look_and_the_message(zone: MemoryZone) -> None:
    zone.after_read = lambda: zone.put(NAME, "A", OTHER, ttl=NORMAL)
    with pytest.raises(DnsRefused) as refused:
        switch(zone, "lower", LOW).run()
    assert refused.value.reason == "conflict"
    assert (zone.stored(NAME, "A"), zone.sets[NAME, "A"].ttl, zone.writes) == ((OTHER,), NORMAL, [])


def test_a_server_that_keeps_its_own_time_to_live_is_told(zone: MemoryZone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone, "_apply", lambda _change: "NOERROR")
    with pytest.raises(DnsError, match="keeps its time to live of 300 s") as caught:
        switch(zone, "lower", LOW).run()
    assert caught.value.reason == "not_applied"


def test_check_mode_says_the_same_and_sends_nothing(zone: MemoryZone) -> None:
    outcome = switch(zone, "lower", LOW).plan()
    assert (outcome.changed, outcome.before.ttl, outcome.after.ttl) == (True, NORMAL, LOW)
    assert zone.updates == 0
