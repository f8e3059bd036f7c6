# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.backup_inputs import backup_findings
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.backup_rules import backup_rules

PATH = "services.shop.backup.repositories"


def told(*copies):
    return list(backup_rules({"shop": {"backup": {"repositories": list(copies)}}, "other": {}}, {"dc1", "dc2"}))


def test_copies_at_sites_of_the_plan_are_right():
    assert told({"key": 1, "site": "dc1"}, {"key": 2, "site": "dc2"}) == []


def test_a_site_that_is_none_and_a_repository_that_is_given_twice_are_told():
    assert told({"key": 1, "site": "dc3"})[0].startswith(f'{PATH}[0].site: unknown site "dc3"')
    assert told({"key": 1, "site": "dc1"}, {"key": 1, "site": "dc2"})[0].startswith(f"{PATH}: key 1 is given 2 times")


@pytest.mark.parametrize(
    ("verb", "extra", "said"),
    [
        ("restore", {"restore_to": "2026-11-22T02:10:00"}, "restore_to: "),
        ("restore", {"restore_to": "yesterday"}, "is no restore target"),
        ("restore", {"restore_mode": "in-place"}, 'did you mean "in_place"'),
        ("restore", {"repository": "two"}, "repository"),
        ("restore", {"timeline": True}, "timeline"),
        ("restore", {"timeline": 0}, "timeline"),
        ("backup", {"backup_type": "fulll"}, 'did you mean "full"'),
        ("backup", {"repository": "-1"}, "repository"),
        ("restore", {"restore_to": "latest", "restore_mode": "aside", "repository": "2", "timeline": 3}, ""),
        ("backup", {"backup_type": "incr", "repository": 1}, ""),
        ("failover", {"restore_to": "yesterday"}, ""),
    ],
)
def test_a_wrong_input_is_told_before_the_run_begins(verb, extra, said):
    found = "\n".join(backup_findings(extra, verb))
    assert said in found and bool(said) == bool(found)
