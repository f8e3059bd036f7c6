# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of the members that give no answer may take writes, case by case."""

from __future__ import annotations

import pytest
from observed import GONE, left_behind

from ansible_collections.continuity.dr.plugins.plugin_utils.core.fencing import may_be_primary
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EndpointView,
    LastSeen,
    Observation,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

TARGET = left_behind()
DB3 = Observation("db3", "dc3", address="192.0.2.11")
SILENT = Observation("db4", "dc3", address="192.0.2.12")
FOLLOWS = Observation("db4", "dc3", address="192.0.2.12", reachable=True, running=True, role="replica")


@pytest.mark.parametrize(
    ("db4", "address", "seen", "suspects"),
    [
        (SILENT, None, None, ["db1", "db3", "db4"]),
        (FOLLOWS, None, None, ["db1", "db3"]),
        (SILENT, GONE.address, None, ["db1"]),
        (SILENT, None, "db3", ["db3"]),
        (SILENT, GONE.address, "db3", ["db1", "db3"]),
        (FOLLOWS, FOLLOWS.address, None, ["db1", "db3"]),
        (FOLLOWS, None, "db4", ["db1", "db3"]),
        (FOLLOWS, FOLLOWS.address, "db3", ["db3"]),
        (SILENT, TARGET.address, None, ["db1", "db3", "db4"]),
    ],
    ids=[
        "nothing names one",
        "nothing names one, and one follows",
        "the endpoint names one",
        "the last sight names one",
        "they disagree",
        "the endpoint names one that follows",
        "the last sight names one that follows",
        "one that follows and one that is silent",
        "only the target is named",
    ],
)
def test_all_that_anything_names_or_else_everyone_who_is_silent(
    db4: Observation, address: str | None, seen: str | None, suspects: list[str]
) -> None:
    members = {each.member: each for each in (GONE, TARGET, DB3, db4)}
    service = Service("shop", 300.0, {name: each.site for name, each in members.items()}, "dc1", ("shop.example.",))
    endpoint = EndpointView("shop.example.", reachable=True, values=(address,) if address else ())
    there = View(service, members, (endpoint,), LastSeen(0.0, seen, None, {}) if seen else None)
    assert [each.member for each in may_be_primary(there, TARGET)] == suspects
