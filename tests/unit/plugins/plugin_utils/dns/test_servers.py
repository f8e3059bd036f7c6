# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What several servers say, read once or watched."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from dns_zone import MemoryClock, MemoryZone

from ansible_collections.continuity.dr.plugins.plugin_utils.dns import servers as servers_module
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Answer, Question
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.observe import observe
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.servers import discover, system_resolver
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.verify import SILENT_ROUNDS, Goal, Verification

NAME, OLD, NEW = "db.shop.example.", "198.51.100.11", "203.0.113.11"
GUARD_TEXT = "epoch=7 run=run-a state=claimed until=2027-01-15T08:01:00Z owner=me@here"
PRIMARY, ONE, TWO = Address("198.51.100.153"), Address("198.51.100.53"), Address("203.0.113.53")
TARGET = Target("shop.example.", NAME, (PRIMARY,), "_continuity." + NAME, None, (ONE, TWO, PRIMARY))
SILENT, LAME, BROKEN = Answer("TIMEOUT"), Answer("REFUSED"), Answer("SERVFAIL")


@pytest.fixture
def zone() -> MemoryZone:
    zone = MemoryZone()
    zone.put(NAME, "A", NEW)
    zone.put("_continuity." + NAME, "TXT", f'"{GUARD_TEXT}"')
    return zone


class Fleet:
    """Secondaries: each says what the primary's copy it was given says, or always the same answer."""

    def __init__(self, **states: MemoryZone | Answer) -> None:
        self.states = {"one": ONE, "two": TWO}
        self.says = {self.states[name]: state for name, state in states.items()}
        self.asked: dict[Address, int] = {}
        self.before: Callable[[Address, int], None] = lambda address, count: None
        self.lock = threading.Lock()

    def ask(self, address: Address, question: Question, timeout: float) -> Answer:
        with self.lock:
            if question.type == "SOA":
                self.asked[address] = self.asked.get(address, 0) + 1
                self.before(address, self.asked[address])
            state = self.says[address]
            return state if isinstance(state, Answer) else state.ask(question)[0]


def old_copy() -> MemoryZone:
    copy = MemoryZone(serial=900)
    copy.put(NAME, "A", OLD, ttl=30)
    return copy


def copy_of(zone: MemoryZone) -> MemoryZone:
    return MemoryZone(sets=dict(zone.sets), serial=zone.serial)


def verify(zone: MemoryZone, fleet: Fleet, goal: Goal, target: Target = TARGET) -> dict[str, object]:
    clock = MemoryClock()
    return Verification(target, "A", goal, zone, Clock(clock.now, clock.monotonic, clock.pause), fleet.ask).run()


GOAL = Goal((NEW,), previous_ttl=30)


def test_all_fresh_is_verified(zone: MemoryZone) -> None:
    result = verify(zone, Fleet(one=copy_of(zone), two=copy_of(zone)), GOAL)
    assert (result["status"], result["changed"], result["fresh"], result["required"]) == ("verified", False, 3, 3)
    servers = result["servers"]
    assert isinstance(servers, list)
    assert [server["address"] for server in servers] == [str(PRIMARY), str(ONE), str(TWO)]
    assert set(servers[1]) == {"address", "state", "serial", "value", "ttl", "elapsed_ms"}
    assert result["clients_safe_at"] == "2027-01-15T08:00:30Z"


def test_without_an_old_ttl_nobody_guesses_when_clients_are_safe(zone: MemoryZone) -> None:
    fleet = Fleet(one=copy_of(zone), two=copy_of(zone))
    assert verify(zone, fleet, Goal((NEW,)))["clients_safe_at"] is None


def test_a_server_that_follows_late_is_waited_for(zone: MemoryZone) -> None:
    fleet = Fleet(one=copy_of(zone), two=old_copy())

    def follow(address: Address, count: int) -> None:
        if address == TWO and count == 4:
            fleet.says[TWO] = copy_of(zone)

    fleet.before = follow
    result = verify(zone, fleet, Goal((NEW,)))
    assert (result["status"], fleet.asked[TWO], fleet.asked[ONE]) == ("verified", 4, 1)
    assert result["clients_safe_at"] == "2027-01-15T08:00:31Z"  # its old answer lived 30 s


def test_a_stale_server_is_partial_and_named(zone: MemoryZone) -> None:
    with pytest.raises(DnsError, match=f"2 of 3 servers serve {NEW}.*{TWO} is stale") as caught:
        verify(zone, Fleet(one=copy_of(zone), two=old_copy()), GOAL)
    assert caught.value.reason == caught.value.fields["status"] == "partial"
    assert caught.value.fields["clients_safe_at"] is None
    assert caught.value.fields["servers"][2]["value"] == [OLD]


