# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A standby whose replay is paused cannot be promoted: it would wait for ever."""

from __future__ import annotations

from collections.abc import Callable


def test_the_pause_is_measured(refused: Callable[..., tuple[str, str]]) -> None:
    assert refused("replay_paused", "accounts-db") == ("paused", "running")
