# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A time without a zone would be another time for PostgreSQL than for the operator: the run does not begin."""

from __future__ import annotations

from collections.abc import Callable


def test_nothing_was_contacted(did_not_begin: Callable[..., None]) -> None:
    did_not_begin("restore_to", "2026-11-22T02:10:00", "has no time zone")