@pytest.mark.parametrize(
    ("answer", "state"), [(SILENT, "unreachable"), (LAME, "lame"), (BROKEN, "servfail"), (Answer("NOERROR"), "lame")]
)
def test_each_way_of_not_serving_has_its_word(zone: MemoryZone, answer: Answer, state: str) -> None:
    with pytest.raises(DnsError) as caught:
        verify(zone, Fleet(one=copy_of(zone), two=answer), GOAL)
    assert [server["state"] for server in caught.value.fields["servers"]] == ["fresh", "fresh", state]


def test_a_silent_server_does_not_hold_everything_until_the_deadline(zone: MemoryZone) -> None:
    fleet = Fleet(one=copy_of(zone), two=SILENT)
    with pytest.raises(DnsError):
        verify(zone, fleet, Goal((NEW,), deadline=3600))
    assert fleet.asked[TWO] == SILENT_ROUNDS


def test_a_server_with_the_value_and_an_old_serial_is_stale(zone: MemoryZone) -> None:
    there_and_back = MemoryZone(serial=900, sets=dict(zone.sets))
    with pytest.raises(DnsError, match="is stale"):
        verify(zone, Fleet(one=copy_of(zone), two=there_and_back), GOAL)
    assert verify(zone, Fleet(one=copy_of(zone), two=there_and_back), Goal((NEW,), minimum_serial=900))["fresh"] == 3


def test_fewer_servers_may_be_enough(zone: MemoryZone) -> None:
    result = verify(zone, Fleet(one=copy_of(zone), two=old_copy()), Goal((NEW,), require=2))
    assert (result["status"], result["fresh"], result["clients_safe_at"]) == ("verified", 2, None)
    with pytest.raises(DnsError, match="4 must"):
        verify(zone, Fleet(one=copy_of(zone), two=copy_of(zone)), Goal((NEW,), require=4))


def test_a_dead_primary_is_one_of_the_servers(zone: MemoryZone) -> None:
    fleet = Fleet(one=copy_of(zone), two=copy_of(zone))
    serial = zone.serial
    zone.reachable = False
    assert verify(zone, fleet, Goal((NEW,), require=2, minimum_serial=serial))["fresh"] == 2
    with pytest.raises(DnsError, match=f"{PRIMARY} is unreachable"):
        verify(zone, fleet, GOAL)


def test_a_dead_primary_without_declared_servers_is_a_timeout(zone: MemoryZone) -> None:
    zone.reachable = False
    with pytest.raises(DnsError, match="Give 'authoritative'") as caught:
        verify(zone, Fleet(), GOAL, Target("shop.example.", NAME, (PRIMARY,), "_continuity." + NAME))
    assert caught.value.reason == "timeout"


def look(
    zone: MemoryZone, fleet: Fleet, target: Target = TARGET, unsigned: MemoryZone | None = None
) -> dict[str, object]:
    clock = MemoryClock()
    return observe(target, "A", zone, unsigned, fleet.ask, Clock(clock.now, clock.monotonic, clock.pause))


def test_everything_is_observed(zone: MemoryZone) -> None:
    result = look(zone, Fleet(one=copy_of(zone), two=old_copy()))
    assert (result["reachable"], result["value"], result["ttl"], result["serial"]) == (True, [NEW], 5, zone.serial)
    assert (result["epoch"], result["guard"], result["problems"]) == (7, GUARD_TEXT, [])
    claim = result["claim"]
    assert isinstance(claim, dict)
    assert (claim["run_id"], claim["state"], claim["seconds_left"]) == ("run-a", "claimed", 90.0)
    servers = result["servers"]
    assert isinstance(servers, list)
    assert [server["state"] for server in servers] == ["fresh", "fresh", "stale"]


def test_a_dead_primary_is_data_and_the_newest_other_server_speaks(zone: MemoryZone) -> None:
    fleet = Fleet(one=old_copy(), two=copy_of(zone))
    zone.reachable = False
    result = look(zone, fleet)
    assert (result["reachable"], result["source"], result["value"], result["epoch"]) == (False, str(TWO), [NEW], 7)
    servers = result["servers"]
    assert isinstance(servers, list)
    assert [server["state"] for server in servers] == ["unreachable", "stale", "fresh"]
    problems = result["problems"]
    assert isinstance(problems, list)
    assert problems[0]["reason"] == "timeout"


def test_nobody_answers_is_data(zone: MemoryZone) -> None:
    zone.reachable = False
    result = look(zone, Fleet(one=SILENT, two=LAME))
    assert (result["value"], result["source"], result["serial"], result["epoch"]) == (None, None, None, 0)


