# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.endpoint_rules import endpoint_rules

GOOD = {"role": "r", "name": "db.shop.example.", "zone": "shop.example.", "ttl": "5s", "servers": ["198.51.100.153"]}
PATH = "services.db.endpoints[0]"


def told(**change):
    return list(endpoint_rules({"db": [{**GOOD, **change}]}))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": "shop.example."},
        {"name": "DB.Shop.Example."},
        {"name": "_continuity.db.shop.example."},
        {"servers": ["2001:db8::53", "{{ name_server }}"]},
        {"ttl": "2147483647s"},
        {"ttl": "1h", "move_ttl": "5s"},
    ],
)
def test_accepted(change):
    assert told(**change) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "db.shop.example"}, f'{PATH}.name: "db.shop.example": add the final dot: "db.shop.example."'),
        ({"zone": "shop.example"}, f'{PATH}.zone: "shop.example": add the final dot: "shop.example."'),
        (
            {"name": "db.other.example."},
            f'{PATH}.name: "db.other.example." is not in zone "shop.example."; '
            "allowed: a name that ends in .shop.example.",
        ),
        ({"zone": "."}, f'{PATH}.zone: ".": is the root of all names; allowed: an absolute DNS name'),
        ({"name": "dbshop.example."}, "is not in zone"),
        ({"name": "d b.shop.example."}, '"d b" is no part of a DNS name'),
        ({"name": "db..shop.example."}, "has two dots in a row, or begins with one"),
        ({"name": "-db.shop.example."}, '"-db" is no part of a DNS name'),
        ({"name": "d" * 64 + ".shop.example."}, "its part that begins with dddddddddd has 64 characters (limit: 63)"),
        ({"name": "d." * 130 + "shop.example."}, "is longer than 253 characters"),
        ({"name": "db\n.shop.example."}, "is no part of a DNS name"),
        ({"name": "*.shop.example."}, '"*" is no part of a DNS name'),
        ({"name": "shop.example.", "type": "CNAME"}, f"{PATH}.type: a CNAME cannot stand at the top of its zone"),
        ({"ttl": "0s"}, f'{PATH}.ttl: "0s" is no time to live; allowed: whole seconds from 1s to 2147483647s'),
        ({"ttl": "1.5s"}, "is no time to live"),
        ({"ttl": "30000d"}, "is no time to live"),
        ({"ttl": "1h", "move_ttl": "0s"}, f'{PATH}.move_ttl: "0s" is no time to live; allowed: whole seconds from 1s'),
        (
            {"ttl": "1m", "move_ttl": "60s"},
            f'{PATH}.move_ttl: "60s" is not shorter than the ttl; allowed: less than 1m, or no move_ttl',
        ),
        ({"servers": ["ns0.shop.example"]}, f'{PATH}.servers[0]: "ns0.shop.example" is not an IP address'),
        ({"authoritative": ["198.51.100.053"]}, f'{PATH}.authoritative[0]: "198.51.100.053" is not an IP address'),
        ({"servers": ["198.51.100.153:53"]}, "is not an IP address"),
    ],
)
def test_refused(change, text):
    assert [finding for finding in told(**change) if text in finding], told(**change)


def test_a_time_to_live_for_moves_needs_the_one_that_comes_back():
    without = {key: value for key, value in GOOD.items() if key != "ttl"}
    assert list(endpoint_rules({"db": [{**without, "move_ttl": "5s"}]})) == [
        f"{PATH}.ttl: is missing beside move_ttl; allowed: both: the ttl is what comes back after the move"
    ]


def test_a_name_belongs_to_one_endpoint_of_the_whole_plan():
    other = {"role": "r", "name": "DB.shop.example."}
    assert list(endpoint_rules({"db": [GOOD], "x": [{"role": "r", "name": "vip"}, other]})) == [
        'services.x.endpoints[1].name: "DB.shop.example." is the name of services.db.endpoints[0] too; '
        "allowed: each name once in the plan"
    ]


def test_an_endpoint_without_a_zone_is_no_dns_name():
    assert list(endpoint_rules({"db": [{"role": "r", "name": "vip 7", "ttl": "0s"}]})) == []


def test_wrong_shapes_raise_nothing():
    assert told(name=5, zone=None, ttl=[], servers="x") == []
    assert list(endpoint_rules({"db": ["text", None]})) == []
