# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An endpoint that could not be switched is known before anything is stopped."""

from __future__ import annotations

from collections.abc import Callable


def test_the_key_is_named(refused: Callable[..., tuple[str, str]]) -> None:
    measured, limit = refused("endpoint_problem", "accounts-db")
    assert "key" in measured
    assert limit == "an endpoint that can be changed"
