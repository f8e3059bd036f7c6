# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A member rejoins a primary that serves, or nothing."""

from __future__ import annotations

from collections.abc import Callable


def test_nothing_runs(refused: Callable[..., tuple[str, str]]) -> None:
    assert refused("no_primary", "accounts-db") == ("none runs", "one running primary")
