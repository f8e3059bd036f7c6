# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan's fences: one or a list, each with a name of its own, and the level that they must reach."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.resolve import fences, min_level

SYSTEMD, AGENT = "continuity.dr.fence_systemd", "continuity.dr.fence_agent"


def loaded(fence):
    plan = {
        "plugin": "continuity.dr.plan",
        "plan": {"id": "p", "environment": "drill"},
        "sites": {"dc1": {"use": "preferred"}, "dc2": {"use": "recovery", "standby": "hot"}},
        "functions": {"f": {"tier": 1, "objectives": {"rto": "1h", "rpo": "5m"}}},
        "services": {
            "s": {
                "function": "f",
                "members": ["db1", "db2"],
                "fence": fence,
                "engine": {"role": "continuity.dr.engine_postgresql", "cluster": "15/main"},
            }
        },
    }
    return load_plan(plan)


def test_fences_are_tried_in_the_order_of_the_plan_each_under_its_own_name():
    written = {"fence": [{"role": AGENT, "agent": "fence_a"}, {"role": SYSTEMD}, {"role": AGENT, "agent": "fence_b"}]}
    assert [(each["name"], each.get("agent")) for each in fences(written)] == [
        ("fence_agent", "fence_a"),
        ("fence_systemd", None),
        ("fence_agent_2", "fence_b"),
    ]
    assert fences({"fence": {"role": SYSTEMD}}) == [{"role": SYSTEMD, "name": "fence_systemd"}]
    assert fences({}) == fences({"fence": None}) == []


@pytest.mark.parametrize(
    ("fence", "level"),
    [
        (None, 2),
        ({"role": SYSTEMD}, 2),
        ({"role": SYSTEMD, "min_level": 0}, 0),
        ([{"role": SYSTEMD, "min_level": 3}, {"role": AGENT}], 3),
        ([{"role": SYSTEMD, "min_level": 0}, {"role": AGENT, "min_level": 1}], 1),
    ],
)
def test_the_highest_level_that_is_asked_for_counts(fence, level):
    assert min_level({"fence": fence}) == level


def test_a_plan_with_a_list_of_fences_is_a_plan():
    agent = {"role": AGENT, "agent": "fence_x", "members": {"db1": {"plug": 1}}, "min_level": 3}
    found = loaded([{"role": SYSTEMD}, agent])
    assert not found.errors
    assert [each["name"] for each in found.services["s"]["fences"]] == ["fence_systemd", "fence_agent"]
    assert found.services["s"]["min_level"] == 3


@pytest.mark.parametrize(
    ("fence", "told"),
    [
        ([], "services.s.fence: is empty"),
        ("continuity.dr.fence_systemd", "services.s.fence"),
        ([{"role": SYSTEMD}, {}], "services.s.fence[1].role: is missing"),
        ({"role": SYSTEMD, "min_level": 4}, "services.s.fence.min_level"),
        ([{"role": SYSTEMD, "min_level": -1}], "services.s.fence[0].min_level"),
        ({"role": SYSTEMD, "min_level": "2"}, "services.s.fence.min_level"),
        ([{"role": "continuity.dr.endpoint_rfc2136"}], "services.s.fence[0].role"),
        (
            [{"role": AGENT, "agnet": "fence_x", "members": {}}],
            'services.s.fence[0].agnet: unknown key (did you mean "agent"?)',
        ),
    ],
)
def test_a_wrong_fence_is_named_by_its_place(fence, told):
    assert any(told in error for error in loaded(fence).errors), loaded(fence).errors
