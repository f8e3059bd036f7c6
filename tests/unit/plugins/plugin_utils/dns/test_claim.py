# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Claims against a zone in memory: what is written, what is refused, and what a lost answer leads to."""

from __future__ import annotations

from typing import Any

import pytest
from dns_zone import MemoryClock, MemoryZone

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import ROUNDS, Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError, DnsRefused
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import Guard, parse_guard
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Key, Target

NAME, GUARD = "db.shop.example.", "_continuity.db.shop.example."
TARGET = Target("shop.example.", NAME, (Address("127.0.0.1"),), GUARD, Key("continuity.", "hmac-sha256", "c2VjcmV0"))
TIME = MemoryClock()


@pytest.fixture
def zone() -> MemoryZone:
    return MemoryZone()


def claims(zone: MemoryZone, run: str = "run-a", clock: MemoryClock = TIME, **claimant: Any) -> Claims:
    ticking = Clock(clock.now, clock.monotonic, clock.pause)
    return Claims(TARGET, Claimant(run, f"{run}@host", **claimant), zone, ticking, "A")


def written(zone: MemoryZone) -> Guard | None:
    return parse_guard([text.strip('"') for text in zone.stored(GUARD, "TXT")])


def test_the_first_claim_is_written(zone: MemoryZone) -> None:
    result = claims(zone).claim()
    assert (result["status"], result["changed"], result["epoch"], result["usable"]) == ("claimed", True, 1, True)
    assert result["guard_before"] is None
    assert result["guard"] == result["guard_after"] == zone.stored(GUARD, "TXT")[0].strip('"')
    assert result["usable_seconds"] == pytest.approx(90, abs=1)
    assert result["seconds_left"] == pytest.approx(150, abs=1)


def test_a_claim_proves_the_right_to_change_the_record(zone: MemoryZone) -> None:
    claims(zone).claim()
    (probe,) = zone.writes[0].probe
    assert (probe.name, probe.type, probe.stored) == (NAME, "A", ("0.0.0.0",))
    assert zone.stored(NAME, "A") == ()


def test_a_second_run_is_refused_and_told_by_whom(zone: MemoryZone) -> None:
    claims(zone).claim()
    with pytest.raises(DnsRefused, match="run-a@host") as caught:
        claims(zone, "run-b").claim()
    assert caught.value.reason == "claim_held"
    held = caught.value.fields["held_by"]
    assert (held["run_id"], held["owner"], held["epoch"]) == ("run-a", "run-a@host", 1)
    assert held["seconds_left"] == pytest.approx(150, abs=1)
    assert zone.updates == 1


def test_the_same_run_renews(zone: MemoryZone) -> None:
    clock = MemoryClock()
    claims(zone, clock=clock).claim()
    clock.pause(60)
    result = claims(zone, clock=clock).claim()
    assert (result["status"], result["epoch"]) == ("adopted", 1)
    assert result["usable_seconds"] == pytest.approx(90, abs=1)


def test_an_ended_claim_is_taken_over(zone: MemoryZone) -> None:
    clock = MemoryClock()
    first = claims(zone, clock=clock).claim()
    clock.pause(151)
    result = claims(zone, "run-b", clock).claim()
    assert (result["status"], result["epoch"]) == ("claimed", 2)
    assert result["taken_over"] == first["guard"]


def test_a_run_that_slept_is_refused_afterwards(zone: MemoryZone) -> None:
    clock = MemoryClock()
    claims(zone, clock=clock).claim()
    clock.pause(151)
    claims(zone, "run-b", clock).claim()
    assert claims(zone, clock=clock).observe()["usable"] is False
    with pytest.raises(DnsRefused, match="claimed by run run-b"):
        claims(zone, clock=clock).claim()


def test_release_keeps_the_epoch_and_frees_the_claim(zone: MemoryZone) -> None:
    claims(zone).claim()
    result = claims(zone).release()
    assert (result["status"], result["changed"], result["state"], result["epoch"]) == ("released", True, "released", 1)
    assert claims(zone).release()["changed"] is False
    assert claims(zone, "run-b").claim()["epoch"] == 2


def test_what_is_not_ones_own_is_not_given_back(zone: MemoryZone) -> None:
    assert claims(zone).release()["status"] == "not_own"
    claims(zone).claim()
    result = claims(zone, "run-b").release()
    assert (result["status"], result["changed"], result["run_id"]) == ("not_own", False, "run-a")
    assert zone.updates == 1


@pytest.mark.parametrize(
    ("run", "seconds", "status", "usable"),
    [
        ("run-a", 0, "own", True),
        ("run-a", 100, "own", False),
        ("run-b", 100, "held", False),
        ("run-b", 149, "held", False),
        ("run-b", 151, "free", False),
    ],
)
def test_a_claim_is_observed(zone: MemoryZone, run: str, seconds: int, status: str, usable: bool) -> None:
    clock = MemoryClock()
    claims(zone, clock=clock).claim()
    clock.pause(seconds)
    result = claims(zone, run, clock).observe()
    assert (result["status"], result["usable"], result["changed"]) == (status, usable, False)
    assert zone.updates == 1


