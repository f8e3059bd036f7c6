# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Claim, switch and verify against BIND 9 on loopback."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from dns_endpoint import NEW, OLD, OTHER, Endpoint, failing, key
from dns_named import DEAF, FOLLOWER, LOOPBACK, PRIMARY, SECRETS, ZONE, NameServers, free_ports

from ansible_collections.continuity.dr.plugins.plugin_utils.dns import transport, wire
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Change, Question, RecordSet
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import ask_server
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.observe import observe
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Key
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch import Switch
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import Expected, Wanted


@pytest.fixture
def endpoint(name_servers: NameServers) -> Endpoint:
    return Endpoint(name_servers)


GUARDS = pytest.mark.parametrize("fast", [False, True], ids=["read first", "sent at once"])


@GUARDS
def test_claim_switch_verify(endpoint: Endpoint, fast: bool) -> None:
    claim = endpoint.claim()
    before = endpoint.servers.updates()
    outcome = endpoint.switch(endpoint.wanted(claim), claim["guard"] if fast else None)
    assert (outcome.status, outcome.before.values, outcome.after.values) == ("switched", (OLD,), (NEW,))
    assert endpoint.servers.updates() == before + 1
    assert outcome.after.guard is not None
    assert (outcome.after.guard.state, outcome.after.guard.epoch) == ("switched", claim["epoch"])
    result = endpoint.verify(endpoint.address(FOLLOWER), minimum_serial=outcome.after.serial)
    assert (result["status"], result["fresh"]) == ("verified", 2)
    assert endpoint.values(FOLLOWER) == [NEW]


def test_the_second_run_sends_no_update(endpoint: Endpoint) -> None:
    claim = endpoint.claim()
    endpoint.switch(endpoint.wanted(claim), claim["guard"])
    before = endpoint.servers.updates(), endpoint.serial()
    outcome = endpoint.switch(endpoint.wanted(claim))
    assert (outcome.status, outcome.changed) == ("already", False)
    assert (endpoint.servers.updates(), endpoint.serial()) == before


def test_the_second_run_with_the_old_guard_text_changes_nothing(endpoint: Endpoint) -> None:
    claim = endpoint.claim()
    endpoint.switch(endpoint.wanted(claim), claim["guard"])
    serial = endpoint.serial()
    outcome = endpoint.switch(endpoint.wanted(claim), claim["guard"])
    assert (outcome.status, outcome.changed, endpoint.serial()) == ("already", False, serial)


def test_one_step_undone_by_hand_is_exactly_one_change(endpoint: Endpoint) -> None:
    claim = endpoint.claim()
    endpoint.switch(endpoint.wanted(claim))
    endpoint.edit(OLD)
    before = endpoint.servers.updates()
    assert endpoint.switch(endpoint.wanted(claim)).changed
    assert endpoint.servers.updates() == before + 1
    assert endpoint.values() == [NEW]


def test_the_right_to_change_the_record_is_proven_by_the_claim(endpoint: Endpoint) -> None:
    with failing("refused_acl"):
        endpoint.claim(key=key("guard-only"))
    assert endpoint.claim()["epoch"] == 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (key("stranger"), "tsig_badkey"),
        (replace(key("continuity"), algorithm="hmac-sha512"), "tsig_badkey"),
        (key("continuity", SECRETS["powerless"]), "tsig_badsig"),
        (key("powerless"), "refused_acl"),
    ],
    ids=["unknown key", "other algorithm", "wrong secret", "no right"],
)
@GUARDS
def test_a_wrong_key_has_its_word(endpoint: Endpoint, wrong: Key, reason: str, fast: bool) -> None:
    claim = endpoint.claim()
    with failing(reason) as caught:
        endpoint.switch(endpoint.wanted(claim), claim["guard"] if fast else None, key=wrong)
    assert wrong.name in str(caught.value)
    with failing(reason):
        endpoint.claim(key=wrong)
    assert endpoint.values() == [OLD]


