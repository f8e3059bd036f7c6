# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pairs of servers that cases move: where they are, who is primary, what their table holds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import credentials
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import harness
import names
import topology

from benchmarks.machines import PEERS

DATABASE = "accounts"
SERVICE = "accounts-db"
NAME = f"{SERVICE}.{topology.ZONE}"
RESOLVERS = ("198.51.100.53", "203.0.113.53")
CACHING = ("198.51.100.141#5353",)
ADDRESSES = {known.name: known.address for known in (*topology.MACHINES, *PEERS)}
LINKS = {known.name: known.addresses["link"] for known in (*topology.members(), *PEERS)}
ROLE = "SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END"
STREAMING = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"


class NotReady(Exception):
    """A pair is not as a case needs it; the text says what is missing."""


@dataclass(frozen=True)
class Place:
    """Two servers, by machine and port."""

    ports: Mapping[str, int]

    def sql(self, machine: str, statement: str, database: str = "postgres") -> str:
        """The answer of one server, asked inside its machine; empty when it does not answer."""
        psql = f"/usr/lib/postgresql/15/bin/psql -XAqt -h /var/run/postgresql -p {self.ports[machine]} -d {database}"
        return harness.inside(
            machine, f'cd / && runuser -u postgres -- timeout 3 {psql} -c "{statement}" 2>/dev/null', False
        )

    def primary(self) -> str:
        """The one machine whose server takes writes. Raises NotReady when there is none, or two."""
        found = [machine for machine in self.ports if self.sql(machine, ROLE) == "primary"]
        if len(found) != 1:
            raise NotReady(f"{len(found)} primaries among {', '.join(self.ports)}")
        return found[0]

    def other(self, machine: str) -> str:
        """The other one of the pair."""
        return next(name for name in self.ports if name != machine)

    def healthy(self) -> str:
        """The primary, when a standby streams from it. Raises NotReady."""
        primary = self.primary()
        if self.sql(primary, STREAMING) != "1":
            raise NotReady(f"no standby streams from {primary}")
        return primary

    def wait_healthy(self, seconds: float) -> str:
        """The primary, as soon as a standby streams from it."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self.healthy()
            except NotReady:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def rows(self, machine: str, run_id: str) -> list[int]:
        """The numbers of a run's rows in one server's table, asked by another program than the one that wrote them."""
        return [
            int(word)
            for word in self.sql(
                machine, f"SELECT seq FROM continuity_canary WHERE run_id = '{run_id}'", DATABASE
            ).split()
        ]

    def forget(self, machine: str) -> None:
        """Empty the table, so that the tenth repetition writes to no bigger one than the first."""
        self.sql(machine, "TRUNCATE continuity_canary", DATABASE)


LAB = Place(dict(next(one.ports for one in topology.CLUSTERS if one.service == SERVICE)))


def update_message(address: str) -> dns.update.UpdateMessage:
    """The one DNS UPDATE that sends clients to another address."""
    key = dns.tsig.Key(dns.name.from_text("continuity"), credentials.secret("tsig_continuity"), dns.tsig.HMAC_SHA256)
    update = dns.update.UpdateMessage(topology.ZONE, keyring={key.name: key})
    update.replace(dns.name.from_text(NAME), topology.TTL_SECONDS, "A", address)
    return update


def answered(resolver: str) -> bool:
    """Whether a resolver (``address#port``) gave an address for the name."""
    address, _mark, port = resolver.partition("#")
    try:
        reply = dns.query.udp(dns.message.make_query(NAME, "A"), address, timeout=1.0, port=int(port))
    except (dns.exception.DNSException, OSError):
        return False
    return bool(reply.answer)


def send_update(update: dns.update.UpdateMessage) -> None:
    """Send it to the zone's primary. Raises NotReady when it is refused."""
    reply = dns.query.tcp(update, names.SERVERS["ns0"], timeout=3.0)
    if reply.rcode() != dns.rcode.NOERROR:
        raise NotReady(f"ns0 answered {dns.rcode.to_text(reply.rcode())} to the update")


def point(machine: str) -> None:
    """Send clients to a machine, and wait until every name server says so."""
    send_update(update_message(ADDRESSES[machine]))
    until = time.monotonic() + 10
    while any(names.ask(server, NAME, "A") != ADDRESSES[machine] for server in names.SERVERS):
        if time.monotonic() > until:
            raise NotReady(f"not every name server answers {ADDRESSES[machine]} for {NAME}")
        time.sleep(0.05)
