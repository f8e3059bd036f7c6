# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A standby that does not replay would stretch the outage for as long as nobody notices."""

from __future__ import annotations

from collections.abc import Callable


def test_the_pause_is_measured(refused: Callable[..., tuple[str, str]]) -> None:
    assert refused("replay_paused", "accounts-db") == ("paused", "running")
