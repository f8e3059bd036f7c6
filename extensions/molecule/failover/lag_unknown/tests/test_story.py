# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is not known is not zero."""

from __future__ import annotations

from collections.abc import Callable


def test_an_unknown_lag_is_called_unknown(refused: Callable[..., tuple[str, str]]) -> None:
    assert refused("lag_unknown", "accounts-db") == ("unknown", "a known lag")