@pytest.mark.parametrize("seconds", [600, -600])
def test_clocks_apart_are_shown_both(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    real = time.time
    wrong = SimpleNamespace(time=lambda: real() + seconds)
    monkeypatch.setattr(wire.dns.message, "time", wrong)
    monkeypatch.setattr(wire, "time", wrong)
    with failing("tsig_badtime") as caught:
        endpoint.claim()
    fields = caught.value.fields
    assert fields["delta_seconds"] == pytest.approx(-seconds, abs=2)
    assert fields["fudge_seconds"] == 300
    assert fields["local_time"] in str(caught.value)
    assert fields["server_time"] in str(caught.value)


def test_a_zone_the_server_does_not_have(endpoint: Endpoint) -> None:
    wrong: dict[str, Any] = {
        "zone": "other.example.",
        "name": "t.other.example.",
        "guard_name": "_continuity.t.other.example.",
    }
    with failing("not_authoritative"):
        endpoint.switch(endpoint.wanted(), **wrong)
    with failing("not_authoritative"):
        endpoint.claim(**wrong)
    claim = endpoint.claim()
    with failing("not_authoritative"):
        endpoint.switch(endpoint.wanted(claim), claim["guard"], **wrong)


def test_a_name_that_is_no_zone_of_its_own(endpoint: Endpoint) -> None:
    with failing("not_zone"):
        endpoint.switch(endpoint.wanted(), zone=endpoint.name)


def test_a_name_outside_the_zone_at_the_server(endpoint: Endpoint) -> None:
    """Refused before anything is contacted; should it ever be sent, the server's word is understood as well."""
    with endpoint.client() as client:
        outside = RecordSet("t.other.example.", "A", (NEW,), 5)
        assert client.change(Change(ZONE, (), (outside,)))[0] == "NOTZONE"


def test_a_secondary_is_no_primary(endpoint: Endpoint) -> None:
    endpoint.verify(endpoint.address(FOLLOWER), value=OLD)
    with failing("refused_acl") as caught:
        endpoint.switch(endpoint.wanted(), servers=(endpoint.address(FOLLOWER),))
    assert "or the server is a secondary" in str(caught.value)


@GUARDS
def test_an_editors_value_is_kept(endpoint: Endpoint, fast: bool) -> None:
    claim = endpoint.claim()
    endpoint.edit(OTHER)
    with failing("conflict") as caught:
        endpoint.switch(endpoint.wanted(claim), claim["guard"] if fast else None)
    assert caught.value.fields["before"]["value"] == [OTHER]
    assert endpoint.values() == [OTHER]


def test_an_editor_between_reading_and_writing_is_noticed(endpoint: Endpoint) -> None:
    claim = endpoint.claim()
    with endpoint.client() as client:
        real, reads = client.ask, []

        def ask(*questions: Question) -> Any:
            answers = real(*questions)
            if not reads:
                reads.append(answers)
                endpoint.edit(OTHER)
            return answers

        client.ask = ask
        with failing("conflict"):
            Switch(endpoint.target, "A", endpoint.wanted(claim), client, Clock(), 5).run()
    assert endpoint.values() == [OTHER]


@GUARDS
def test_a_run_that_lost_its_claim_is_refused(endpoint: Endpoint, fast: bool) -> None:
    old = endpoint.claim("run-a")
    with endpoint.client() as client:
        later = Clock(now=lambda: time.time() + 1000)
        Claims(endpoint.target, Claimant("run-b", "b@here"), client, later).claim()
    with failing("stale_epoch"):
        endpoint.switch(endpoint.wanted(old), old["guard"] if fast else None)
    assert endpoint.values() == [OLD]


@GUARDS
def test_without_a_claim_nothing_moves(endpoint: Endpoint, fast: bool) -> None:
    claim = {"run_id": "run-a", "epoch": 1}
    guard = "epoch=1 run=run-a state=claimed until=2026-11-22T03:17:00Z owner=me@here" if fast else None
    with failing("claim_missing"):
        endpoint.switch(endpoint.wanted(claim), guard)
    assert endpoint.values() == [OLD]


def test_an_alias_beside_an_address_is_not_applied(endpoint: Endpoint) -> None:
    wanted = Wanted(("elsewhere.example.",), Expected("absent"), 5)
    with failing("not_applied"):
        endpoint.switch(wanted, rtype="CNAME")
    assert endpoint.values() == [OLD]


def test_an_address_in_place_of_an_alias_is_a_conflict(endpoint: Endpoint) -> None:
    endpoint.name = f"alias-{endpoint.name}"
    endpoint.edit("elsewhere.example.", rtype="CNAME")
    wanted = Wanted((NEW,), Expected("absent"), 5)
    with failing("conflict") as caught:
        endpoint.switch(wanted, name=endpoint.name)
    assert "alias of elsewhere.example." in caught.value.refusal.measured


def test_an_alias_where_the_record_should_be_is_a_problem_before_anything_is_stopped(endpoint: Endpoint) -> None:
    endpoint.name = f"aliased-{endpoint.name}"
    endpoint.edit("elsewhere.example.", rtype="CNAME")
    target = replace(endpoint.target, name=endpoint.name)
    with endpoint.client() as client:
        address, alias = (observe(target, rtype, client, None, ask_server, Clock()) for rtype in ("A", "CNAME"))
    assert [problem["reason"] for problem in address["problems"]] == ["conflict"]
    assert "is an alias of elsewhere.example." in address["problems"][0]["message"]
    assert (alias["problems"], alias["value"]) == ([], ["elsewhere.example."])


@pytest.mark.parametrize(
    ("rtype", "old", "new"),
    [("AAAA", "2001:db8::1", "2001:db8::2"), ("TXT", 'a "b" \\c', "x" * 300), ("CNAME", "a.example.", "b.example.")],
)
def test_every_type_moves_and_is_found_moved(endpoint: Endpoint, rtype: str, old: str, new: str) -> None:
    name = f"{rtype.lower()}-{endpoint.name}"
    first = Wanted((old,), Expected("absent"), 5)
    second = Wanted((new,), Expected("set", (old,)), 5)
    assert endpoint.switch(first, rtype=rtype, name=name).changed
    assert endpoint.switch(second, rtype=rtype, name=name).before.values == (old,)
    assert endpoint.switch(second, rtype=rtype, name=name).status == "already"


def race(rounds: list[Callable[[], Any]]) -> list[str]:
    """Start them at the same moment; how each ended, in a word."""
    gate, ends = threading.Barrier(len(rounds)), [""] * len(rounds)

    def run(index: int, work: Callable[[], Any]) -> None:
        gate.wait()
        try:
            done = work()
            ends[index] = done["status"] if isinstance(done, dict) else done.status
        except DnsError as error:
            ends[index] = error.reason

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(rounds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ends)


def test_of_two_operators_exactly_one_claims(name_servers: NameServers) -> None:
    for _turn in range(20):
        endpoint = Endpoint(name_servers)
        ends = race([lambda e=endpoint: e.claim("run-a"), lambda e=endpoint: e.claim("run-b")])
        assert ends == ["claim_held", "claimed"]


def test_of_two_operators_exactly_one_switches(name_servers: NameServers) -> None:
    """Also without claims: the record's own value decides."""
    for _turn in range(20):
        endpoint = Endpoint(name_servers)
        one, two = endpoint.wanted(value=NEW), endpoint.wanted(value=OTHER)
        ends = race([lambda e=endpoint, w=one: e.switch(w), lambda e=endpoint, w=two: e.switch(w)])
        assert ends == ["conflict", "switched"]
        assert endpoint.values() in ([NEW], [OTHER])


def test_the_record_is_never_empty_while_it_moves(endpoint: Endpoint) -> None:
    seen: list[tuple[str, tuple[str, ...]]] = []
    ending = threading.Event()

    def poll() -> None:
        while not ending.is_set():
            answer = ask_server(endpoint.address(PRIMARY), Question(endpoint.name, "A"), 1.0)
            seen.append((answer.rcode, answer.values))

    poller = threading.Thread(target=poll)
    poller.start()
    values = [NEW, OLD]
    for number in range(50):
        endpoint.switch(endpoint.wanted(value=values[number % 2], expected=values[(number + 1) % 2]))
    ending.set()
    poller.join()
    assert len(seen) > 100
    assert set(seen) == {("NOERROR", (OLD,)), ("NOERROR", (NEW,))}


def test_a_deaf_secondary_is_partial(endpoint: Endpoint) -> None:
    endpoint.switch(endpoint.wanted())
    started = time.monotonic()
    with failing("partial") as caught:
        endpoint.verify(endpoint.address(FOLLOWER), endpoint.address(DEAF), deadline=1.5)
    assert time.monotonic() - started < 4
    servers = caught.value.fields["servers"]
    assert [server["state"] for server in servers] == ["fresh", "fresh", "stale"]
    assert endpoint.verify(endpoint.address(FOLLOWER), endpoint.address(DEAF), deadline=1.5, require=2)["fresh"] == 2


def test_a_dead_secondary_is_partial_in_bounded_time(endpoint: Endpoint) -> None:
    endpoint.switch(endpoint.wanted())
    started = time.monotonic()
    with failing("partial") as caught:
        endpoint.verify(endpoint.address(FOLLOWER), Address(LOOPBACK, free_ports(1)[0]), deadline=60.0)
    assert time.monotonic() - started < 8
    assert [server["state"] for server in caught.value.fields["servers"]] == ["fresh", "fresh", "unreachable"]


def test_a_server_that_does_not_have_the_zone_is_lame(endpoint: Endpoint) -> None:
    target = replace(endpoint.target, zone="other.example.", name="t.other.example.", authoritative=())
    found = ask_server(endpoint.address(FOLLOWER), Question("other.example.", "SOA"), 2.0)
    assert (found.rcode, found.authoritative) == ("REFUSED", False)
    with endpoint.client() as client:
        result = observe(target, "A", client, None, ask_server, Clock())
    assert result["problems"][0]["reason"] == "not_authoritative"


def test_no_arbiter_is_told_in_bounded_time(endpoint: Endpoint) -> None:
    nowhere = (Address(LOOPBACK, free_ports(1)[0]),)
    started = time.monotonic()
    with failing("arbiter_unreachable"):
        endpoint.claim(servers=nowhere)
    assert time.monotonic() - started < 1
    with endpoint.client(servers=nowhere) as client, failing("timeout"):
        Switch(endpoint.target, "A", endpoint.wanted(), client, Clock(), 1.0).run()
    assert time.monotonic() - started < 3


def test_a_dead_address_before_the_right_one(endpoint: Endpoint) -> None:
    servers = (Address(LOOPBACK, free_ports(1)[0]), endpoint.address(PRIMARY))
    assert endpoint.claim(servers=servers)["status"] == "claimed"


@contextmanager
def swallowing_proxy(server: Address) -> Iterator[Address]:
    """A way to the server on which the answer to the first UPDATE gets lost, after the server applied it."""
    ending, swallowed = threading.Event(), threading.Event()

    def carry(ours: socket.socket) -> None:
        _address, theirs = transport.connect_first([server], 2.0)
        with ours, theirs:
            for message in transport.receive_frames(ours, time.monotonic() + 5):
                transport.send_frames(theirs, [message])
                answer = next(transport.receive_frames(theirs, time.monotonic() + 5))
                if (message[2] >> 3) & 0x0F == 5 and not swallowed.is_set():
                    swallowed.set()
                    return
                ours.sendall(struct.pack("!H", len(answer)) + answer)

    def listen(listener: socket.socket) -> None:
        listener.settimeout(0.05)
        while not ending.is_set():
            try:
                connection, _peer = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(5)
            try:
                carry(connection)
            except OSError:
                continue

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=listen, args=(listener,))
        thread.start()
        try:
            yield Address(LOOPBACK, listener.getsockname()[1])
        finally:
            ending.set()
            thread.join()
        assert swallowed.is_set()


