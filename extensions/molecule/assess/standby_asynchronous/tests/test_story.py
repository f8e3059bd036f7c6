# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A standby that is not synchronous does not prove an RPO of zero."""

from __future__ import annotations

from collections.abc import Callable


def test_the_mode_is_measured_and_its_limit_named(refused: Callable[..., tuple[str, str]]) -> None:
    assert refused("synchronous_unproven", "payments-db") == ("async", "sync")
