# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.groups import (
    group_name,
    member_sites,
    service_groups,
)


def test_hyphens_become_underscores():
    assert group_name("function", "card-payments") == "continuity_function_card_payments"


def test_machines_may_be_in_no_site_or_in_two():
    sites = {"a": {"group": "one"}, "b": {"group": "two"}, "c": {"group": "absent"}}
    assert member_sites(sites, {"one": ["m1", "m2"], "two": ["m2"], "other": ["m3"]}) == {"m1": ["a"], "m2": ["a", "b"]}


def test_every_group_of_the_plan(plan):
    plan["functions"]["idle-work"] = {"tier": 3, "objectives": {"rto": "1d", "rpo": "1d"}}
    loaded = load_plan(plan)
    assert service_groups(loaded.plan, loaded.services, {"db1": ["dc1"]}) == {
        "continuity_services": ["payments-db", "accounts-db"],
        "continuity_tier_1": ["payments-db"],
        "continuity_tier_2": ["accounts-db"],
        "continuity_tier_3": [],
        "continuity_site_dc1": ["payments-db", "accounts-db"],
        "continuity_site_dc2": [],
        "continuity_function_payments": ["payments-db"],
        "continuity_function_accounts": ["accounts-db"],
        "continuity_function_idle_work": [],
    }
