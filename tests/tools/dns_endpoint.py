# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A record on real name servers, and what a run does with it: the same for every implementation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from dns_named import LOOPBACK, PRIMARY, SECRETS, ZONE, NameServers

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Change, Question, RecordSet
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import Client, ask_server
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.outcome import Outcome
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Key, Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch import Switch
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import Expected, Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.verify import Goal, Verification

OLD, NEW, OTHER = "198.51.100.11", "203.0.113.11", "198.51.100.99"
NUMBERS = itertools.count()


class Endpoint:
    """One record of its own for each test, and what a run does with it."""

    def __init__(self, servers: NameServers) -> None:
        self.servers = servers
        self.name = f"t{next(NUMBERS)}.{ZONE}"
        self.target = Target(ZONE, self.name, (self.address(PRIMARY),), f"_continuity.{self.name}", key("continuity"))
        self.edit(OLD)

    def address(self, server: str) -> Address:
        return Address(LOOPBACK, self.servers.ports[server])

    def edit(self, *values: str, rtype: str = "A", name: str = "", ttl: int = 5) -> None:
        """Write a record as an editor would: without prerequisites."""
        with self.client() as client:
            put = RecordSet(name or self.name, rtype, values, ttl)
            assert client.change(Change(ZONE, (), (put,)))[0] == "NOERROR"

    def client(self, **changed: Any) -> Client:
        target = replace(self.target, **changed)
        return Client(target.servers, target.key, target.query_timeout)

    def claim(self, run: str = "run-a", **changed: Any) -> dict[str, Any]:
        with self.client(**changed) as client:
            return Claims(replace(self.target, **changed), Claimant(run, f"{run}@here"), client, Clock(), "A").claim()

    def wanted(self, claim: dict[str, Any] | None = None, value: str = NEW, expected: str = OLD) -> Wanted:
        run, epoch = (claim["run_id"], claim["epoch"]) if claim else (None, None)
        return Wanted((value,), Expected("set", (expected,)), 5, run, epoch)

    def switch(self, wanted: Wanted, guard: str | None = None, rtype: str = "A", **changed: Any) -> Outcome:
        with self.client(**changed) as client:
            return Switch(replace(self.target, **changed), rtype, wanted, client, Clock(), 5).run(guard)

    def verify(self, *addresses: Address, value: str = NEW, deadline: float = 10.0, **goal: Any) -> dict[str, Any]:
        target = replace(self.target, authoritative=addresses)
        with self.client() as client:
            doing = Goal((value,), deadline=deadline, **goal)
            return Verification(target, "A", doing, client, Clock(), ask_server).run()

    def values(self, server: str = PRIMARY) -> list[str]:
        return list(ask_server(self.address(server), Question(self.name, "A"), 2.0).values)

    def serial(self) -> int | None:
        return ask_server(self.address(PRIMARY), Question(ZONE, "SOA"), 2.0).serial


def key(name: str, secret: str | None = None) -> Key:
    return Key(f"{name}.", "hmac-sha256", secret or SECRETS.get(name, SECRETS["continuity"]))


@contextmanager
def failing(reason: str) -> Iterator[pytest.ExceptionInfo[DnsError]]:
    with pytest.raises(DnsError) as caught:
        yield caught
    assert caught.value.reason == reason, str(caught.value)
    for secret in SECRETS.values():
        assert secret not in str(caught.value) + repr(caught.value.fields)