@GUARDS
def test_a_lost_answer_is_read_again_and_nothing_is_sent_twice(endpoint: Endpoint, fast: bool) -> None:
    with swallowing_proxy(endpoint.address(PRIMARY)) as way:
        before = endpoint.servers.updates()
        claim = endpoint.claim(servers=(way,))
        assert (claim["status"], claim["changed"]) == ("claimed", True)
        assert endpoint.servers.updates() == before + 1
    with swallowing_proxy(endpoint.address(PRIMARY)) as way:
        outcome = endpoint.switch(endpoint.wanted(claim), claim["guard"] if fast else None, servers=(way,))
        assert (outcome.status, outcome.changed, outcome.before.values) == ("switched", True, (OLD,))
        assert endpoint.servers.updates() == before + 2


def test_everything_is_observed_and_the_servers_are_found(endpoint: Endpoint) -> None:
    claim = endpoint.claim()
    with endpoint.client() as client:
        result = observe(endpoint.target, "A", client, None, ask_server, Clock())
    assert (result["reachable"], result["value"], result["ttl"], result["problems"]) == (True, [OLD], 5, [])
    assert (result["epoch"], result["claim"]["run_id"], result["guard"]) == (1, "run-a", claim["guard"])
    port = endpoint.servers.ports[PRIMARY]
    assert [server["address"] for server in result["servers"]] == [
        f"127.0.0.1#{port}",
        f"127.0.0.2#{port}",  # the zone's NS records; nothing listens there
        f"127.0.0.3#{port}",
    ]
    assert [server["state"] for server in result["servers"]] == ["fresh", "unreachable", "unreachable"]


def test_a_wrong_key_does_not_hide_the_values(endpoint: Endpoint) -> None:
    with endpoint.client(key=key("stranger")) as client, endpoint.client(key=None) as unsigned:
        target = replace(endpoint.target, authoritative=(endpoint.address(DEAF),))
        result = observe(target, "A", client, unsigned, ask_server, Clock())
    assert (result["reachable"], result["value"]) == (True, [OLD])
    assert [problem["reason"] for problem in result["problems"]] == ["tsig_badkey"]
    assert result["servers"][1]["state"] == "stale"


def test_a_claim_is_checked_fast_enough_to_do_it_right_before_promotion(endpoint: Endpoint) -> None:
    endpoint.claim()
    times = []
    for _turn in range(10):
        started = time.perf_counter()
        with endpoint.client() as client:
            assert Claims(endpoint.target, Claimant("run-a", "a@here"), client, Clock()).observe()["usable"]
        times.append(time.perf_counter() - started)
    assert sorted(times)[2] < 0.010
