# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Claim, switch and verify against Knot DNS on loopback: as the zone's primary, and as a secondary of BIND and of Knot.

What differs from BIND: updates are collected and applied in the background, an unknown key and one without rights get
the same answer, and a change within a second of the last transfer is fetched up to a second later.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from dns_endpoint import NEW, OLD, OTHER, Endpoint, failing, key
from dns_knot import KnotServers
from dns_named import FOLLOWER, PRIMARY, SECRETS

from ansible_collections.continuity.dr.plugins.plugin_utils.dns import wire
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Question
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import ask_server
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Key

GUARDS = pytest.mark.parametrize("fast", [False, True], ids=["read first", "sent at once"])


@pytest.fixture(scope="module", params=[(FOLLOWER,), (PRIMARY,), (PRIMARY, FOLLOWER)], ids=" and ".join)
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnotServers]:
    """A primary and a secondary; those that are named are Knot, the other one is BIND."""
    with KnotServers(tmp_path_factory.mktemp("knot"), request.param) as running:
        yield running


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnotServers]:
    """Both are Knot."""
    with KnotServers(tmp_path_factory.mktemp("knot"), (PRIMARY, FOLLOWER)) as running:
        yield running


@GUARDS
def test_claim_switch_verify(servers: KnotServers, fast: bool) -> None:
    endpoint = Endpoint(servers)
    claim = endpoint.claim()
    with failing("claim_held"):
        endpoint.claim("run-b")
    outcome = endpoint.switch(endpoint.wanted(claim), claim["guard"] if fast else None)
    assert (outcome.status, outcome.before.values, outcome.after.values) == ("switched", (OLD,), (NEW,))
    result = endpoint.verify(endpoint.address(FOLLOWER), minimum_serial=outcome.after.serial)
    assert (result["status"], result["fresh"]) == ("verified", 2)
    assert [one["value"] for one in result["servers"]] == [[NEW], [NEW]]
    assert endpoint.values(FOLLOWER) == [NEW]
    serial = endpoint.serial()
    again = endpoint.switch(endpoint.wanted(claim))
    assert (again.status, again.changed, endpoint.serial()) == ("already", False, serial)


def test_anothers_value_and_anothers_claim_are_kept(knot: KnotServers) -> None:
    endpoint = Endpoint(knot)
    claim = endpoint.claim()
    endpoint.edit(OTHER)
    for guard in (None, claim["guard"]):
        with failing("conflict"):
            endpoint.switch(endpoint.wanted(claim), guard)
    assert endpoint.values() == [OTHER]
    endpoint.switch(endpoint.wanted(claim, expected=OTHER))
    later = endpoint.claim("run-b")
    assert later["epoch"] == claim["epoch"] + 1
    with failing("stale_epoch"):
        endpoint.switch(endpoint.wanted(claim, value=OLD, expected=NEW), claim["guard"])
    assert endpoint.values() == [NEW]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (key("stranger"), "tsig_badkey"),
        (replace(key("continuity"), algorithm="hmac-sha512"), "tsig_badkey"),
        (key("continuity", SECRETS["powerless"]), "tsig_badsig"),
        (key("powerless"), "tsig_badkey"),
        (key("guard-only"), "tsig_badkey"),
    ],
    ids=["unknown key", "other algorithm", "wrong secret", "no right", "no right to the record"],
)
def test_a_wrong_key_has_its_word(knot: KnotServers, wrong: Key, reason: str) -> None:
    endpoint = Endpoint(knot)
    with failing(reason) as caught:
        endpoint.claim(key=wrong)
    assert wrong.name in str(caught.value)
    if reason == "tsig_badkey":  # Knot does not tell the two apart, so the message names both
        assert "does not know it" in str(caught.value) and "may not do this" in str(caught.value)
    assert endpoint.claim()["epoch"] == 1


def test_a_frozen_zone_says_so(knot: KnotServers) -> None:
    endpoint = Endpoint(knot)
    knot.control(PRIMARY, "zone-freeze", "shop.example")
    try:
        with failing("refused_acl") as caught:
            endpoint.claim()
        assert "frozen" in str(caught.value)
    finally:
        knot.control(PRIMARY, "zone-thaw", "shop.example")
    assert endpoint.claim()["epoch"] == 1


def test_clocks_apart_are_shown_both(knot: KnotServers, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(knot)
    real = time.time
    wrong = SimpleNamespace(time=lambda: real() + 600)
    monkeypatch.setattr(wire.dns.message, "time", wrong)
    monkeypatch.setattr(wire, "time", wrong)
    with failing("tsig_badtime") as caught:
        endpoint.claim()
    assert "the clocks differ by 60" in str(caught.value)


def test_a_secondary_that_is_behind_and_one_that_is_gone_are_named(knot: KnotServers) -> None:
    endpoint = Endpoint(knot)
    follower = endpoint.address(FOLLOWER)
    knot.control(FOLLOWER, "zone-freeze", "shop.example")
    endpoint.edit(NEW)
    with failing("partial") as caught:
        endpoint.verify(follower, deadline=1.5)
    assert f"{follower} is stale" in str(caught.value)
    knot.control(FOLLOWER, "zone-thaw", "shop.example")
    assert endpoint.verify(follower)["fresh"] == 2
    knot.kill(FOLLOWER)
    with failing("partial") as caught:
        endpoint.verify(follower)
    assert f"{follower} is unreachable" in str(caught.value)
    knot.start(FOLLOWER)
    assert endpoint.verify(follower)["fresh"] == 2


def test_a_secondary_that_lost_the_zone_is_named(knot: KnotServers) -> None:
    endpoint = Endpoint(knot)
    for server in (FOLLOWER, PRIMARY):
        knot.kill(server)
    (knot.directory / FOLLOWER / "zone.db").unlink()
    knot.start(FOLLOWER)
    follower, until = endpoint.address(FOLLOWER), time.monotonic() + 10
    while (answer := ask_server(follower, Question(endpoint.name, "A"), 0.5)).rcode == "TIMEOUT":
        assert time.monotonic() < until
    assert (answer.rcode, answer.authoritative) == ("SERVFAIL", False)
    with failing("partial") as caught:
        endpoint.verify(follower, value=OLD, deadline=1.5)
    assert f"{follower} is servfail" in str(caught.value)
    knot.start(PRIMARY)
    knot.wait(PRIMARY)
    knot.control(FOLLOWER, "zone-refresh", "shop.example")
    assert endpoint.verify(follower, value=OLD)["fresh"] == 2
