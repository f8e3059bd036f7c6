# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The switch against a zone in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dns_zone import MemoryClock, MemoryZone

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError, DnsRefused, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import Guard, parse_guard
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.outcome import describe, diff
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch import LOST_ROUNDS, Switch
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import Expected, Wanted

NAME, GUARD_NAME = "db.shop.example.", "_continuity.db.shop.example."
TARGET = Target("shop.example.", NAME, (Address("127.0.0.1"),), GUARD_NAME)
TIME = MemoryClock()
MINE = Guard(7, "run-me", "claimed", int(TIME.time) + 60, "me@here")
OLD, NEW = "198.51.100.11", "203.0.113.11"
WANTED = Wanted((NEW,), Expected("set", (OLD,)), 5, "run-me", 7)


@pytest.fixture
def zone() -> MemoryZone:
    zone = MemoryZone()
    zone.put(NAME, "A", OLD, ttl=30)
    zone.put(GUARD_NAME, "TXT", f'"{MINE.text()}"')
    return zone


def switch(zone: MemoryZone, wanted: Wanted = WANTED, rtype: str = "A", deadline: float = 10.0) -> Switch:
    clock = MemoryClock()
    return Switch(TARGET, rtype, wanted, zone, Clock(clock.now, clock.monotonic, clock.pause), deadline)


FAST = pytest.mark.parametrize("guard", [None, MINE.text()], ids=["read first", "sent at once"])


@FAST
def test_record_and_guard_move_in_one_message(zone: MemoryZone, guard: str | None) -> None:
    outcome = switch(zone).run(guard)
    assert (outcome.status, outcome.changed) == ("switched", True)
    assert zone.stored(NAME, "A") == (NEW,)
    assert len(zone.writes) == zone.updates == 1
    assert {put.name for put in zone.writes[0].put} == {NAME, GUARD_NAME}
    found = parse_guard([zone.stored(GUARD_NAME, "TXT")[0].strip('"')])
    assert found is not None
    assert (found.epoch, found.run, found.state) == (7, "run-me", "switched")


@FAST
def test_the_result_tells_before_and_after(zone: MemoryZone, guard: str | None) -> None:
    result = describe(switch(zone).run(guard), TARGET, "A", WANTED)
    assert result["before"] == {"value": [OLD], "ttl": 30, "guard": MINE.text()}
    assert (result["after"]["value"], result["after"]["ttl"]) == ([NEW], 5)
    assert (result["serial_before"], result["serial_after"]) == (1002, 1003)
    assert result["rollback"] == {"expected": [NEW], "value": [OLD]}
    assert result["applied_at"] == "2027-01-15T08:00:00Z"
    assert result["clients_safe_at"] == "2027-01-15T08:00:30Z"


def test_the_second_run_sends_nothing(zone: MemoryZone) -> None:
    switch(zone).run()
    outcome = switch(zone).run()
    assert (outcome.status, outcome.changed, zone.updates) == ("already", False, 1)
    assert describe(outcome, TARGET, "A", WANTED)["clients_safe_at"] is None


def test_the_second_run_with_an_old_guard_text_changes_nothing(zone: MemoryZone) -> None:
    switch(zone).run(MINE.text())
    serial = zone.serial
    outcome = switch(zone).run(MINE.text())
    assert (outcome.status, outcome.changed, zone.serial) == ("already", False, serial)


@FAST
@pytest.mark.parametrize("values", [("198.51.100.99",), (OLD, NEW), ()])
def test_an_editors_value_is_kept(zone: MemoryZone, guard: str | None, values: tuple[str, ...]) -> None:
    zone.remove(NAME, "A")
    if values:
        zone.put(NAME, "A", *values)
    with pytest.raises(DnsRefused) as caught:
        switch(zone).run(guard)
    assert caught.value.reason == "conflict"
    assert caught.value.fields["before"]["value"] == sorted(values)
    assert caught.value.fields["value"] == [NEW]
    assert zone.stored(NAME, "A") == tuple(sorted(values))
    assert not zone.writes


def test_an_editor_between_reading_and_writing_is_noticed(zone: MemoryZone) -> None:
    zone.after_read = lambda: zone.put(NAME, "A", "198.51.100.99")
    with pytest.raises(DnsRefused) as caught:
        switch(zone).run()
    assert caught.value.reason == "conflict"
    assert zone.stored(NAME, "A") == ("198.51.100.99",)


@FAST
def test_a_run_that_lost_its_claim_is_refused(zone: MemoryZone, guard: str | None) -> None:
    later = replace(MINE, epoch=8, run="run-other")
    zone.put(GUARD_NAME, "TXT", f'"{later.text()}"')
    with pytest.raises(DnsRefused) as caught:
        switch(zone).run(guard)
    assert caught.value.reason == "stale_epoch"
    assert zone.stored(NAME, "A") == (OLD,)


@FAST
def test_without_a_guard_the_claim_is_missing(zone: MemoryZone, guard: str | None) -> None:
    zone.remove(GUARD_NAME, "TXT")
    with pytest.raises(DnsRefused) as caught:
        switch(zone).run(guard)
    assert caught.value.reason == "claim_missing"


