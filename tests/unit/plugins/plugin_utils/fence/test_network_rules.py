# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a network fence sets, and what it takes for set, rule by rule; no packet filter is needed."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.fence import network

V4, V6 = "198.51.100.2", "2001:db8::2"
TARGET = network.Target("payments-db", "db1", (V4, V6), (5432, 6432))
#: Written out: what `rules()` leaves out would be missing both where it is set and where it is read back.
RULES = [
    (hook, family, ends, (address,), (5432, 6432))
    for hook in ("input", "forward", "output")
    for family, address in (("ip", V4), ("ip6", V6))
    for ends in ("daddr dport", "saddr sport")
]
NAMES = [f"{hook} {family} {ends}" for hook, family, ends, _addresses, _ports in RULES]


def listed() -> list[dict[str, Any]]:
    """The table as nft lists it once all rules are set."""
    entries: list[dict[str, Any]] = [
        {"chain": {"name": hook, "type": "filter", "hook": hook, "prio": network.PRIORITY}}
        for hook in ("input", "forward", "output")
    ]
    for hook, family, ends, addresses, ports in RULES:
        address, port = ends.split()
        matches = [
            {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": right}}
            for protocol, field, right in ((family, address, addresses[0]), ("tcp", port, {"set": list(ports)}))
        ]
        entries.append({"rule": {"chain": hook, "expr": [*matches, {"counter": {"packets": 0}}, {"drop": None}]}})
    return entries


def stands(entries: list[dict[str, Any]]) -> bool:
    return network.parse(json.dumps({"nftables": entries})).isolates(TARGET)


def test_every_hook_drops_both_directions_of_both_families() -> None:
    (order,) = (line for line in network.isolate_script(TARGET).splitlines() if "add table" in line)
    (command,) = (word for word in shlex.split(order) if "add table" in word)
    chains = dict(re.findall(r"chain (\w+) \{ (.*?;) \};", command))
    assert sorted(chains) == ["forward", "input", "output"]
    for hook, lines in chains.items():
        kind, *drops = [line.strip() for line in lines.split(";") if line.strip()]
        assert kind == f"type filter hook {hook} priority -350"
        assert sorted(drops) == [
            "ip daddr { 198.51.100.2 } tcp dport { 5432, 6432 } counter drop",
            "ip saddr { 198.51.100.2 } tcp sport { 5432, 6432 } counter drop",
            "ip6 daddr { 2001:db8::2 } tcp dport { 5432, 6432 } counter drop",
            "ip6 saddr { 2001:db8::2 } tcp sport { 5432, 6432 } counter drop",
            "policy accept",
        ]


def test_all_rules_together_isolate() -> None:
    assert TARGET.rules() == set(RULES)
    assert stands(listed())


@pytest.mark.parametrize("number", range(len(RULES)), ids=NAMES)
def test_without_any_one_rule_it_is_not_isolated(number: int) -> None:
    entries = listed()
    del entries[3 + number]
    assert not stands(entries)
    assert not network.Stand(TARGET.rules() - {RULES[number]}).isolates(TARGET)


@pytest.mark.parametrize("number", range(len(RULES)), ids=NAMES)
@pytest.mark.parametrize(
    ("match", "key", "value"),
    [
        (1, "protocol", "udp"),
        (1, "protocol", "sctp"),
        (0, "protocol", "arp"),
        (0, "field", "protocol"),
        (1, "field", "length"),
    ],
    ids=str,
)
def test_a_rule_about_other_packets_stands_for_none(number: int, match: int, key: str, value: str) -> None:
    """A rule for UDP drops no packet of a connection: clients would go on writing behind it."""
    entries = listed()
    entries[3 + number]["rule"]["expr"][match]["match"]["left"]["payload"][key] = value
    assert not stands(entries)
    shown = network.parse(json.dumps({"nftables": entries})).rules
    assert shown is not None and shown & set(RULES) == set(RULES) - {RULES[number]}, "the others are known all the same"


@pytest.mark.parametrize("number", range(len(RULES)), ids=NAMES)
@pytest.mark.parametrize("match", [0, 1], ids=["address", "ports"])
@pytest.mark.parametrize("change", [{"op": "!="}, {"right": {"set": []}}, {"right": {"set": [7]}}], ids=str)
def test_a_rule_about_other_ends_stands_for_none(number: int, match: int, change: dict[str, Any]) -> None:
    entries = listed()
    entries[3 + number]["rule"]["expr"][match]["match"] |= change
    assert not stands(entries)


@pytest.mark.parametrize("number", range(len(RULES)), ids=NAMES)
def test_a_rule_that_only_counts_or_lets_pass_stands_for_none(number: int) -> None:
    for verdict in ({"accept": None}, {"counter": {"packets": 9}}, {"jump": {"target": "drop"}}):
        entries = listed()
        entries[3 + number]["rule"]["expr"][-1] = verdict
        assert not stands(entries), verdict


MATCH = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}
PORTS = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"range": [1, 9]}}}
ALL_BAD = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "@bad"}}


