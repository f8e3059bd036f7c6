# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The three steps of a network fence: a guard, a vantage point, and the judgement of what they said."""

from __future__ import annotations

import json
import socket
import time

import pytest
from ansible.errors import AnsibleConnectionFailure
from fake_action import FakeConnection, made

from ansible_collections.continuity.dr.plugins.action.fence_isolation import ActionModule as Isolation
from ansible_collections.continuity.dr.plugins.action.fence_network import ActionModule as Guard
from ansible_collections.continuity.dr.plugins.action.fence_vantage import ActionModule as Vantage
from ansible_collections.continuity.dr.plugins.plugin_utils.fence import network

TARGET = {"service": "payments-db", "member": "db1", "addresses": ["198.51.100.2"], "ports": [5432]}
RULES = network.Target("payments-db", "db1", ("198.51.100.2",), (5432,))
GUARD = {"guard": "gw", "known": True, "isolated": True, "dropped": 3}


def lost(*_):
    raise AnsibleConnectionFailure("no route to host")


class Gateway:
    """A guard that keeps its table in memory; `deaf` takes orders and does nothing."""

    def __init__(self, deaf=False):
        self.there, self.deaf, self.orders, self.inserted = False, deaf, [], []

    def __call__(self, command, script):
        text = script.decode()
        if "add table" in text or "nft delete table" in text:
            self.orders.append("set" if "add table" in text else "delete")
            self.there = self.there if self.deaf else "add table" in text
            self.inserted = self.inserted if self.deaf else []
        return 0, (self._table() if self.there else "@@absent\n").encode(), b""

    def _table(self):
        chains, rules = [], []
        for hook, family, ends, addresses, ports in sorted(RULES.rules()):
            chains.append({"chain": {"name": hook, "type": "filter", "hook": hook, "prio": network.PRIORITY}})
            address, port = ends.split()
            match = []
            for protocol, field, right in ((family, address, list(addresses)), ("tcp", port, list(ports))):
                left = {"payload": {"protocol": protocol, "field": field}}
                match.append({"match": {"op": "==", "left": left, "right": {"set": right}}})
            rules.append({"rule": {"chain": hook, "expr": [*match, {"counter": {"packets": 1}}, {"drop": None}]}})
        return json.dumps({"nftables": [*chains, *self.inserted, *rules]})


def guard(gateway, state, check_mode=False, **more):
    action = made(
        Guard, {**TARGET, "state": state, **more}, FakeConnection(gateway), check_mode=check_mode, delegate_to="gw"
    )
    return action.run(task_vars={})


def test_a_run_that_slept_past_its_claim_isolates_nobody():
    gateway = Gateway()
    late = guard(gateway, "fenced", not_after=time.time() - 3)
    assert [refusal["rule"] for refusal in late["refusals"]] == ["lease_expired"] and late["failed"] is True
    assert "the fence of db1 at gw" in late["msg"] and gateway.orders == []
    assert guard(gateway, "fenced", not_after=time.time() + 300)["changed"] is True
    assert guard(gateway, "released", not_after=time.time() - 3)["changed"] is True


def test_rules_are_set_once_and_read_back_and_deleted():
    gateway = Gateway()
    first = guard(gateway, "fenced")
    assert (first["changed"], first["isolated"], first["known"], first["guard"]) == (True, True, True, "gw")
    assert guard(gateway, "fenced")["changed"] is False
    assert guard(gateway, "proven")["dropped"] == 6
    assert (guard(gateway, "released")["changed"], guard(gateway, "released")["changed"]) == (True, False)
    assert guard(gateway, "proven")["absent"] is True
    assert gateway.orders == ["set", "delete"]


def test_rules_that_are_not_read_back_are_an_error():
    result = guard(Gateway(deaf=True), "fenced")
    assert (result["failed"], result["reason"], result["isolated"]) == (True, "not_fenced", False)
    assert "gw does not drop the packets of payments-db on db1" in result["msg"]
    deaf = Gateway(deaf=True)
    deaf.there = True
    assert guard(deaf, "released")["reason"] == "not_released"


