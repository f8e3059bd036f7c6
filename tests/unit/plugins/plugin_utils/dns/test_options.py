# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that cannot be right are refused, all at once, before anything is contacted."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import BadInput
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.options import (
    read_claim,
    read_observation,
    read_switch,
    read_verification,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import Expected
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.values import stored_form, ttl_warnings

SECRET = "bm90LWEtcmVhbC1zZWNyZXQtYXQtYWxs"
GOOD: dict[str, Any] = {
    "state": "switched",
    "zone": "shop.example.",
    "name": "db.shop.example.",
    "type": "A",
    "value": ["203.0.113.11"],
    "expected": ["198.51.100.11"],
    "ttl": 5,
    "servers": ["198.51.100.153"],
    "port": 53,
    "key": {"name": "continuity", "algorithm": "hmac-sha256", "secret": SECRET, "allow_weak": False},
    "deadline": 30.0,
}


def problems(**changed: Any) -> list[str]:
    with pytest.raises(BadInput) as caught:
        read_switch({**GOOD, **changed})
    assert SECRET not in str(caught.value)
    return list(caught.value.fields["problems"])


def test_good_options_are_understood() -> None:
    target, wanted = read_switch(
        {**GOOD, "name": "DB.Shop.Example.", "servers": ["198.51.100.153", "2001:db8::53#5353"]}
    )
    assert target.name == "db.shop.example."
    assert target.guard_name == "_continuity.db.shop.example."
    assert target.servers == (Address("198.51.100.153", 53), Address("2001:db8::53", 5353))
    assert target.authoritative is None
    assert wanted.expected == Expected("set", ("198.51.100.11",))
    assert SECRET not in repr(target)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"name": "db.other.example."}, "db.other.example. is not in zone shop.example."),
        ({"name": "xshop.example."}, "xshop.example. is not in zone"),
        ({"name": "db"}, "'db' is not absolute"),
        ({"name": "db.shop.example"}, "is not absolute"),
        ({"zone": "shop.example"}, "zone: 'shop.example' is not absolute"),
        ({"name": "a" * 64 + ".shop.example."}, "too long (64 characters; limit: 63)"),
        ({"name": "d\nb.shop.example."}, "illegal label 'd\\nb'"),
        ({"name": "d;b.shop.example."}, "illegal label"),
        ({"name": "*.shop.example."}, "illegal label '*'"),
        ({"name": "d..b.shop.example."}, "illegal label ''"),
        ({"name": "bücher.shop.example."}, "xn--"),
        ({"name": ".".join(["a" * 60] * 4) + ".shop.example."}, "characters (limit: 253)"),
        ({"name": ".".join(["a" * 60] * 3) + "." + "b" * 50 + ".shop.example."}, "guard_name"),
        ({"guard_name": "_continuity.elsewhere.example."}, "guard_name: _continuity.elsewhere.example. is not in zone"),
        ({"value": ["2001:db8::1"]}, "'2001:db8::1' is not an IPv4 address"),
        ({"value": ["db2.shop.example."]}, "is not an IPv4 address"),
        ({"value": ["203.0.113.011"]}, "is not an IPv4 address"),
        ({"type": "AAAA", "expected": "absent"}, "'203.0.113.11' is not an IPv6 address"),
        ({"value": ["127.0.0.1"]}, "127.0.0.1 is loopback"),
        ({"value": ["0.0.0.0"]}, "is unspecified"),
        ({"value": ["224.0.0.1"]}, "is multicast"),
        ({"value": ["255.255.255.255"]}, "is broadcast"),
        ({"value": ["169.254.1.1"]}, "is link-local"),
        ({"type": "AAAA", "value": ["::1"], "expected": "absent"}, "::1 is loopback"),
        ({"type": "AAAA", "value": ["::ffff:1.2.3.4"], "expected": "absent"}, "is IPv4-mapped"),
        ({"value": []}, "value is empty: it would leave db.shop.example. without a value"),
        ({"value": ["203.0.113.11", "203.0.113.11"]}, "given more than once"),
        ({"type": "CNAME", "name": "shop.example.", "value": ["a.example."], "expected": "absent"}, "apex"),
        ({"type": "CNAME", "value": ["a.example.", "b.example."], "expected": "absent"}, "a CNAME has one value"),
        ({"type": "CNAME", "value": ["db.shop.example."], "expected": "absent"}, "alias of itself"),
        ({"type": "CNAME", "value": ["a.example"], "expected": "absent"}, "is not absolute"),
        ({"type": "TXT", "value": ["two\nlines"], "expected": "absent"}, "printable ASCII"),
        ({"type": "TXT", "value": [""], "expected": "absent"}, "printable ASCII"),
        ({"ttl": 0}, "ttl: '0' is not a time to live; allowed: 1..2147483647"),
        ({"ttl": -5}, "not a time to live"),
        ({"ttl": 2147483648}, "not a time to live"),
        ({"ttl": True}, "not a time to live"),
        ({"key": {**GOOD["key"], "secret": "not base64!"}}, "key.secret is not base64 (its value is not shown)"),
        ({"key": {**GOOD["key"], "secret": ""}}, "key.secret is empty"),
        ({"key": {**GOOD["key"], "secret": "$ANSIBLE_VAULT;1.1;AES256\n6162"}}, "still vault text"),
        ({"key": {**GOOD["key"], "secret": "{{ vaulted }}"}}, "template that was not rendered"),
        ({"key": {**GOOD["key"], "algorithm": "hmac-md5"}}, "hmac-md5 is weak and refused"),
        ({"key": {**GOOD["key"], "algorithm": "rot13"}}, "'rot13' is unknown"),
        ({"key": {**GOOD["key"], "name": "con tinuity"}}, "key.name: illegal label"),
        ({"key": None}, "key is missing"),
        ({"servers": []}, "servers is empty"),
        ({"servers": ["ns0.shop.example."]}, "is not an IP address"),
        ({"servers": ["198.51.100.153#0"]}, "port 0 is not in 1..65535"),
        ({"servers": ["198.51.100.153#x"]}, "is not an IP address"),
        ({"authoritative": ["ns1"]}, "authoritative[0]: 'ns1' is not an IP address"),
        ({"query_timeout": 600.0}, "query_timeout: 600 is not allowed"),
        ({"deadline": 0.01}, "deadline: 0.01 is not allowed"),
        ({"expected": None}, "expected is missing"),
        ({"expected": []}, "expected is missing"),
        ({"expected": "any"}, "expected_reason is missing"),
        ({"expected": ["db1"]}, "expected[0]: 'db1' is not an IPv4 address"),
        ({"run_id": "run-1"}, "run_id and epoch belong together"),
        ({"epoch": 3}, "run_id and epoch belong together"),
        ({"run_id": "run 1; rm", "epoch": 3}, "run_id: 'run 1; rm' is not allowed"),
        ({"guard": "epoch=1"}, "guard is the text of this run's claim"),
    ],
)
def test_each_wrong_option_is_refused(changed: dict[str, Any], expected: str) -> None:
    found = problems(**changed)
    assert any(expected in problem for problem in found), found


