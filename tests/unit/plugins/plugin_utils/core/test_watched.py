# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which member is watched from when on, over all walks of a run."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core import watched

MEMBERS = {
    "db1": {"address": "198.51.100.11", "replication_address": "203.0.113.131"},
    "db2": {"address": "203.0.113.11", "replication_address": None},
    "db3": {"address": "203.0.113.12", "replication_address": "203.0.113.12"},
}
DB1 = {"member": "db1", "addresses": ["198.51.100.11", "203.0.113.131"], "since": "106.0"}
DB2 = {"member": "db2", "addresses": ["203.0.113.11"], "since": "125.0"}


def walk(started: float, demote: str | None = None, promote: str | None = None, **facts: Any) -> dict[str, Any]:
    """The facts that a walk leaves behind."""
    steps = {"demote": demote, "promote": promote}
    begun = {"members": MEMBERS, "started": started, "steps": steps, "proceed": True}
    return {"continuity_walk": begun, "service_freezing": {"run_id": "a"} if demote else {}, **facts}


def ended(facts: dict[str, Any], state: str = "done", **data: Any) -> dict[str, Any]:
    return {**facts, "continuity_outcome": {"state": state, **data}}


def test_a_fenced_member_is_watched_at_every_address_it_has_and_under_its_name():
    assert watched.windows(walk(105.0, promote="db2", continuity_fenced={"db1": 106.0})) == [DB1]


def test_one_address_is_named_once_and_members_stand_in_order():
    found = watched.windows(walk(1.0, continuity_fenced={"db3": 2.0, "db2": 1.0}))
    assert [(one["member"], one["addresses"], one["since"]) for one in found] == [
        ("db2", ["203.0.113.11"], "1.0"),
        ("db3", ["203.0.113.12"], "2.0"),
    ]


def test_nobody_fenced_is_nothing_to_watch():
    assert watched.windows({}) == watched.windows(walk(1.0)) == []


def test_a_fence_of_somebody_who_is_no_member_is_an_error_and_not_silence():
    with pytest.raises(KeyError, match="db9"):
        watched.windows(walk(1.0, continuity_fenced={"db9": 1.0}))


def test_what_an_earlier_walk_fenced_is_watched_until_a_walk_that_has_it_serve_again_has_ended():
    back = walk(120.0, "db2", "db1", continuity_fenced={"db2": 125.0}, continuity_fenced_before=[DB1])
    under_way = watched.windows({**back, "continuity_outcome": {"state": "begun"}})
    assert under_way == [DB1, DB2], "the walk's own measurement still looks at db1: its new timeline tells it apart"
    assert watched.windows(ended(back)) == [{**DB1, "until": "120.0"}, DB2]
    assert {"member": "db1", "addresses": DB1["addresses"], "since": "106.0"} == DB1, "the facts are left as they are"


def test_a_walk_without_a_promotion_ends_no_watch():
    assert watched.windows(ended(walk(118.0, continuity_fenced_before=[DB1]))) == [DB1]


@pytest.mark.parametrize("state", ["failed", "refused"])
def test_a_walk_that_changed_no_primary_ends_no_watch(state):
    """What it depends on failed, or its claim was not given: whom it would have promoted is still a replica."""
    failed = ended(walk(120.0, "db2", "db1", continuity_fenced_before=[DB1]), state, undone=False)
    assert watched.windows(failed) == [{**DB1, "until": "120.0"}], "frozen: who knows"
    assert watched.windows({**failed, "service_freezing": {}}) == [DB1]
    failed["continuity_walk"]["proceed"] = False
    assert watched.windows(failed) == [DB1]


def test_a_demotion_that_was_undone_is_watched_no_longer():
    undone = walk(120.0, "db2", "db1", continuity_fenced={"db2": 125.0}, continuity_fenced_before=[DB1])
    assert watched.windows(ended(undone, "refused", undone=True)) == [DB1, {**DB2, "until": "120.0"}]


def test_what_was_ended_once_stays_ended():
    closed = {**DB1, "until": "120.0"}
    assert watched.windows(ended(walk(130.0, "db2", "db1", continuity_fenced_before=[closed]))) == [closed]
