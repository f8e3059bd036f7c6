# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A name that the plan does not have is no empty scope: the run does not begin, and names what was probably meant."""

from __future__ import annotations

from collections.abc import Callable


def test_nothing_was_contacted(did_not_begin: Callable[..., None]) -> None:
    did_not_begin("scope", "paymints", "payments")
