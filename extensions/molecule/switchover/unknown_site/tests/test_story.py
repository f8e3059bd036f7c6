# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A site that the plan does not have is never guessed."""

from __future__ import annotations

from collections.abc import Callable


def test_nothing_was_contacted(did_not_begin: Callable[..., None]) -> None:
    did_not_begin("target_site", "dc9", "dc1, dc2")
