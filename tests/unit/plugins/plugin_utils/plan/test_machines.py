# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.groups import member_sites
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.machines import (
    address_findings,
    machine_findings,
    placed,
    without_secrets,
)

SITES = {"dc1": {"group": "first"}, "dc2": {"group": "second"}}
GROUPS = {
    "all": ["db1", "db2", "spare", "pay-db", "acc-db"],
    "ungrouped": ["spare"],
    "first": ["db1"],
    "second": ["db2"],
    "continuity_services": ["pay-db", "acc-db"],
    "continuity_tier_1": ["pay-db"],
}


def service(*members, **other):
    return {
        "members": [{"host": member} if isinstance(member, str) else member for member in members],
        "endpoints": [],
        **other,
    }


def found(services, groups=None):
    groups = GROUPS if groups is None else groups
    return machine_findings(services, SITES, groups, member_sites(SITES, groups))


def test_a_correct_inventory_breaks_no_rule():
    assert found({"pay-db": service("db1", "db2")}) == []


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (
            {"all": ["db1", "pay-db"]},
            'services.pay-db.members[1]: unknown machine "db2" (did you mean "db1"?); allowed: db1',
        ),
        (
            {"second": []},
            "services.pay-db.members[1]: db2 is in no site; allowed: a machine of exactly one of the groups f",
        ),
        (
            {"first": ["db1", "db2"]},
            "services.pay-db.members[1]: db2 is in dc1 and dc2; allowed: a machine of exactly one",
        ),
        ({"pay-db": []}, "services.pay-db: is also the name of a group in the inventory"),
        ({"databases": ["pay-db"]}, "services.pay-db: is also a machine, or was put into the group databases"),
    ],
)
def test_refused(groups, told):
    errors = found({"pay-db": service("db1", "db2")}, {**GROUPS, **groups})
    assert [text for text in errors if told in text], errors


def test_a_site_without_its_group_is_named():
    groups = {name: hosts for name, hosts in GROUPS.items() if name != "second"}
    errors = found({"pay-db": service("db1")}, groups)
    assert errors == [
        'sites.dc2.group: unknown group "second"; allowed: ungrouped, first, continuity_services, continuity_tier_1'
    ]


def test_a_service_is_no_machine_for_another():
    assert "unknown machine" in found({"pay-db": service("acc-db", "db1")})[0]


def test_members_are_placed():
    got = placed(
        service("db1", {"host": "db2", "address": "203.0.113.11", "replication_address": "203.0.113.132"}, wave=1),
        {"db1": ["dc1"], "db2": ["dc2"]},
        {"db1": "198.51.100.11"}.__getitem__,
    )
    assert got["members"] == [
        {"host": "db1", "site": "dc1", "address": "198.51.100.11", "replication_address": "198.51.100.11"},
        {"host": "db2", "site": "dc2", "address": "203.0.113.11", "replication_address": "203.0.113.132"},
    ]
    assert got["wave"] == 1


def test_an_address_has_the_one_form_in_which_name_servers_tell_it():
    """In another one the primary would not be found behind its own record: each run would switch it anew."""
    written = service(
        {"host": "db1", "replication_address": "2001:DB8::131"}, {"host": "db2", "address": "DB2.example."}
    )
    got = placed(written, {"db1": ["dc1"], "db2": ["dc2"]}, {"db1": "2001:0DB8:0::11"}.__getitem__)
    assert [(member["address"], member["replication_address"]) for member in got["members"]] == [
        ("2001:db8::11", "2001:db8::131"),
        ("db2.example.", "db2.example."),
    ]


A = {"host": "a", "address": "198.51.100.1"}
B = {"host": "b", "address": "198.51.100.2"}


@pytest.mark.parametrize(
    "services",
    [
        {"x": service(A, B), "y": service(A, B)},
        {"x": service({**A, "port": 1}, {**B, "port": 1}), "y": service({**A, "port": 2}, {**B, "port": 2})},
        {"x": service({**A, "port": 1}, {**A, "host": "b", "port": 2})},
    ],
)
def test_addresses_of_their_own_are_accepted(services):
    assert address_findings(services, {}) == []


@pytest.mark.parametrize(
    ("services", "told"),
    [
        (
            {"x": service(A, {**A, "host": "b"})},
            "x.members[1]: b and a (services.x.members[0]) are both 198.51.100.1;",
        ),
        (
            {"x": service({**A, "port": 1}), "y": service({**A, "host": "c", "port": 1})},
            "y.members[0]: c and a (services.x.members[0]) are both 198.51.100.1 port 1; allowed: an address and",
        ),
    ],
)
def test_two_members_behind_one_address_are_refused(services, told):
    errors = address_findings(services, {})
    assert [text for text in errors if told in text], errors


@pytest.mark.parametrize(
    ("kind", "address", "accepted"),
    [
        ("A", "198.51.100.1", True),
        ("AAAA", "2001:db8::1", True),
        ("CNAME", "db1.example.", True),
        ("A", "db1", False),
        ("A", "2001:db8::1", False),
        ("AAAA", "198.51.100.1", False),
        ("A", "127.0.0.1", False),
        ("A", "0.0.0.0", False),
        ("A", "224.0.0.1", False),
    ],
)
def test_a_record_takes_addresses_that_reach_the_member(kind, address, accepted):
    member = {"host": "a", "address": address}
    errors = address_findings(
        {"x": service(member, endpoints=[{"type": kind, "name": "x.example."}, {"name": "vip"}])}, {}
    )
    assert (errors == []) is accepted, errors
    if not accepted:
        assert f'services.x.members[0].address: "{address}"' in errors[0]
        assert f"for the {kind} record x.example." in errors[0]


@pytest.mark.parametrize("server", ["198.51.100.2", "2001:DB8::2"])
def test_a_name_server_on_a_member_is_no_arbiter(server):
    endpoint = {"name": "x.example.", "zone": "example.", "servers": ["198.51.100.153", server]}
    members = service(A, {"host": "b", "address": server.lower()}, endpoints=[endpoint])
    assert address_findings({"x": members}, {}) == [
        f'services.x.endpoints[0].servers[1]: "{server}" is b, a member of this service: whatever takes it takes the '
        "claim as well; allowed: a name server on a machine that is no member of it"
    ]
    assert address_findings({"x": service(A, B, endpoints=[{**endpoint, "servers": ["198.51.100.153"]}])}, {}) == []


def test_secrets_are_cut_off_at_every_depth():
    written = {
        "endpoints": [{"name": "x", "key": {"secret": 1}}],
        "canary": {"table": "t", "password": 2, "key": "{{ x }}"},
        "engine": {"api_token": 3, "Password": 4, "keyspace": "k", "monkey": 5, "deep": [{"tls_key": 6, "port": 7}]},
    }
    assert without_secrets(written) == {
        "endpoints": [{"name": "x"}],
        "canary": {"table": "t"},
        "engine": {"keyspace": "k", "monkey": 5, "deep": [{"port": 7}]},
    }


def test_the_number_of_a_repository_is_no_secret():
    copies = {"repositories": [{"key": 2, "site": "dc1", "password": 3}, {"key": "2"}]}
    assert without_secrets(copies) == {"repositories": [{"key": 2, "site": "dc1"}, {}]}