def test_a_guard_text_of_another_run_is_not_sent(zone: MemoryZone) -> None:
    """A mistaken option must not let a run move the record under somebody else's claim."""
    other = replace(MINE, run="run-other")
    zone.put(GUARD_NAME, "TXT", f'"{other.text()}"')
    with pytest.raises(DnsRefused) as caught:
        switch(zone).run(other.text())
    assert (caught.value.reason, zone.updates) == ("claim_missing", 0)


def test_a_guard_renewed_meanwhile_is_read_and_used(zone: MemoryZone) -> None:
    renewed = replace(MINE, until=MINE.until + 60)
    zone.put(GUARD_NAME, "TXT", f'"{renewed.text()}"')
    outcome = switch(zone).run(MINE.text())
    assert (outcome.status, zone.updates) == ("switched", 2)


@FAST
def test_a_lost_answer_is_read_again_and_found_applied(zone: MemoryZone, guard: str | None) -> None:
    zone.faults = ["lost reply"]
    outcome = switch(zone).run(guard)
    assert (outcome.status, outcome.changed, zone.updates) == ("switched", True, 1)
    assert outcome.before.values == (OLD,)


@FAST
def test_a_lost_message_is_sent_again(zone: MemoryZone, guard: str | None) -> None:
    zone.faults = ["lost"]
    outcome = switch(zone).run(guard)
    assert (outcome.status, outcome.changed, zone.updates) == ("switched", True, 2)


def test_a_server_that_swallows_changes_ends_unknown(zone: MemoryZone) -> None:
    zone.faults = ["lost"] * 1000
    clock = MemoryClock()

    def slow(*args: Any) -> Any:
        clock.pause(3)
        return MemoryZone.change(zone, *args)

    zone.change = slow
    doing = Switch(TARGET, "A", WANTED, zone, Clock(clock.now, clock.monotonic, clock.pause), 10)
    with pytest.raises(DnsError, match="may be applied") as caught:
        doing.run()
    assert caught.value.reason == "unknown"
    assert zone.updates == 4


def test_an_unreachable_primary_is_tried_until_the_deadline(zone: MemoryZone) -> None:
    zone.reachable = False
    with pytest.raises(Unreachable) as caught:
        switch(zone, deadline=5).run()
    assert caught.value.reason == "timeout"


def test_a_primary_that_comes_back_is_used(zone: MemoryZone) -> None:
    clock = MemoryClock()

    def pause(seconds: float) -> None:
        clock.pause(seconds)
        zone.reachable = clock.time > TIME.time + 3

    zone.reachable = False
    assert Switch(TARGET, "A", WANTED, zone, Clock(clock.now, clock.monotonic, pause), 5).run().changed


def test_a_record_that_everybody_writes_is_given_up(zone: MemoryZone) -> None:
    zone.faults = ["NXRRSET"] * 100
    with pytest.raises(DnsError, match="all the time") as caught:
        switch(zone).run()
    assert (caught.value.reason, zone.updates) == ("conflict", LOST_ROUNDS)


@pytest.mark.parametrize(
    ("rcode", "reason"),
    [("REFUSED", "refused_acl"), ("NOTAUTH", "not_authoritative"), ("NOTZONE", "not_zone"), ("SERVFAIL", "servfail")],
)
@FAST
def test_an_answer_that_is_an_error_is_one(zone: MemoryZone, guard: str | None, rcode: str, reason: str) -> None:
    zone.faults = [rcode]
    with pytest.raises(DnsError) as caught:
        switch(zone).run(guard)
    assert (caught.value.reason, zone.updates) == (reason, 1)


def test_an_alias_beside_an_address_is_accepted_and_ignored_by_the_server(zone: MemoryZone) -> None:
    wanted = Wanted(("elsewhere.example.",), Expected("absent"), 5, "run-me", 7)
    with pytest.raises(DnsError, match="still holds nothing") as caught:
        switch(zone, wanted, "CNAME").run()
    assert caught.value.reason == "not_applied"


def test_an_address_in_place_of_an_alias_is_a_conflict(zone: MemoryZone) -> None:
    zone.remove(NAME, "A")
    zone.put(NAME, "CNAME", "elsewhere.example.")
    with pytest.raises(DnsRefused, match="someone else") as caught:
        switch(zone, replace(WANTED, expected=Expected("absent"))).run()
    assert caught.value.reason == "conflict"


def test_an_alias_that_somebody_makes_meanwhile_is_a_conflict_and_the_claim_stays(zone: MemoryZone) -> None:
    """A server ignores an address beside an alias and says NOERROR: the claim would be closed with no record moved."""
    zone.remove(NAME, "A")
    zone.after_read = lambda: zone.put(NAME, "CNAME", "elsewhere.example.")
    with pytest.raises(DnsRefused, match="someone else") as caught:
        switch(zone, replace(WANTED, expected=Expected("absent"))).run()
    assert (caught.value.reason, zone.writes) == ("conflict", [])
    assert zone.stored(GUARD_NAME, "TXT") == (f'"{MINE.text()}"',)


