# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The networks of a plan's sites: which site an address lives in, and who lives in none."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.address import networks_of, site_of
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.networks import network_rules, strangers

SITES = {
    "dc1": {"networks": ["198.51.100.0/26", "2001:db8:1::/48"]},
    "dc2": {"networks": ["203.0.113.0/26"]},
    "dc3": {},
}


def told(*networks: str) -> list[str]:
    return list(network_rules({"dc1": {"networks": list(networks)}}))


def test_networks_of_their_own_are_accepted() -> None:
    assert list(network_rules(SITES)) == []
    assert told("10.0.0.0/8", "10.1.0.0/16") == [], "of one site they may overlap"


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("198.51.100.7/26", "is an address inside a network; did you mean 198.51.100.0/26?"),
        ("198.51.100.7", "is one address; give its length too"),
        ("198.51.100.0/33", "is no network"),
        ("dc1.example/24", "is no network"),
        ("", "is no network"),
    ],
)
def test_what_is_no_network_is_named(written: str, wrong: str) -> None:
    assert told("10.0.0.0/8", written) == [
        f'sites.dc1.networks[1]: "{written}" {wrong}; allowed: a network such as 198.51.100.0/24'
    ]


def test_a_network_of_two_sites_tells_nothing_of_either() -> None:
    sites = {"dc1": {"networks": ["10.0.0.0/8"]}, "dc2": {"networks": ["2001:db8::/32", "10.2.0.0/16"]}}
    assert list(network_rules(sites)) == [
        'sites.dc2.networks[1]: "10.2.0.0/16" overlaps 10.0.0.0/8 of dc1; allowed: networks of one site only'
    ]


@pytest.mark.parametrize("site", [{}, {"networks": None}, {"networks": "10.0.0.0/8"}, {"networks": [7, {}]}])
def test_what_has_another_shape_is_the_schemas_affair(site: dict[str, Any]) -> None:
    assert list(network_rules({"dc1": site})) == [] and networks_of({"dc1": site}) == {}


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("198.51.100.63", "dc1"),
        ("198.51.100.64", None),
        ("2001:db8:1::7", "dc1"),
        ("203.0.113.1", "dc2"),
        ("db1.example", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_lives_where_its_network_is(address: str | None, site: str | None) -> None:
    assert site_of(address, networks_of(SITES)) == site


def member(host: str, site: str, address: str) -> dict[str, str]:
    return {"host": host, "site": site, "address": address}


def test_a_member_at_an_address_of_no_declared_network_is_named() -> None:
    members = [
        member("db1", "dc1", "10.9.9.9"),
        member("db2", "dc2", "198.51.100.11"),
        member("db3", "dc3", "10.9.9.9"),
        member("db4", "dc1", "db4.example"),
        member("db5", "dc2", "203.0.113.5"),
    ]
    assert list(strangers({"shop": {"members": members}}, SITES)) == [
        'services.shop.members[0].address: "10.9.9.9" is in no network of dc1; allowed: an address in '
        "198.51.100.0/26, 2001:db8:1::/48, or one more of sites.dc1.networks",
        'services.shop.members[1].address: "198.51.100.11" is in no network of dc2 but of dc1; allowed: an address in '
        "203.0.113.0/26, or one more of sites.dc2.networks",
    ]
