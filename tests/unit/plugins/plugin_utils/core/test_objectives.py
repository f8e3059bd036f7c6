# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.objectives import (
    Allowances,
    Loss,
    Objectives,
    Outage,
    compare_rpo,
    compare_rto,
)

SECONDS = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("outage", "allowance", "total", "met"),
    [
        (Outage(2.41), 360.0, 362.41, True),
        (Outage(3240.0), 360.0, 3600.0, True),
        (Outage(3240.01), 360.0, 3600.01, False),
        (Outage(3600.0), 0.0, 3600.0, True),
        (Outage(), 360.0, None, None),
        (Outage(), 3601.0, None, None),
        (Outage(at_least_seconds=3240.0), 360.0, None, None),
        (Outage(at_least_seconds=3241.0), 360.0, None, False),
    ],
)
def test_outage_against_the_rto(outage, allowance, total, met):
    compared = compare_rto(3600.0, outage, allowance)
    assert compared.total_seconds == pytest.approx(total)
    assert (compared.measured_seconds, compared.allowance_seconds, compared.met) == (outage.seconds, allowance, met)


def test_without_an_objective_nothing_is_met_and_nothing_missed():
    assert compare_rto(None, Outage(9e9)).met is None
    assert compare_rpo(None, Loss(9e9, 9)).met is None


@pytest.mark.parametrize(
    ("rpo", "loss", "met"),
    [
        (0.0, Loss(0.0, 0), True),
        (0.0, Loss(None, 0), True),
        (0.0, Loss(0.0, None), True),
        (0.0, Loss(None, 3), False),
        (0.0, Loss(0.0, 1), False),
        (0.0, Loss(0.01, None), False),
        (300.0, Loss(300.0, 20), True),
        (300.0, Loss(300.1, 20), False),
        (300.0, Loss(None, 0), True),
        (300.0, Loss(None, 20), None),
        (0.0, Loss(None, None), None),
        (None, Loss(10.0, 20), None),
        (5.0, Loss(None, 20, at_least_seconds=5.1), False),
        (5.0, Loss(None, 20, at_least_seconds=4.9), None),
        (0.0, Loss(None, None, at_least_seconds=0.1), False),
    ],
)
def test_loss_against_the_rpo(rpo, loss, met):
    assert compare_rpo(rpo, loss).met is met


@pytest.mark.parametrize("number", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("make", [lambda n: Objectives(n, 0.0), Allowances, Outage, Loss, lambda n: Loss(None, n)])
def test_numbers_that_cannot_be_are_refused(make, number):
    with pytest.raises(ValueError, match="zero or more"):
        make(number)


@given(SECONDS, SECONDS, SECONDS, SECONDS)
def test_an_outage_is_never_met_that_a_shorter_one_missed(objective, outage, more, allowance):
    if compare_rto(objective, Outage(outage), allowance).met is False:
        assert compare_rto(objective, Outage(outage + more), allowance).met is False


@given(SECONDS | st.just(0.0), st.none() | SECONDS, st.none() | st.integers(0, 100), SECONDS)
def test_a_loss_is_met_only_when_it_is_known_and_within_the_objective(objective, seconds, writes, at_least):
    compared = compare_rpo(objective, Loss(seconds, writes, at_least))
    if compared.met:
        assert compared.measured_seconds is not None and compared.measured_seconds <= objective
        assert objective > 0 or not writes
