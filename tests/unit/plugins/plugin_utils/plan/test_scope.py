# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.scope import Choices, chosen_services, wave_sizes

SITES = {"pay-db": ["dc1", "dc2"], "acc-db": ["dc2"], "mail": ["dc1"]}
GROUPS = {
    "continuity_services": ["pay-db", "acc-db", "mail"],
    "continuity_function_card_payments": ["pay-db"],
    "continuity_function_accounts": ["acc-db", "mail"],
    "continuity_function_idle": [],
    "continuity_tier_1": ["pay-db", "mail"],
    "continuity_tier_2": ["acc-db"],
}


def chosen(scope=None, source_site=None, target_site=None):
    inputs = {"scope": scope, "source_site": source_site, "target_site": target_site}
    return chosen_services(
        inputs, Choices(GROUPS, ["card-payments", "accounts", "idle"], ["dc1", "dc2", "dc3"], SITES.__getitem__)
    )


@pytest.mark.parametrize(
    ("asked", "services"),
    [
        ({"scope": "all"}, ["pay-db", "acc-db", "mail"]),
        ({"scope": "mail"}, ["mail"]),
        ({"scope": "card-payments"}, ["pay-db"]),
        ({"scope": "accounts"}, ["acc-db", "mail"]),
        ({"scope": "tier_1"}, ["pay-db", "mail"]),
        ({"scope": "tier-2"}, ["acc-db"]),
        ({"scope": "Tier 1"}, ["pay-db", "mail"]),
        ({"scope": "dc1"}, ["pay-db", "mail"]),
        ({"scope": "mail,tier-2"}, ["acc-db", "mail"]),
        ({"source_site": "dc2"}, ["pay-db", "acc-db"]),
        ({"scope": "tier-1", "source_site": "dc2"}, ["pay-db"]),
        ({"scope": "all", "target_site": "dc2"}, ["pay-db", "acc-db", "mail"]),
    ],
)
def test_accepted(asked, services):
    assert chosen(**asked) == (services, [])


ALL_WORDS = "all, pay-db, acc-db, mail, card-payments, accounts, idle, tier-1, tier-2, dc1, dc2, dc3"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, f"scope: is missing: give -e scope=... or -e source_site=...; allowed: {ALL_WORDS}"),
        ({"target_site": "dc1"}, "scope: is missing"),
        ({"scope": "pay-bd"}, f'scope: unknown scope "pay-bd" (did you mean "pay-db"?); allowed: {ALL_WORDS}'),
        ({"scope": "mail,"}, 'scope: unknown scope ""'),
        ({"scope": "tier-3"}, 'scope: unknown scope "tier-3" (did you mean "tier-2"?)'),
        ({"scope": "idle"}, 'scope: no service is in "idle"; allowed: '),
        ({"source_site": "dc3"}, 'scope: no service is in "all" with a member in dc3'),
        ({"scope": "mail", "source_site": "dc2"}, 'scope: no service is in "mail" with a member in dc2'),
        ({"scope": "mail", "target_site": "dc2"}, 'target_site: no chosen service has a member in "dc2"; allowed: dc1'),
    ],
)
def test_refused(asked, told):
    errors = chosen(**asked)[1]
    assert [text for text in errors if told in text], errors


def test_sites_of_services_are_read_only_when_a_site_is_named():
    def unread(name):
        raise AssertionError(f"{name} was read")

    inputs = {"scope": "accounts", "source_site": None, "target_site": None}
    assert chosen_services(inputs, Choices(GROUPS, ["accounts"], ["dc1"], unread)) == (["acc-db", "mail"], [])


def test_wave_sizes():
    assert wave_sizes([{"wave": 1}, {"wave": 1}, {"wave": 3}]) == [2, 1]
