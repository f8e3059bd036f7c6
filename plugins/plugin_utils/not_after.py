# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step that rests on a claim is not begun once that is over: another run may have decided otherwise meanwhile."""

from __future__ import annotations

import math

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal


def seconds_left(not_after: float, now: float) -> int:
    """Whole seconds until `not_after` (both Unix time by the controller's clock); none or fewer: the claim is over."""
    return math.floor(not_after - now)


def slept(not_after: float | None, step: str, now: float) -> list[Refusal]:
    """Why the step must not be begun; nothing while the claim holds, or where there is none.

    `step` completes "this run slept between its claim and", such as "the lease on db1".
    """
    if not_after is None or (left := seconds_left(not_after, now)) > 0:
        return []
    measured, limit = f"the claim ended {-left} s ago", "a claim that still holds"
    message = f"this run slept between its claim and {step}"
    return [Refusal("lease_expired", measured, limit, message, lease.NEXT["lease_expired"])]
