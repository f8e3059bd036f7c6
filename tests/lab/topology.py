# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab consists of: networks, machines, clusters. Data only; every other file reads it from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
STATE = CHECKOUT / "build" / "lab"  # keys, passwords, known_hosts, the engine's log: made by the lab, never committed

PREFIX = "continuity-lab"
ZONE = "shop.example."
TTL_SECONDS = 5


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL cluster that spans the two members."""

    service: str
    name: str  # Debian's name below version 15
    database: str
    ports: Mapping[str, int]
    synchronous: bool
    data_directories: Mapping[str, str]
    stanza: str = ""  # its backups' name in pgBackRest; empty where nothing is archived

    @property
    def unit(self) -> str:
        """The systemd unit that runs the cluster on either member."""
        return f"postgresql@15-{self.name}.service"

    @property
    def record(self) -> str:
        """The name that clients resolve, absolute."""
        return f"{self.service}.{ZONE}"

    @property
    def guard(self) -> str:
        """The name of the TXT record that arbitrates claims."""
        return f"_continuity.{self.record}"


@dataclass(frozen=True)
class DnsProgram:
    """A program that serves the zone; the folder of its name below tests/lab/nameserver sets it up and resets it."""

    unit: str
    packages: tuple[str, ...]


# Not one implementation alone: what the collection takes for granted would otherwise be what BIND happens to do.
DNS_PROGRAMS: Mapping[str, DnsProgram] = {
    "bind": DnsProgram("named.service", ("bind9", "bind9-utils")),
    "knot": DnsProgram("knot.service", ("knot",)),
}


@dataclass(frozen=True)
class Machine:
    """One container. The first network is the one that the controller uses."""

    name: str
    kind: str  # member, nameserver or client: the folder below tests/lab that provisions it
    addresses: Mapping[str, str]  # network -> static address
    settings: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)  # volume -> where it is mounted

    @property
    def container(self) -> str:
        """The name of the container."""
        return f"{PREFIX}-{self.name}"

    @property
    def address(self) -> str:
        """The address at which the controller reaches the machine."""
        return next(iter(self.addresses.values()))

    @property
    def program(self) -> DnsProgram:
        """What serves the zone on a name server."""
        return DNS_PROGRAMS[self.settings["PROGRAM"]]


# Documentation ranges, cut small. Never 192.0.2.0/24: test machines themselves may live there.
NETWORKS: Mapping[str, str] = {
    "dc1": "198.51.100.0/26",
    "witness": "198.51.100.128/26",
    "dc2": "203.0.113.0/26",
    "link": "203.0.113.128/26",
}

# A repository of backups in each site. It stands for what a site's storage exports to every member: it outlives both
# members, and a cut link does not take it away.
REPOSITORIES: Mapping[str, str] = {f"{PREFIX}-backup-{site}": f"/srv/backup/{site}" for site in ("dc1", "dc2")}

MACHINES: tuple[Machine, ...] = (
    Machine("db1", "member", {"dc1": "198.51.100.11", "link": "203.0.113.131"}, volumes=REPOSITORIES),
    Machine("db2", "member", {"dc2": "203.0.113.11", "link": "203.0.113.132"}, volumes=REPOSITORIES),
    Machine(
        "ns0",
        "nameserver",
        {"witness": "198.51.100.153", "link": "203.0.113.150"},
        {"ROLE": "primary", "PROGRAM": "bind"},
    ),
    Machine(
        "ns1", "nameserver", {"dc1": "198.51.100.53", "link": "203.0.113.151"}, {"ROLE": "secondary", "PROGRAM": "bind"}
    ),
    Machine(
        "ns2", "nameserver", {"dc2": "203.0.113.53", "link": "203.0.113.152"}, {"ROLE": "secondary", "PROGRAM": "knot"}
    ),
    Machine("client", "client", {"witness": "198.51.100.140", "dc1": "198.51.100.40", "dc2": "203.0.113.40"}),
)

CLUSTERS: tuple[Cluster, ...] = (
    Cluster(
        service="payments-db",
        name="payments",
        database="shop",
        ports={"db1": 5432, "db2": 5432},
        synchronous=True,
        data_directories={"db1": "/var/lib/postgresql/15/payments", "db2": "/var/lib/postgresql/15/payments"},
        stanza="payments",
    ),
    Cluster(
        service="accounts-db",
        name="accounts",
        database="accounts",
        ports={"db1": 5433, "db2": 5434},
        synchronous=False,
        data_directories={"db1": "/var/lib/postgresql/15/accounts", "db2": "/srv/postgresql/accounts"},
    ),
)

PRIMARY, STANDBY = "db1", "db2"  # what a healthy lab looks like


def machine(name: str) -> Machine:
    """The machine called C(name); KeyError when the lab has none."""
    return {known.name: known for known in MACHINES}[name]


def members() -> tuple[Machine, ...]:
    """The machines that carry the clusters."""
    return tuple(known for known in MACHINES if known.kind == "member")


def name_servers() -> tuple[Machine, ...]:
    """The machines that serve the zone."""
    return tuple(known for known in MACHINES if known.kind == "nameserver")
