# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's own judgement, without containers: what status calls a problem, and that its files agree with each other.

Run with: python -m pytest tests/lab
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import status
import yaml
from topology import CHECKOUT, CLUSTERS, DNS_PROGRAMS, HERE, MACHINES, NETWORKS, machine, name_servers

HEALTHY: dict[str, Any] = {
    "machines": {known.name: "reachable" for known in MACHINES},
    "services": {
        one.service: {
            "members": {
                "db1": {
                    "role": "primary",
                    "standbys": f"db2:streaming:{'sync' if one.synchronous else 'async'}",
                },
                "db2": {"role": "standby", "standbys": "-"},
            },
            "names": {server: {"A": "198.51.100.11", "TXT": "-"} for server in ("ns0", "ns1", "ns2")},
        }
        for one in CLUSTERS
    },
}


def test_a_healthy_lab_has_no_problem() -> None:
    assert status._problems(HEALTHY) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("machines", "ns1"), "paused", "ns1 is paused"),
        (("services", "payments-db", "members", "db2", "role"), "primary", "payments-db has 2 primaries: db1 db2"),
        (("services", "accounts-db", "members", "db1"), {"unit": "failed"}, "accounts-db has 0 primaries: none"),
        (
            ("services", "payments-db", "members", "db1", "standbys"),
            "db2:streaming:async",
            "payments-db has no standby that streams (sync)",
        ),
        (
            ("services", "accounts-db", "names", "ns2", "A"),
            "203.0.113.11",
            "ns2 answers 203.0.113.11 for accounts-db.shop.example., the primary is 198.51.100.11",
        ),
    ],
)
def test_each_damage_is_one_problem(path: tuple[str, ...], value: Any, problem: str) -> None:
    state = copy.deepcopy(HEALTHY)
    place = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert status._problems(state) == [problem]


def test_inventory_has_the_addresses_of_the_topology() -> None:
    groups = yaml.safe_load((CHECKOUT / "inventories/lab/hosts.yml").read_text())["machines"]["children"]
    found = {name: facts["ansible_host"] for group in groups.values() for name, facts in group["hosts"].items()}
    assert found == {known.name: known.address for known in MACHINES}


def test_plan_has_the_clusters_of_the_topology() -> None:
    services = yaml.safe_load((CHECKOUT / "inventories/lab/plan.yml").read_text())["services"]
    assert set(services) == {one.service for one in CLUSTERS}
    for one in CLUSTERS:
        engine = services[one.service]["engine"]
        assert engine["cluster"] == f"15/{one.name}"
        for member in services[one.service]["members"]:
            name = member["host"]
            assert member.get("port", engine["port"]) == one.ports[name]
            assert member["replication_address"] == machine(name).addresses["link"]
            assert member.get("data_directory", f"/var/lib/postgresql/15/{one.name}") == one.data_directories[name]
        assert services[one.service]["endpoints"][0]["name"] == one.record


def test_the_update_key_may_change_the_services_names_and_nothing_else() -> None:
    config = (HERE / "nameserver/bind/primary.conf").read_text()
    granted = {line.strip() for line in config.splitlines() if line.strip().startswith("grant")}
    wanted = {f"grant continuity name {one.record} A;" for one in CLUSTERS}
    assert granted == wanted | {f"grant continuity name {one.guard} TXT;" for one in CLUSTERS}


def test_two_implementations_serve_the_zone_and_each_has_its_files() -> None:
    assert {known.settings["PROGRAM"] for known in name_servers()} == set(DNS_PROGRAMS) == {"bind", "knot"}
    for known in name_servers():
        files = {path.name for path in (HERE / "nameserver" / known.settings["PROGRAM"]).iterdir()}
        assert files >= {f"{known.settings['ROLE']}.conf", "setup.sh", "reset.sh"}


def test_every_network_is_for_documentation_only() -> None:
    assert all(subnet.startswith(("198.51.100.", "203.0.113.")) for subnet in NETWORKS.values())
