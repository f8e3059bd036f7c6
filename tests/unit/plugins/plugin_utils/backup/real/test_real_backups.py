# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups by a real pgBackRest of a real primary."""

from __future__ import annotations

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule


def test_a_backup_is_made_in_each_repository_and_not_again_within_its_interval(world):
    made = world.maker().present(Schedule(86400, incr_every=900))
    assert [(each["repository"], each["kind"]) for each in made["made"]] == [(1, "full"), (2, "full")]
    again = world.maker().present(Schedule(86400, incr_every=900))
    assert (again["changed"], again["made"]) == (False, [])
    assert [each["label"] for each in again["kept"]] == [each["label"] for each in made["made"]]
