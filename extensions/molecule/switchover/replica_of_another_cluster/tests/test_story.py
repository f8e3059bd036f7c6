# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two members that are not copies of one database are not moved between."""

from __future__ import annotations

from collections.abc import Callable


def test_both_system_identifiers_are_named(refused: Callable[..., tuple[str, str]]) -> None:
    measured, limit = refused("other_cluster", "accounts-db")
    assert "db1=" in measured
    assert "db2=" in measured
    assert limit == "one system identifier"