def test_a_wrong_zone_is_noticed_before_anything_is_sent(zone: MemoryZone) -> None:
    zone.put("x.sub.shop.example.", "A", OLD)
    target = replace(TARGET, zone="sub.shop.example.", name="x.sub.shop.example.", guard_name="_g.sub.shop.example.")
    clock = MemoryClock()
    wrong = Switch(target, "A", WANTED, zone, Clock(clock.now, clock.monotonic, clock.pause), 5)
    with pytest.raises(DnsError, match="not a zone of its own") as caught:
        wrong.run()
    assert (caught.value.reason, zone.updates) == ("not_zone", 0)


def test_a_new_record_is_made_and_negative_answers_count(zone: MemoryZone) -> None:
    zone.remove(NAME, "A")
    wanted = replace(WANTED, expected=Expected("absent"), ttl=None)
    outcome = switch(zone, wanted).run(MINE.text())
    assert zone.stored(NAME, "A") == (NEW,)
    result = describe(outcome, TARGET, "A", wanted)
    assert result["after"]["ttl"] == 60
    assert result["clients_safe_at"] == "2027-01-15T08:00:03Z"


def test_a_guard_text_without_a_ttl_reads_first_and_keeps_the_ttl(zone: MemoryZone) -> None:
    outcome = switch(zone, replace(WANTED, ttl=None)).run(MINE.text())
    assert outcome.after.ttl == 30


def test_without_claims_the_guard_stays(zone: MemoryZone) -> None:
    closed = replace(MINE, state="released")
    zone.put(GUARD_NAME, "TXT", f'"{closed.text()}"')
    plain = replace(WANTED, run_id=None, epoch=None)
    assert switch(zone, plain).run().changed
    assert zone.stored(GUARD_NAME, "TXT") == (f'"{closed.text()}"',)


def test_a_claim_taken_after_reading_stops_a_switch_without_claims(zone: MemoryZone) -> None:
    zone.remove(GUARD_NAME, "TXT")
    zone.after_read = lambda: zone.put(GUARD_NAME, "TXT", f'"{MINE.text()}"')
    with pytest.raises(DnsRefused) as caught:
        switch(zone, replace(WANTED, run_id=None, epoch=None)).run()
    assert caught.value.reason == "claim_held"
    assert zone.stored(NAME, "A") == (OLD,)


def test_a_later_run_right_after_ours_is_told_as_such(zone: MemoryZone) -> None:
    def take_over() -> None:
        zone.put(NAME, "A", "198.51.100.99")
        zone.put(GUARD_NAME, "TXT", f'"{replace(MINE, epoch=8, run="run-other").text()}"')

    real = zone.change

    def change(*args: Any) -> Any:
        done = real(*args)
        take_over()
        return done

    zone.change = change
    with pytest.raises(DnsRefused) as caught:
        switch(zone).run()
    assert caught.value.reason == "stale_epoch"


def test_a_ttl_the_server_does_not_keep_is_a_warning(zone: MemoryZone) -> None:
    outcome = switch(zone).run()
    outcome = replace(outcome, after=replace(outcome.after, ttl=60))
    assert "the server holds 60 s" in describe(outcome, TARGET, "A", WANTED)["warnings"][0]


def test_check_mode_decides_and_sends_nothing(zone: MemoryZone) -> None:
    outcome = switch(zone).plan()
    assert (outcome.status, outcome.changed, zone.updates) == ("switched", True, 0)
    assert diff(outcome, TARGET, "A")["before"].splitlines()[0] == f"{NAME} 30 IN A {OLD}"
    assert diff(outcome, TARGET, "A")["after"].splitlines()[0] == f"{NAME} 5 IN A {NEW}"
    assert "state=switched" in diff(outcome, TARGET, "A")["after"]
    switch(zone).run()
    assert switch(zone).plan().changed is False


def test_check_mode_refuses_as_the_switch_would(zone: MemoryZone) -> None:
    zone.put(NAME, "A", "198.51.100.99")
    with pytest.raises(DnsRefused) as caught:
        switch(zone).plan()
    assert caught.value.reason == "conflict"


def test_check_mode_takes_a_claim_that_was_not_written_for_taken(zone: MemoryZone) -> None:
    before = replace(MINE, epoch=6, run="run-other", state="switched")
    zone.put(GUARD_NAME, "TXT", f'"{before.text()}"')
    assert switch(zone).plan(MINE.text()).changed
    with pytest.raises(DnsRefused) as caught:
        switch(zone).plan()
    assert caught.value.reason == "claim_missing"


def test_check_mode_does_not_take_an_old_claim_for_a_later_one(zone: MemoryZone) -> None:
    zone.put(GUARD_NAME, "TXT", f'"{replace(MINE, epoch=8, run="run-other").text()}"')
    with pytest.raises(DnsRefused) as caught:
        switch(zone).plan(MINE.text())
    assert caught.value.reason == "stale_epoch"
