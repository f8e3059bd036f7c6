# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that slept, or whose controller is dead, after another took over: real servers, name server and shells.

Clients write to both servers all the while. What counts is who acknowledged a row, and where the record leads.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import dns_named
import psycopg
import pytest
from fire_controller import target

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import Client
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch import Switch
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import Expected, Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import REFUSED, Lease, acquire_script
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member, MemberRefused

SERVICE = "payments-db"
RECORD = {"db1": "198.51.100.11", "db2": "203.0.113.11"}


class Clients:
    """They write to each server in turns; `both` is every turn in which two acknowledged."""

    def __init__(self, pair: Any) -> None:
        self.pair, self.both, self.acknowledged, self.turns = pair, [], set(), 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        while not self._end.wait(0.02):
            wrote = [server.host for server in self.pair if self._acknowledged(server)]
            self.turns, self.acknowledged = self.turns + 1, self.acknowledged | set(wrote)
            if len(wrote) > 1:
                self.both.append(wrote)

    @staticmethod
    def _acknowledged(server: Any) -> bool:
        try:
            with server.connect(connect_timeout=1, options="-c statement_timeout=300") as connection:
                connection.execute("insert into entry select coalesce(max(number), 0) + 1 from entry")
        except psycopg.Error:
            return False
        return True

    def __enter__(self) -> Clients:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()
        assert self.turns > 3
        assert self.both == [], "two took writes"


class Run:
    """One operator's run: its claim, its leases on both members, and what it does under them."""

    def __init__(self, run_id: str, pair: Any, where: Any) -> None:
        self.run_id, self.pair, self.where = run_id, {server.host: server for server in pair}, where
        self.lease: Lease | None = None

    def take(self, break_run: str = "") -> Run:
        with Client(self.where.servers, self.where.key, 5.0) as client:
            claimant = Claimant(self.run_id, "ann@ops", 300, break_run=break_run or None)
            epoch = Claims(self.where, claimant, client, Clock()).claim()["epoch"]
        self.lease = Lease(SERVICE, self.run_id, epoch, "ann@ops")
        for server in self.pair.values():
            assert server.run(acquire_script(self.lease, 270, break_run, 0)).rc == 0
        return self

    def member(self, host: str) -> Member:
        server = self.pair[host]
        cluster = Cluster.from_member(server.member())
        return Member(SERVICE, cluster, self.lease, lambda script, seconds: server.run(script, seconds + 30))

    def freeze(self, host: str, then: str) -> Any:
        upstream = {**self.pair[then].member(), "replication_address": "127.0.0.1"}
        return self.member(host).bring_to({"state": "stopped", "timeout": 60.0, "upstream": upstream})

    def promote(self, host: str, proof: int | None) -> Any:
        return self.member(host).bring_to({"state": "primary", "timeout": 60.0, "proof_position": proof})

    def point(self, host: str, before: str) -> str:
        """The record's move, as a step that was decided while it led to `before`; the rule that refused it, or ''."""
        assert self.lease
        expected = Expected("set", (RECORD[before],))
        wanted = Wanted((RECORD[host],), expected, 5, self.run_id, self.lease.epoch)
        with Client(self.where.servers, self.where.key, 5.0) as client:
            try:
                Switch(self.where, "A", wanted, client, Clock(), 5).run()
            except DnsError as error:
                return str(error.reason)
        return ""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with dns_named.NameServers(tmp_path_factory.mktemp("named"), (dns_named.PRIMARY,)) as servers:
        yield servers.ports[dns_named.PRIMARY]


@pytest.fixture
def where(port: int, request: pytest.FixtureRequest) -> Any:
    """A record of the test's own; it leads to db1."""
    name = f"{abs(hash(request.node.name))}.shop.example."
    found = target(name, port, dns_named.SECRETS["continuity"])
    with Client(found.servers, found.key, 5.0) as client:
        Switch(found, "A", Wanted((RECORD["db1"],), Expected("absent"), 5), client, Clock(), 5).run()
    return found


