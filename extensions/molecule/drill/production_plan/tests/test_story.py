# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No fault is injected in production."""

from __future__ import annotations

from collections.abc import Callable


def test_nothing_was_contacted(did_not_begin: Callable[..., None]) -> None:
    did_not_begin("plan.environment", "production", "drill")