ACCEPT = {"rule": {"chain": "forward", "handle": 42, "expr": [{"accept": None}]}}
NAMED = "rule 42 of the chain forward: accept"


@pytest.mark.parametrize(("state", "isolated"), [("fenced", True), ("released", False)])
def test_an_accept_before_our_drops_is_no_fence_and_the_table_is_replaced_or_deleted(state, isolated):
    gateway = Gateway()
    guard(gateway, "fenced")
    gateway.inserted = [ACCEPT]
    seen = guard(gateway, "proven")
    assert (seen["known"], seen["isolated"], seen["absent"], seen["weakened_by"]) == (True, False, False, [NAMED])
    assert guard(gateway, state, check_mode=True)["changed"] is True and gateway.inserted == [ACCEPT]
    ordered = guard(gateway, state)
    assert (ordered["changed"], ordered["isolated"], ordered["weakened_by"]) == (True, isolated, [])
    assert gateway.orders == ["set", "set" if isolated else "delete"]


def test_what_stays_in_the_table_after_the_order_is_named():
    gateway = Gateway(deaf=True)
    gateway.there, gateway.inserted = True, [ACCEPT]
    result = guard(gateway, "fenced")
    assert (result["reason"], result["isolated"]) == ("not_fenced", False) and NAMED in result["msg"]


def test_the_judgement_names_what_a_guard_lets_pass():
    result = judged(guards=[{**GUARD, "isolated": False, "weakened_by": [NAMED]}])
    assert result["reason"] == "not_fenced" and f"gw holds what is no plain drop ({NAMED})" in result["msg"]


@pytest.mark.parametrize(("absent", "told"), [(True, "gw has no rules"), (False, "gw has only a part of the rules")])
def test_the_judgement_tells_a_part_of_the_rules_from_none(absent, told):
    result = judged(guards=[{**GUARD, "isolated": False, "absent": absent}])
    assert result["reason"] == "not_fenced" and told in result["msg"]


def test_check_mode_sets_nothing():
    gateway = Gateway()
    assert guard(gateway, "fenced", check_mode=True)["changed"] is True
    assert guard(gateway, "released", check_mode=True)["changed"] is False
    assert gateway.orders == []


def test_a_guard_out_of_reach_is_an_answer_to_a_look_and_an_error_to_an_order():
    seen = guard(lost, "proven")
    assert (seen["known"], seen["isolated"], seen["absent"]) == (False, False, False) and "no route" in seen["why"]
    assert guard(lost, "fenced")["reason"] == guard(lost, "released")["reason"] == "unreachable"


def test_a_name_is_no_address():
    result = made(Guard, {**TARGET, "addresses": ["db1.example"], "state": "fenced"}).run(task_vars={})
    assert result["reason"] == "bad_input" and "no IP address" in result["msg"]


def vantage(answer, **args):
    return made(Vantage, {**TARGET, **args}, FakeConnection(answer), delegate_to="client").run(task_vars={})


def test_a_vantage_point_tells_what_it_sees_and_that_it_cannot():
    said = b"@@saw 198.51.100.2 5432 0 opened alive\n@@saw 198.51.100.2 22 1 Connection refused\n"
    result = vantage(lambda *_: (0, said, b""))
    assert (result["open"], result["alive"], result["vantage"]) == (True, True, "client")
    assert result["text"] == "client sees 198.51.100.2:5432 alive" and len(result["seen"]) == 2
    frozen = vantage(lambda *_: (0, said.replace(b" alive", b""), b""))
    assert (frozen["open"], frozen["alive"]) == (True, False)
    for answer in (lost, lambda *_: (0, b"@@cannot bash or timeout is missing\n", b""), lambda *_: (127, b"", b"x")):
        silent = vantage(answer)
        assert (silent["seen"], silent["open"], silent["alive"]) == ([], False, False)
        assert not silent.get("failed") and silent["text"].startswith("client: ")