@pytest.mark.parametrize("place", [3, len(NAMES) + 3], ids=["before ours", "behind ours"])
@pytest.mark.parametrize("hook", ["input", "forward", "output"])
@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ([{"accept": None}], "accept"),
        ([MATCH, {"counter": {"packets": 2}}, {"accept": None}], "match, counter, accept"),
        ([PORTS, {"jump": {"target": "elsewhere"}}], "match, jump"),
        ([{"flow": {"op": "add", "flowtable": "@fast"}}], "flow"),
        ([{"limit": {"rate": 1}}, {"drop": None}], "limit, drop"),
        ([{"drop": None}, {"accept": None}], "drop, accept"),
        ([PORTS], "match"),
        ([], "nothing"),
    ],
    ids=["accept", "accept of some", "jump", "flow", "not understood", "more than a drop", "no verdict", "empty"],
)
def test_what_is_no_plain_drop_is_named_and_nothing_is_isolated(
    place: int, hook: str, expression: list[dict[str, Any]], words: str
) -> None:
    entries = listed()
    entries.insert(place, {"rule": {"chain": hook, "handle": 42, "expr": expression}})
    stand = network.parse(json.dumps({"nftables": entries}))
    assert stand.rules == set(RULES) and not stand.isolates(TARGET)
    assert stand.weakened_by == (f"rule 42 of the chain {hook}: {words}",)


@pytest.mark.parametrize(
    "matches", [[], [MATCH], [PORTS], [ALL_BAD, PORTS]], ids=["all", "of a link", "a port range", "a set's addresses"]
)
def test_a_drop_of_others_takes_nothing_away(matches: list[dict[str, Any]]) -> None:
    entries = listed()
    entries.insert(3, {"rule": {"chain": "forward", "handle": 42, "expr": [*matches, {"drop": None}]}})
    assert stands(entries)


@pytest.mark.parametrize("number", range(len(RULES)), ids=NAMES)
def test_a_rule_that_asks_for_more_than_ours_stands_for_none(number: int) -> None:
    """No packet has two senders, and what comes over another link passes."""
    payload = {"protocol": "ip", "field": RULES[number][2].split()[0]}
    for more in ({"match": {"op": "==", "left": {"payload": payload}, "right": "192.0.2.9"}}, MATCH):
        entries = listed()
        entries[3 + number]["rule"]["expr"].insert(0, more)
        assert not stands(entries), more


@pytest.mark.parametrize("flags", ["t", ["dormant"]], ids=["nft 1.0.6", "newer"])
def test_a_dormant_table_drops_nothing_whatever_it_shows(flags: object) -> None:
    table: dict[str, Any] = {"table": {"family": "inet", "name": TARGET.table}}
    assert stands([table, *listed()])
    table["table"]["flags"] = flags
    assert not stands([table, *listed()])


@pytest.mark.parametrize("verdict", ["accept", "drop"])
def test_a_table_that_holds_only_what_others_put_there_is_not_absent(verdict: str) -> None:
    """Their drop still drops: whoever releases the member must delete the table."""
    chain = {"chain": {"name": "forward", "type": "filter", "hook": "forward", "prio": network.PRIORITY}}
    rule = {"rule": {"chain": "forward", "handle": 42, "expr": [{verdict: None}]}}
    assert network.parse(json.dumps({"nftables": [chain]})).absent
    assert not network.parse(json.dumps({"nftables": [chain, rule]})).absent


@pytest.mark.parametrize("chain", [0, 1, 2], ids=["input", "forward", "output"])
@pytest.mark.parametrize("change", [{"type": "nat"}, {"prio": 0}, {"hook": "prerouting"}], ids=str)
def test_a_chain_that_is_hung_elsewhere_holds_none(chain: int, change: dict[str, Any]) -> None:
    """Behind connection tracking, or at another hook, what is established passes before the rule is met."""
    entries = listed()
    entries[chain]["chain"] |= change
    assert not stands(entries)


@pytest.mark.parametrize("ports", [(), (0,), (65536,), (5432, 70000), (70000, 5432)], ids=str)
def test_a_port_that_no_rule_could_name_is_refused_beside_any_other(ports: tuple[int, ...]) -> None:
    with pytest.raises(network.BadTarget, match="ports"):
        network.Target("payments-db", "db1", (V4,), ports)
    assert network.Target("payments-db", "db1", (V4,), (1, 65535)).rules()
