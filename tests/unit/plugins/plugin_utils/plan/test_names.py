# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import (
    dns_name_problem,
    finding,
    is_template,
    listed,
    nearest,
    path_of,
    unknown,
)


def test_an_error_names_the_nearest_and_all_known():
    assert unknown("scope", "scope", "paymnts", ["payments", "mail"]) == (
        'scope: unknown scope "paymnts" (did you mean "payments"?); allowed: payments, mail'
    )
    assert unknown("a", "site", "x", []) == 'a: unknown site "x"; allowed: none'


def test_a_long_list_is_cut():
    assert listed([f"s{number}" for number in range(5000)]).endswith(", s11 and 4988 more")


def test_nearest_has_a_limit():
    assert nearest("zzz", ["payments"]) is None


def test_paths():
    assert path_of(["services", "db", "members", 0, "port"]) == "services.db.members[0].port"
    assert path_of([]) == "the plan"


def test_a_finding_may_have_nothing_to_allow():
    assert finding("a", "is wrong") == "a: is wrong"


@pytest.mark.parametrize(
    ("value", "found"), [("{{ x }}", True), ("{% if x %}", True), ("x", False), ("{", False), (5, False)]
)
def test_is_template(value, found):
    assert is_template(value) is found


def test_a_correct_dns_name_has_no_problem():
    assert dns_name_problem("a.b-c.example.") is None
    assert dns_name_problem("a" * 63 + ".example.") is None
