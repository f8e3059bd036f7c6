# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A failover from a live primary would make two."""

from __future__ import annotations

from collections.abc import Callable


def test_the_live_primary_is_named(refused: Callable[..., tuple[str, str]]) -> None:
    assert refused("primary_alive", "payments-db") == ("db1 runs as primary", "no running primary")
