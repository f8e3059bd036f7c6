# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A loss over the RPO is refused with both numbers."""

from __future__ import annotations

from collections.abc import Callable


def test_the_lag_and_the_limit_are_numbers(refused: Callable[..., tuple[str, str]]) -> None:
    measured, limit = refused("lag_over_rpo", "accounts-db")
    assert float(measured.removesuffix(" s")) > 1
    assert limit == "1 s"