def test_everything_is_told_at_once() -> None:
    found = problems(
        name="db.other.example.", value=["::1"], ttl=0, servers=["ns0"], key={**GOOD["key"], "secret": "?"}
    )
    for expected in ("not in zone", "not an IPv4", "time to live", "not an IP address", "not base64"):
        assert any(expected in problem for problem in found)


@pytest.mark.parametrize(
    ("given", "kind", "values"),
    [
        ("absent", "absent", ()),
        ("198.51.100.11", "set", ("198.51.100.11",)),
        (["198.51.100.12", "198.51.100.11"], "set", ("198.51.100.11", "198.51.100.12")),
        (["127.0.0.1"], "set", ("127.0.0.1",)),  # nobody should publish it; somebody did, and it is to be replaced
    ],
)
def test_what_is_expected_is_understood(given: Any, kind: str, values: tuple[str, ...]) -> None:
    _target, wanted = read_switch({**GOOD, "expected": given})
    assert (wanted.expected.kind, wanted.expected.values) == (kind, values)


def test_anything_may_be_expected_with_a_reason() -> None:
    _target, wanted = read_switch({**GOOD, "expected": "any", "expected_reason": "first use of the record"})
    assert wanted.expected.kind == "any"


def test_a_weak_algorithm_is_taken_when_it_is_allowed() -> None:
    target, _wanted = read_switch({**GOOD, "key": {**GOOD["key"], "algorithm": "hmac-sha1", "allow_weak": True}})
    assert target.key is not None
    assert target.key.algorithm == "hmac-sha1"


def test_reading_needs_no_key_and_a_claim_does() -> None:
    read_observation({**GOOD, "key": None})
    read_verification({**GOOD, "key": None})
    read_claim({**GOOD, "state": "observed", "key": None}, "me@here")
    with pytest.raises(BadInput, match="key is missing"):
        read_claim({**GOOD, "state": "claimed", "key": None, "run_id": "run-1"}, "me@here")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"run_id": None}, "run_id: '' is not allowed"),
        ({"run_id": "-x"}, "run_id"),
        ({"run_id": "x" * 65}, "run_id"),
        ({"run_id": "run-1", "claim_seconds": 59}, "claim_seconds: 59 is not allowed; allowed: 60..3600"),
        ({"run_id": "run-1", "claim_seconds": 86400}, "claim_seconds"),
        ({"run_id": "run-1", "minimum_epoch": -1}, "minimum_epoch"),
    ],
)
def test_each_wrong_claim_is_refused(changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(BadInput, match="nothing was contacted") as caught:
        read_claim({**GOOD, "state": "claimed", **changed}, "me@here")
    assert expected in str(caught.value)


def test_the_owner_is_the_login_unless_given() -> None:
    args = {**GOOD, "state": "claimed", "run_id": "run-1"}
    assert read_claim(args, "me@here")[1].owner == "me@here"
    assert read_claim({**args, "owner": "on call"}, "me@here")[1].owner == "on_call"


@pytest.mark.parametrize(("given", "expected"), [("all", None), ("2", 2), (3, 3), (None, None)])
def test_how_many_servers_must_agree(given: Any, expected: int | None) -> None:
    assert read_verification({**GOOD, "require": given})[1].require == expected


@pytest.mark.parametrize("given", ["0", "most", "-1"])
def test_a_number_of_servers_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(BadInput, match="require"):
        read_verification({**GOOD, "require": given})


@pytest.mark.parametrize(("ttl", "word"), [(1, "raise"), (86400, "keep the old value")])
def test_an_unwise_ttl_is_a_warning(ttl: int, word: str) -> None:
    assert word in ttl_warnings(ttl)[0]
    assert ttl_warnings(60) == []


def test_a_long_text_is_cut_into_strings() -> None:
    assert stored_form("TXT", "x" * 256) == f'"{"x" * 255}" "x"'
    assert stored_form("TXT", 'a"b\\c') == '"a\\"b\\\\c"'
    assert stored_form("A", "198.51.100.1") == "198.51.100.1"
