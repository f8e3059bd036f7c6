# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step is begun while its claim holds, and not a second later."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.not_after import slept

NOW = 1000.0


@pytest.mark.parametrize("left", [None, 1.0, 1.5, 60.0])
def test_a_claim_that_holds_lets_the_step_begin(left: float | None) -> None:
    assert slept(None if left is None else NOW + left, "the lease on db1", NOW) == []


@pytest.mark.parametrize(("left", "told"), [(0.9, 0), (0.0, 0), (-0.1, 1), (-1.0, 1), (-2.0, 2), (-600.0, 600)])
def test_one_that_is_over_does_not(left: float, told: int) -> None:
    (refusal,) = slept(NOW + left, "the lease on db1", NOW)
    assert (refusal.rule, refusal.measured) == ("lease_expired", f"the claim ended {told} s ago")
    assert refusal.message == "this run slept between its claim and the lease on db1"
