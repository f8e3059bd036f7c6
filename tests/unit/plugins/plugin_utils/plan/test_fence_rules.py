# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fence by the network that could prove nothing about one of the members is an error of the plan."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.fence_rules import NETWORK, fence_rules

GUARDS = {"db1": {"guards": ["gw1"]}, "db2": {"guards": ["gw2"]}}
ENOUGH = {"role": NETWORK, "members": GUARDS, "vantages": ["app1", "db1", "db2"]}
FENCE = "services.shop.fence"


def told(fence: Any) -> list[str]:
    return list(fence_rules({"shop": {"fence": fence}}, {"shop": ["db1", "db2"]}))


@pytest.mark.parametrize(
    "fence",
    [
        ENOUGH,
        [ENOUGH],
        {**ENOUGH, "role": "acme.dr.fence_network", "vantages": []},
        {**ENOUGH, "vantages": "{{ all_vantages }}"},
        {**ENOUGH, "members": {"db1": {"guards": "{{ gateways }}"}, "db2": {"guards": "{{ gateways }}"}}},
        None,
        "continuity.dr.fence_network",
    ],
)
def test_what_can_prove_something_or_is_not_ours_is_accepted(fence: Any) -> None:
    assert told(fence) == []


def test_each_member_needs_two_others_to_look_at_it() -> None:
    allowed = "allowed: 2 or more that are neither it nor one of its guards"
    assert told({**ENOUGH, "vantages": ["app1", "db2"]}) == [
        f"{FENCE}.vantages: leaves 1 to look at db2: app1; {allowed}"
    ]
    assert told([{"role": "x"}, {**ENOUGH, "vantages": ["app1", "gw1", "db2", "app1", "db1"]}]) == []
    assert told([{"role": "x"}, {**ENOUGH, "vantages": ["gw1", "app1", "app1"]}]) == [
        f"{FENCE}[1].vantages: leaves 1 to look at db1: app1; {allowed}"
    ]
    assert told({**ENOUGH, "vantages": None})[1] == f"{FENCE}.vantages: leaves 0 to look at db2: none; {allowed}"


@pytest.mark.parametrize(
    "members", [None, {"db1": GUARDS["db1"]}, {**GUARDS, "db2": {}}, {**GUARDS, "db2": {"guards": []}}]
)
def test_each_member_needs_its_guards(members: Any) -> None:
    missing = f"{FENCE}.members.db2.guards: is missing; allowed: the machines that its clients' packets pass"
    assert missing in told({**ENOUGH, "members": members})