def test_a_record_that_does_not_exist_is_not_an_unknown_one(zone: MemoryZone) -> None:
    zone.remove(NAME, "A")
    result = look(zone, Fleet(one=copy_of(zone), two=copy_of(zone)))
    assert (result["reachable"], result["value"], result["ttl"]) == (True, [], None)


def test_a_wrong_key_is_a_problem_and_the_values_are_still_read(zone: MemoryZone) -> None:
    class Locked(MemoryZone):
        def ask(self, *questions: Question) -> list[Answer]:
            raise DnsError("tsig_badkey", "it does not know the key")

    result = look(Locked(), Fleet(one=copy_of(zone), two=copy_of(zone)), unsigned=zone)
    assert (result["reachable"], result["value"]) == (True, [NEW])
    assert result["problems"] == [{"reason": "tsig_badkey", "message": "it does not know the key"}]


def test_a_server_without_the_zone_is_a_problem(zone: MemoryZone) -> None:
    other = MemoryZone(zone="other.example.")
    result = look(other, Fleet(one=copy_of(zone), two=copy_of(zone)))
    assert result["reachable"] is False
    problems = result["problems"]
    assert isinstance(problems, list)
    assert problems[0]["reason"] == "not_authoritative"


def test_a_guard_that_cannot_be_read_is_a_problem(zone: MemoryZone) -> None:
    zone.put("_continuity." + NAME, "TXT", '"v=spf1 -all"')
    result = look(zone, Fleet(one=copy_of(zone), two=copy_of(zone)))
    assert (result["guard"], result["epoch"]) == (None, 0)
    problems = result["problems"]
    assert isinstance(problems, list)
    assert problems[0]["reason"] == "guard_unreadable"


DISCOVERED = Target("shop.example.", NAME, (Address("198.51.100.153", 5353),), "_continuity." + NAME)


def test_servers_are_found_from_the_zone_with_every_address(zone: MemoryZone) -> None:
    zone.put(
        "shop.example.", "NS", "ns0.shop.example.", "ns1.shop.example.", "ns.elsewhere.example.", "ns.gone.example."
    )
    zone.put("ns0.shop.example.", "A", "198.51.100.153")
    zone.put("ns1.shop.example.", "A", "198.51.100.53")
    zone.put("ns1.shop.example.", "AAAA", "2001:db8::53")
    asked = []

    def resolve(name: str, timeout: float) -> list[str]:
        asked.append(name)
        return ["203.0.113.53"] if name == "ns.elsewhere.example." else []

    found = discover(zone, DISCOVERED, resolve)
    assert sorted(map(str, found.addresses)) == ["198.51.100.53#5353", "2001:db8::53#5353", "203.0.113.53#5353"]
    assert found.unresolved == ("ns.gone.example.",)
    assert sorted(asked) == ["ns.elsewhere.example.", "ns.gone.example."]


def test_a_server_that_cannot_be_found_is_never_left_out(zone: MemoryZone, monkeypatch: pytest.MonkeyPatch) -> None:
    zone.put("shop.example.", "NS", "ns.gone.example.")
    nothing: list[str] = []
    for module in ("observe", "verify"):
        monkeypatch.setattr(f"{observe.__module__.rpartition('.')[0]}.{module}.system_resolver", lambda *_: nothing)
    with pytest.raises(DnsError, match="ns.gone.example. is unreachable"):
        verify(zone, Fleet(), GOAL, DISCOVERED)
    servers = look(zone, Fleet(), DISCOVERED)["servers"]
    assert isinstance(servers, list)
    assert (servers[1]["address"], servers[1]["state"]) == ("ns.gone.example.", "unreachable")


def test_the_controllers_resolver_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        hanging.wait(5)
        raise OSError

    monkeypatch.setattr(servers_module.socket, "getaddrinfo", getaddrinfo)
    assert system_resolver("ns.elsewhere.example.", 0.05) == []
    hanging.set()


def test_the_controllers_resolver_may_not_know() -> None:
    assert system_resolver("no-such-name.invalid.", 5.0) == []
    assert "127.0.0.1" in system_resolver("localhost.", 5.0)


def test_a_primary_that_hangs_is_waited_for_while_the_declared_others_are_asked(
    zone: MemoryZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other a dead name server would cost its bound twice, in the observation of an outage."""
    fleet, others_asked = Fleet(one=copy_of(zone), two=copy_of(zone)), threading.Event()
    fleet.before = lambda _address, _count: others_asked.set()

    def hangs(*_questions: Question) -> list[Answer]:
        assert others_asked.wait(60), "nobody else is asked before the primary has answered"
        raise Unreachable("198.51.100.153 gave no answer within 3 s")

    monkeypatch.setattr(zone, "ask", hangs)
    result = look(zone, fleet)
    assert (result["reachable"], result["value"]) == (False, [NEW])
