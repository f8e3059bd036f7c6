# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups by a real pgBackRest of a real primary."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.make import Maker
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError


def test_a_backup_is_made_in_each_repository_and_not_again_within_its_interval(world):
    made = world.maker().present(Schedule(86400, incr_every=900))
    assert [(each["repository"], each["kind"]) for each in made["made"]] == [(1, "full"), (2, "full")]
    again = world.maker().present(Schedule(86400, incr_every=900))
    assert (again["changed"], again["made"]) == (False, [])
    assert [each["label"] for each in again["kept"]] == [each["label"] for each in made["made"]]


def test_a_backup_that_ended_well_and_is_not_in_the_repository_is_none(world, monkeypatch):
    """The word of the program that made it is no proof: what the repository lists afterwards is."""
    monkeypatch.setattr(Maker, "long", lambda *_given: None)
    with pytest.raises(MemberError, match="repository 1 holds no new usable backup") as error:
        world.maker().present(Schedule(86400))
    assert error.value.reason == "backup_not_there"
    assert [copy.backups for copy in world.maker().ask().repositories] == [(), ()]
