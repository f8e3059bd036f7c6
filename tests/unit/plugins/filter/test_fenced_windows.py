# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.filter.fenced_windows import FilterModule

MEMBERS = {
    "db1": {"address": "198.51.100.11", "replication_address": "203.0.113.131"},
    "db2": {"address": "203.0.113.11", "replication_address": None},
    "db3": {"address": "203.0.113.12", "replication_address": "203.0.113.12"},
}


@pytest.fixture
def fenced_windows():
    return FilterModule().filters()["fenced_windows"]


def test_a_fenced_member_is_watched_at_every_address_it_has(fenced_windows):
    assert fenced_windows(MEMBERS, {"db1": 1795318476.6}) == [
        {"addresses": ["198.51.100.11", "203.0.113.131"], "since": "1795318476.6"}
    ]


def test_one_address_is_named_once_and_members_stand_in_order(fenced_windows):
    windows = fenced_windows(MEMBERS, {"db3": 2.0, "db2": 1.0})
    assert windows == [{"addresses": ["203.0.113.11"], "since": "1.0"}, {"addresses": ["203.0.113.12"], "since": "2.0"}]


def test_nobody_fenced_is_nothing_to_watch(fenced_windows):
    assert fenced_windows(MEMBERS, {}) == []


def test_a_fence_of_somebody_who_is_no_member_is_an_error_and_not_silence(fenced_windows):
    with pytest.raises(KeyError, match="db9"):
        fenced_windows(MEMBERS, {"db9": 1.0})