def test_nothing_to_observe_is_free(zone: MemoryZone) -> None:
    result = claims(zone).observe()
    assert (result["status"], result["epoch"], result["guard"]) == ("free", 0, None)


@pytest.mark.parametrize("state", ["claimed", "released"])
def test_check_mode_sends_nothing(zone: MemoryZone, state: str) -> None:
    if state == "released":
        claims(zone).claim()
    before = zone.updates, written(zone)
    result = claims(zone).claim(check_mode=True) if state == "claimed" else claims(zone).release(check_mode=True)
    assert (result["status"], result["changed"]) == (state, True)
    assert (zone.updates, written(zone)) == before


def test_who_is_first_between_reading_and_writing_wins(zone: MemoryZone) -> None:
    zone.after_read = lambda: claims(zone, "run-b").claim() and None
    with pytest.raises(DnsRefused, match="run-b"):
        claims(zone).claim()
    found = written(zone)
    assert found is not None
    assert (found.run, found.epoch) == ("run-b", 1)


def test_a_lost_answer_is_read_again_and_found_applied(zone: MemoryZone) -> None:
    zone.faults = ["lost reply"]
    result = claims(zone).claim()
    assert (result["status"], result["changed"], result["guard_before"]) == ("claimed", True, None)
    assert zone.updates == 1


def test_a_lost_message_is_sent_again(zone: MemoryZone) -> None:
    zone.faults = ["lost", "lost"]
    assert claims(zone).claim()["status"] == "claimed"
    assert zone.updates == 3


def test_a_lost_answer_of_a_renewal_is_not_mistaken_for_the_old_claim(zone: MemoryZone) -> None:
    clock = MemoryClock()
    claims(zone, clock=clock).claim()
    clock.pause(60)
    zone.faults = ["lost"]
    result = claims(zone, clock=clock).claim()
    assert (result["status"], zone.updates) == ("adopted", 3)
    assert result["usable_seconds"] == pytest.approx(90, abs=1)


def test_a_server_that_answers_no_change_ends_unknown(zone: MemoryZone) -> None:
    zone.faults = ["lost"] * ROUNDS
    with pytest.raises(DnsError, match="may stand") as caught:
        claims(zone).claim()
    assert caught.value.reason == "unknown"


def test_a_server_that_dies_after_the_change_ends_unknown(zone: MemoryZone) -> None:
    zone.faults = ["lost reply"]
    zone.after_read = lambda: setattr(zone, "reachable", True)
    real = zone.change

    def change(*args: Any) -> Any:
        try:
            return real(*args)
        finally:
            zone.reachable = False

    zone.change = change
    with pytest.raises(DnsError, match="not answered") as caught:
        claims(zone).claim()
    assert caught.value.reason == "unknown"


def test_a_release_whose_answers_get_lost_says_so(zone: MemoryZone) -> None:
    claims(zone).claim()
    zone.faults = ["lost"] * ROUNDS
    with pytest.raises(DnsError, match="ends by itself") as caught:
        claims(zone).release()
    assert caught.value.reason == "unknown"


def test_a_fight_ends_contended(zone: MemoryZone) -> None:
    zone.faults = ["YXRRSET"] * ROUNDS
    with pytest.raises(DnsError, match="other runs write it") as caught:
        claims(zone).claim()
    assert caught.value.reason == "contended"


@pytest.mark.parametrize("state", ["claimed", "released", "observed"])
def test_no_arbiter_is_a_refusal_with_a_waiver_of_its_own(zone: MemoryZone, state: str) -> None:
    zone.reachable = False
    mine = claims(zone)
    with pytest.raises(DnsRefused) as caught:
        {"claimed": mine.claim, "released": mine.release, "observed": mine.observe}[state]()
    assert caught.value.reason == "arbiter_unreachable"
    assert caught.value.refusal.waivable


def test_a_text_that_is_no_guard_is_left_alone(zone: MemoryZone) -> None:
    zone.put(GUARD, "TXT", '"v=spf1 -all"')
    with pytest.raises(DnsError, match="left alone") as caught:
        claims(zone).claim()
    assert caught.value.reason == "guard_unreadable"
    assert zone.stored(GUARD, "TXT") == ('"v=spf1 -all"',)


@pytest.mark.parametrize(
    ("rcode", "reason"),
    [
        ("REFUSED", "refused_acl"),
        ("NOTAUTH", "not_authoritative"),
        ("NOTZONE", "not_zone"),
        ("FORMERR", "formerr"),
        ("SERVFAIL", "servfail"),
        ("NOTIMP", "notimp"),
        ("BADVERS", "unknown"),
    ],
)
def test_each_answer_code_has_its_word(zone: MemoryZone, rcode: str, reason: str) -> None:
    zone.faults = [rcode]
    with pytest.raises(DnsError) as caught:
        claims(zone).claim()
    assert caught.value.reason == reason
    assert written(zone) is None


def test_a_server_without_the_zone_is_not_believed(zone: MemoryZone) -> None:
    zone.zone = "other.example."
    with pytest.raises(DnsError, match="not authoritative for shop.example.") as caught:
        claims(zone).claim()
    assert caught.value.reason == "not_authoritative"