@pytest.mark.parametrize("place", [{"addresses": ["198.51.100.2", "198.51.100.3"]}, {"ports": [5432, 5433]}])
def test_one_answer_among_silent_addresses_and_ports_is_a_sighting(place):
    """Who waited for an answer of all of them would not see a primary that listens in one network only."""

    def answers(first, second):
        said = "\n".join(["@@saw 198.51.100.2 5432 " + first, "@@saw 198.51.100.3 5432 " + second])
        return said.replace("198.51.100.3 5432", "198.51.100.2 5433") if "ports" in place else said

    for first, second in (("0 opened alive", "124 "), ("124 ", "0 opened alive")):
        said = answers(first, second).encode()
        result = vantage(lambda *_, said=said: (0, said, b""), **place)
        assert (result["open"], result["alive"]) == (True, True)
    silent = vantage(lambda *_: (0, answers("124 ", "124 ").encode(), b""), **place)
    assert (silent["open"], silent["alive"]) == (False, False)


def test_the_controller_looks_at_the_same_time_and_both_are_told():
    listener = socket.create_server(("127.0.0.1", 0))
    place = {"addresses": ["127.0.0.1"], "ports": [listener.getsockname()[1]], "timeout": 1}
    listener.settimeout(10)

    def look(_command, _script):
        listener.accept()[0].close()  # only who looks from here comes: together, or this fails
        return 0, b"@@cannot bash or timeout is missing\n", b""

    with listener:
        result = vantage(look, **place, controller_too=True)
    assert (result["vantage"], result["alive"]) == ("client", False)
    here = result["controller"]
    assert (here["vantage"], here["open"], here["alive"]) == ("localhost", True, True)
    assert here["text"] == f"localhost sees 127.0.0.1:{place['ports'][0]} alive"
    assert "controller" not in vantage(lambda *_: (0, b"", b""), **place)


def sight(host, service="silent", control="open"):
    ports = ((5432, service), (22, control))
    return {
        "vantage": host,
        "seen": [{"address": "198.51.100.2", "port": port, "sight": seen, "alive": False} for port, seen in ports],
    }


def judged(state="fenced", **args):
    values = {**TARGET, "state": state, "guards": [GUARD], "after": [sight("a"), sight("b")], **args}
    return made(Isolation, values, delegate_to=None).run(task_vars={})


def test_the_judgement_is_evidence_of_level_2():
    result = judged()
    assert (result["fenced"], result["level"], result["state"], result["changed"]) == (True, 2, "isolated", False)
    assert result["ansible_facts"]["continuity_fence_evidence"]["db1 fence_network"]["level"] == 2
    assert "db1" in result["ansible_facts"]["continuity_fenced"]
    assert "continuity_fenced" not in judged("proven")["ansible_facts"]


@pytest.mark.parametrize(
    "args",
    [
        {"guards": [{**GUARD, "isolated": False}]},
        {"guards": [{**GUARD, "known": False}]},
        {"after": [sight("a"), sight("b", control="silent")]},
        {"after": [sight("a"), sight("b", "open")]},
        {"after": [sight("a"), {"vantage": "b", "seen": []}]},
    ],
)
def test_what_is_not_seen_is_an_error_and_no_fact(args):
    result = judged(**args)
    assert (result["failed"], result["reason"], result["fenced"], result["level"]) == (True, "not_fenced", False, None)
    assert "ansible_facts" not in result
    asked = judged(required=False, **args)
    assert not asked.get("failed") and asked["level"] is None
    assert asked["ansible_facts"]["continuity_fence_evidence"]["db1 fence_network"]["level"] is None


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"after": [sight("a")]}, "vantages"),
        ({"after": [sight("gw"), sight("a")]}, "sets the rules"),
        ({"guards": []}, "guards"),
    ],
)
def test_machines_that_could_never_prove_anything_are_bad_input(args, told):
    result = judged(**args)
    assert result["reason"] == "bad_input" and told in result["msg"]
