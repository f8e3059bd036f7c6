# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Isolation is rules that were read back and two machines with a way that find the service closed."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.fence import isolation, vantage
from ansible_collections.continuity.dr.plugins.plugin_utils.fence.isolation import Looked
from ansible_collections.continuity.dr.plugins.plugin_utils.fence.network import Stand, Target
from ansible_collections.continuity.dr.plugins.plugin_utils.fence.vantage import Seen

A, B = "198.51.100.11", "203.0.113.131"
TARGET = Target("payments-db", "db1", (A, B), (5432,))
HOLDS = {"gw": Stand(TARGET.rules(), 4)}


def looked(host, service="silent", control="open", other="silent"):
    """A vantage point on the first network; the second one it may not even reach."""
    return Looked(host, [Seen(A, 5432, service), Seen(A, 22, control), Seen(B, 5432, other), Seen(B, 22, "no_route")])


def judged(after, guards=None, before=()):
    return isolation.judge(TARGET, HOLDS if guards is None else guards, before, after, "fence_network", 7.0)


def test_two_vantage_points_with_a_way():
    proof = judged([looked("c1"), looked("c2", "refused", "refused", "no_route")])
    assert (proof.level, proof.state, proof.gives, proof.time) == (2, "isolated", 2, 7.0)


@pytest.mark.parametrize(
    "after",
    [
        [looked("c1")],
        [looked("c1"), looked("c1")],
        [looked("c1"), Looked("c2", [])],
        [looked("c1"), looked("c2", "unknown")],
        [looked("c1"), looked("c2", other="unknown")],
        [looked("c1"), looked("c2", control="silent")],
        [looked("c1"), looked("c2", control="no_route")],
        [looked("c1"), Looked("c2", [Seen(A, 5432, "silent"), Seen(A, 22, "open")])],
    ],
    ids=["one", "one twice", "not asked", "not tried", "an address not tried", "no way", "no route", "half an answer"],
)
def test_less_than_two_that_count_is_no_level(after):
    assert (judged(after).level, judged(after).state) == (None, "unknown")


def test_a_port_that_was_open_from_there_before_shows_the_way():
    after = [looked("c1"), looked("c2", control="silent")]
    assert judged(after, before=[looked("c2", "open", "silent")]).level == 2
    assert judged(after, before=[looked("c2", "silent", "silent")]).level is None
    assert judged(after, before=[looked("c3", "open", "silent")]).level is None


def test_one_open_port_anywhere_is_not_isolated():
    after = [looked("c1"), looked("c2"), looked("c3", other="open")]
    assert (judged(after).level, judged(after).state) == (None, "open")


@pytest.mark.parametrize("stand", [Stand(None), Stand(frozenset()), Stand(frozenset(sorted(TARGET.rules())[1:]))])
def test_a_guard_without_all_rules_is_no_fence(stand):
    proof = judged([looked("c1"), looked("c2")], {**HOLDS, "gw2": stand})
    assert proof.level is None
    assert proof.answers is (stand.rules is not None)
    assert judged([looked("c1"), looked("c2")], {}).level is None


def test_a_guard_that_lets_packets_pass_proves_nothing_is_named_and_can_be_set_again():
    weakened = Stand(TARGET.rules(), 4, ("rule 42 of the chain input: accept",))
    proof = judged([looked("c1"), looked("c2")], {"gw": weakened})
    assert (proof.level, proof.state, proof.gives) == (None, "unknown", 2)
    assert proof.text.startswith("gw holds what is no plain drop (rule 42 of the chain input: accept); ")


@pytest.mark.parametrize(
    ("guards", "vantages", "told"),
    [
        ([], ["a", "b"], "guards"),
        (["gw"], ["gw", "a", "b"], "sets the rules"),
        (["gw"], ["db1", "a", "b"], "is the member"),
        (["gw"], ["a", "a"], "1 machine"),
    ],
)
def test_machines_that_could_never_prove_anything_are_named(guards, vantages, told):
    assert told in "; ".join(isolation.findings("db1", guards, vantages))
    assert isolation.findings("db1", ["gw"], ["a", "b"]) == []


def test_what_a_vantage_point_prints_is_read_line_by_line():
    targets = [(A, 5432), (A, 22), (B, 5432), (B, 22), ("2001:db8::1", 1)]
    nothing = ""  # the line ends with the blank before its answer
    said = f"""@@saw {A} 5432 0 opened alive
@@saw {A} 22 0 opened
@@saw {B} 5432 124 {nothing}
@@saw {B} 22 1 bash: connect: No route to host
noise"""
    assert [str(seen) for seen in vantage.parse(said, targets)] == [
        f"{A}:5432 alive",
        f"{A}:22 open",
        f"{B}:5432 silent",
        f"{B}:22 no route",
        "2001:db8::1:1 unknown",
    ]


@pytest.mark.parametrize("hello", ["zz", "0", "00; rm", "00 0"])
def test_a_hello_is_bytes(hello):
    with pytest.raises(ValueError, match="hexadecimal"):
        vantage.script([(A, 1)], 1, hello)
    with pytest.raises(ValueError, match="IP|address"):
        vantage.script([("x; rm", 1)], 1)