def leads_to(where: Any) -> list[str]:
    address = where.servers[0]
    said = subprocess.run(
        ["dig", "+short", f"@{address.host}", "-p", str(address.port), where.name, "A"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [host for host, value in RECORD.items() if value in said.stdout.split()]


def serving(pair: Any) -> list[str]:
    return [server.host for server in pair if server.see().writable]


def test_a_run_that_slept_before_its_promotion_promotes_nobody_and_moves_no_record(pair: Any, where: Any) -> None:
    with Clients(pair) as clients:
        sleeper = Run("sleeper", pair, where).take()
        stopped = sleeper.freeze("db1", then="db2")
        # It sleeps here. Somebody breaks it, and has the old primary serve again
        other = Run("other", pair, where).take(break_run="sleeper")
        assert other.promote("db1", None)["restarted"]
        pair[0].until(lambda: "db1" in clients.acknowledged, "db1 serves again")
        with pytest.raises(MemberRefused) as refused:
            sleeper.promote("db2", stopped["position"])
        assert refused.value.refusal.rule == "stale_epoch"
        assert sleeper.point("db2", before="db1") != ""
        pair[0].until(lambda: clients.turns > 20, "clients went on")
    assert serving(pair) == ["db1"] and leads_to(where) == ["db1"]


def test_a_run_that_slept_before_the_record_sends_nobody_to_a_server_that_was_stopped_since(
    pair: Any, where: Any, follow: Any
) -> None:
    with Clients(pair):
        sleeper = Run("sleeper", pair, where).take()
        sleeper.promote("db2", sleeper.freeze("db1", then="db2")["position"])
        # It sleeps here. Somebody breaks it, and moves everything back
        other = Run("other", pair, where).take(break_run="sleeper")
        follow(pair[0], pair[1])
        other.promote("db1", other.freeze("db2", then="db1")["position"])
        assert other.point("db1", before="db1") == ""
        assert sleeper.point("db2", before="db1") != ""
        with pytest.raises(MemberRefused):
            sleeper.freeze("db1", then="db2")
    assert serving(pair) == ["db1"] and leads_to(where) == ["db1"]


def test_an_orphan_whose_script_arrives_after_the_takeover_promotes_nobody(pair: Any, where: Any) -> None:
    """Its controller was killed in the middle of sending it; the connection hung until now."""
    with Clients(pair) as clients:
        killed = Run("killed", pair, where).take()
        stopped = killed.freeze("db1", then="db2")
        cluster = Cluster.from_member(pair[1].member())
        script = act.promote(SERVICE, killed.lease, cluster, proof=stopped["position"], seconds=5, record={})
        text = script.replace("/STATE/", f"{pair[1].state}/")
        orphan = subprocess.Popen(
            ["/bin/sh", "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=pair[1].environment
        )
        assert orphan.stdin
        orphan.stdin.write(text[:-4])
        orphan.stdin.flush()
        other = Run("other", pair, where).take(break_run="killed")
        other.promote("db1", None)
        orphan.communicate(text[-4:], timeout=120)
        assert orphan.returncode == REFUSED
        pair[0].until(lambda: "db1" in clients.acknowledged, "db1 serves again")
    assert serving(pair) == ["db1"]


def test_of_two_that_took_one_member_each_nobody_acts(pair: Any, where: Any) -> None:
    """Neither holds what it needs: the claim is one's, the leases are divided."""
    with Clients(pair) as clients:
        first = Run("first", pair, where).take()
        second = Run("second", pair, where)
        second.lease = Lease(SERVICE, "second", first.lease.epoch if first.lease else 0, "bob@ops")
        assert pair[1].run(acquire_script(second.lease, 270, "first", 0)).rc == REFUSED, "a break needs a newer epoch"
        for acts in (
            lambda: second.freeze("db1", then="db2"),
            lambda: second.promote("db2", 0),
        ):
            with pytest.raises(MemberRefused):
                acts()
        assert second.point("db2", before="db1") != ""
        pair[0].until(lambda: clients.turns > 5, "clients went on")
    assert serving(pair) == ["db1"] and leads_to(where) == ["db1"]
