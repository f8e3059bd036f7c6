# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a playbook's author types wrong in the arguments of a module: told by the step, before it asks anything."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import BadInput
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.options import read_switch

CANARY = "hunter2"
GOOD = {
    "zone": "shop.example.",
    "name": "db.shop.example.",
    "type": "A",
    "value": ["203.0.113.11"],
    "expected": ["198.51.100.11"],
    "servers": ["198.51.100.153"],
    "ttl": 5,
    "key": {"name": "continuity", "algorithm": "hmac-sha256", "secret": "c2VjcmV0"},
}


@pytest.fixture
def refused(no_network):
    """What a step says of arguments: what differs from its documentation, else what needs a look inside."""

    class Switch(Step):
        module, secrets = "dns_switch", ("key.secret",)

        def __init__(self, args):
            self._task = type("Task", (), {"args": args})()

    def run(changed):
        try:
            read_switch(Switch({**GOOD, **changed})._arguments())
        except AnsibleActionFail as failed:
            return str(failed.message).removeprefix("dns_switch: ").split("; ")
        except BadInput as bad:
            assert str(bad).startswith("nothing was contacted:")
            return bad.fields["problems"]
        return []

    return run


ROWS = [
    (
        {"servres": ["198.51.100.153"]},
        ['servres: unknown option (did you mean "servers"?)', "allowed: authoritative, "],
    ),
    (
        {"key": {"nmae": "k", "secret": CANARY}},
        ['key.nmae: unknown option (did you mean "name"?)', "allowed: algorithm,"],
    ),
    (
        {"state": "swicthed"},
        ["value of state must be one of: armed, switched, prepared, restored, verified, got: swicthed"],
    ),
    ({"type": "a"}, ["value of type must be one of: A, AAAA, CNAME, TXT, got: a"]),
    ({"ttl": "5s"}, ["'ttl' is of type str", "\"'5s'\" cannot be converted to an int"]),
    ({"ttl": True}, ["ttl: true is not a number", "allowed: a whole number"]),
    ({"epoch": True, "run_id": "r1"}, ["epoch: true is not a number", "allowed: a whole number"]),
    ({"ttl": 0}, ["ttl: '0' is not a time to live", "allowed: 1..2147483647"]),
    ({"ttl": 2147483648}, ["ttl: '2147483648' is not a time to live"]),
    ({"name": "www.example.org."}, ["name: www.example.org. is not in zone shop.example."]),
    ({"name": "db"}, ["name: 'db' is not absolute", "with the final dot"]),
    ({"name": "d\nb.shop.example."}, ["name: illegal label 'd\\nb'", "allowed are letters"]),
    ({"name": f"{'d' * 64}.shop.example."}, ["is too long (64 characters", "limit: 63)"]),
    ({"name": "dаb.shop.example."}, ["is not ASCII", "xn-- form"]),
    ({"value": ["2001:db8::1"]}, ["value[0]: '2001:db8::1' is not an IPv4 address"]),
    ({"value": ["db1"]}, ["value[0]: 'db1' is not an IPv4 address"]),
    ({"value": ["198.51.100.011"]}, ["value[0]: '198.51.100.011' is not an IPv4 address"]),
    ({"type": "AAAA"}, ["value[0]: '203.0.113.11' is not an IPv6 address"]),
    ({"value": ["127.0.0.1"]}, ["value[0]: 127.0.0.1 is loopback"]),
    ({"value": ["0.0.0.0"]}, ["value[0]: 0.0.0.0 is unspecified"]),
    ({"value": ["224.0.0.1"]}, ["value[0]: 224.0.0.1 is multicast"]),
    ({"value": []}, ["value is empty: it would leave db.shop.example. without a value"]),
    ({"value": ["203.0.113.11", "203.0.113.11"]}, ["value: '203.0.113.11' is given more than once"]),
    ({"type": "CNAME", "name": "shop.example.", "value": ["db1.shop.example."]}, ["cannot stand at the zone's apex"]),
    ({"type": "CNAME", "value": ["a.shop.example.", "b.shop.example."]}, ["a CNAME has one value, 2 are given"]),
    (
        {"expected": None},
        ["expected is missing: give the values the record holds now, 'absent', or 'any' with a reason"],
    ),
    ({"expected": "any"}, ["expected_reason is missing"]),
    ({"servers": []}, ["servers is empty"]),
    ({"servers": ["ns1.shop.example"]}, ["servers[0]: 'ns1.shop.example' is not an IP address", "may not resolve"]),
    ({"servers": ["198.51.100.153#0"]}, ["servers[0]: port 0 is not in 1..65535"]),
    ({"servers": ["::"]}, ["servers[0]: '::' is not the address of one name server"]),
    ({"key": None}, ["key is missing: changes are signed (TSIG)"]),
    ({"key": CANARY}, ["'key' is of type str and we were unable to convert to dict"]),
    ({"key": [CANARY]}, ["'key' is of type list and we were unable to convert to dict"]),
    ({"key": {"name": "k", "secret": CANARY}}, ["key.secret is not base64 (its value is not shown)"]),
    ({"key": {"name": "k", "secret": [CANARY]}}, ["key.secret is not base64 (its value is not shown)"]),
    ({"key": {"name": "k", "secret": ""}}, ["key.secret is empty"]),
    ({"key": {"name": "k", "secret": f"$ANSIBLE_VAULT;{CANARY}"}}, ["key.secret is still vault text"]),
    ({"key": {"name": "k", "secret": f"{{{{ {CANARY} }}}}"}}, ["key.secret is a template that was not rendered"]),
    ({"key": {**GOOD["key"], "algorithm": "hmac-md5"}}, ["key.algorithm: hmac-md5 is weak and refused", "hmac-sha256"]),
    ({"key": {**GOOD["key"], "algorithm": "hmac-sha257"}}, ["value of algorithm must be one of: hmac-sha224,"]),
]


@pytest.mark.parametrize(("changed", "says"), ROWS, ids=lambda value: str(value)[:50])
def test_arguments(refused, changed, says):
    lines = "\n".join(refused(changed))
    assert [part for part in says if part not in lines] == [], lines
    assert CANARY not in lines


def test_the_right_arguments(refused):
    assert refused({}) == []


def test_all_errors_at_once(refused):
    changed = {"servres": 1, "ttl": "x", "key": {"nmae": "k", "secret": "x"}, "state": "swicthed"}
    assert len([line for line in refused(changed) if not line.startswith("allowed")]) == 5
    changed = {"name": "db", "value": ["x"], "ttl": 0, "servers": ["x"], "expected": None}
    assert len(refused(changed)) == 5
