# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.objectives import (
    Allowances,
    Loss,
    Objectives,
    Outage,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import VERDICTS, Case, judge, worst

MEASURED = {"outage": Outage(2.41, source="canary"), "loss": Loss(0.0, 0, source="canary")}


def case(outcome="done", **changes):
    """A failover of a drill that went well: RTO 1 h, RPO 0, 6 minutes of allowances."""
    values = {
        "service": "payments-db",
        "outcome": outcome,
        "objectives": Objectives(3600.0, 0.0),
        "trigger": "injected",
        "allowances": Allowances(60.0, 300.0),
        "measures": "promised",
        **MEASURED,
    }
    return Case(**{**values, **changes})


@pytest.mark.parametrize(
    ("given_case", "verdict", "fails"),
    [
        (case(), "passed", False),
        (case("nothing_to_do", outage=Outage(), loss=Loss()), "nothing_to_do", False),
        (case("refused", outage=Outage(), loss=Loss()), "refused", True),
        (case("failed"), "failed", True),
        (case(None), "failed", True),
        (case(acknowledged_elsewhere=1), "failed", True),
        (case("nothing_to_do", acknowledged_elsewhere=1), "failed", True),
        (
            case("nothing_to_do", outage=Outage(), loss=Loss(), degradations=("endpoint_not_switched",)),
            "degraded",
            True,
        ),
        (case(outage=Outage(3240.1)), "objective_missed", True),
        (case(loss=Loss(0.001, 1)), "objective_missed", True),
        (case("degraded"), "degraded", True),
        (case(degradations=("endpoint_stale",)), "degraded", True),
        (case(outage=Outage()), "not_measured", True),
        (case(loss=Loss()), "not_measured", True),
        (case(outage=Outage(), loss=Loss(), measures="expected"), "not_measured", False),
        (case(outage=Outage(), loss=Loss(), measures="nothing"), "passed", False),
    ],
)
def test_verdicts(given_case, verdict, fails):
    judged = judge(given_case)
    assert (judged.verdict, judged.fails) == (verdict, fails)


@pytest.mark.parametrize(
    ("given_case", "verdict"),
    [
        (case("failed", outage=Outage(9999.0)), "failed"),
        (case("refused", outage=Outage(9999.0)), "refused"),
        (case("degraded", outage=Outage(9999.0)), "objective_missed"),
        (case("degraded", outage=Outage()), "degraded"),
    ],
)
def test_where_several_verdicts_hold_the_worst_one_stands(given_case, verdict):
    assert judge(given_case).verdict == verdict


def test_allowances_count_where_the_drill_pulled_the_trigger():
    rto = judge(case(outage=Outage(3240.0))).rto
    assert (rto.measured_seconds, rto.allowance_seconds, rto.total_seconds, rto.met) == (3240.0, 360.0, 3600.0, True)
    assert judge(case(outage=Outage(3240.01))).rto.met is False


@pytest.mark.parametrize("trigger", ["real", "planned"])
def test_allowances_do_not_count_where_people_were_measured_or_not_needed(trigger):
    rto = judge(case(outage=Outage(3600.0), trigger=trigger)).rto
    assert (rto.allowance_seconds, rto.total_seconds, rto.met) == (0.0, 3600.0, True)


def test_an_outage_that_is_not_over_misses_once_it_is_longer_than_the_rto():
    assert judge(case(outage=Outage(at_least_seconds=3000.0))).verdict == "not_measured"
    judged = judge(case(outage=Outage(at_least_seconds=3300.0)))
    assert judged.verdict == "objective_missed"
    assert (
        judged.reasons[0] == "outage of at least 55m plus 6m allowed for detection and decision is over the RTO of 1h"
    )


def test_reasons_carry_both_numbers_worst_first():
    judged = judge(case("degraded", outage=Outage(7200.0), loss=Loss(1.5, 3), degradations=("endpoint_stale",)))
    assert judged.reasons == (
        "outage 2h plus 6m allowed for detection and decision is over the RTO of 1h",
        "loss 1.5s (3 acknowledged writes) is over the RPO of 0s",
        "could have been done and was not: endpoint_stale",
    )


@pytest.mark.parametrize(
    ("allowed", "fails"),
    [
        (set(), True),
        ({"payments-db"}, False),
        ({"endpoint_stale"}, True),
        ({"endpoint_stale", "replica_not_attached"}, False),
        ({"accounts-db"}, True),
    ],
)
def test_degraded_fails_unless_every_degradation_or_the_service_is_allowed_by_name(allowed, fails):
    names = ("endpoint_stale", "replica_not_attached")
    judged = judge(case(degradations=names, allow_degraded=frozenset(allowed)))
    assert (judged.verdict, judged.fails) == ("degraded", fails)


def test_a_degradation_without_a_name_is_allowed_by_the_service_only():
    assert judge(case("degraded", allow_degraded=frozenset({"x"}))).fails
    assert not judge(case("degraded", allow_degraded=frozenset({"payments-db"}))).fails


def test_an_allowed_degradation_does_not_excuse_a_missing_measurement():
    judged = judge(case("degraded", outage=Outage(), allow_degraded=frozenset({"payments-db"})))
    assert (judged.verdict, judged.fails) == ("degraded", True)


def test_a_run_is_as_bad_as_its_worst_service_and_nothing_proves_nothing():
    assert worst(["passed", "refused", "nothing_to_do"]) == "refused"
    assert worst(["passed", "nothing_to_do"]) == "passed"
    assert worst([]) == "failed"


SECONDS = st.floats(0, 1e6)
OUTAGES = st.builds(Outage, st.none() | SECONDS, SECONDS, st.just("canary"))
LOSSES = st.builds(Loss, st.none() | SECONDS, st.none() | st.integers(0, 100), SECONDS, st.just("canary"))
CASES = st.builds(
    Case,
    service=st.just("payments-db"),
    outcome=st.sampled_from(["failed", "refused", "degraded", "done", "nothing_to_do", None]),
    objectives=st.builds(Objectives, st.none() | SECONDS, st.none() | SECONDS | st.just(0.0)),
    outage=OUTAGES,
    loss=LOSSES,
    trigger=st.sampled_from(["injected", "planned", "real"]),
    allowances=st.builds(Allowances, SECONDS, SECONDS),
    measures=st.sampled_from(["promised", "expected", "nothing"]),
    acknowledged_elsewhere=st.integers(0, 2),
    degradations=st.lists(st.sampled_from(["endpoint_stale", "replica_not_attached"]), unique=True).map(tuple),
    allow_degraded=st.frozensets(st.sampled_from(["payments-db", "endpoint_stale", "replica_not_attached"])),
)


def rank(a_case):
    return VERDICTS.index(judge(a_case).verdict)


@given(CASES)
def test_never_passed_without_a_measurement_of_a_moved_primary(any_case):
    judged = judge(any_case)
    if judged.verdict == "passed" and any_case.measures != "nothing":
        assert judged.rto.measured_seconds is not None and judged.rpo.measured_seconds is not None
        assert judged.rto.met is not False and judged.rpo.met is not False


@given(CASES)
def test_passed_and_nothing_to_do_never_fail_and_the_three_worst_always_do(any_case):
    judged = judge(any_case)
    if judged.verdict in ("passed", "nothing_to_do"):
        assert not judged.fails
    if judged.verdict in ("failed", "refused", "objective_missed"):
        assert judged.fails


@given(CASES, st.builds(Outage, SECONDS), SECONDS)
def test_a_longer_outage_never_gives_a_better_verdict(any_case, outage, more):
    any_case = dataclasses.replace(any_case, outage=outage)
    longer = Outage(outage.seconds + more)
    assert rank(dataclasses.replace(any_case, outage=longer)) <= rank(any_case)


@given(CASES, st.builds(Loss, SECONDS, st.integers(0, 100)), SECONDS, st.integers(0, 100))
def test_a_larger_loss_never_gives_a_better_verdict(any_case, loss, more, writes):
    any_case = dataclasses.replace(any_case, loss=loss)
    larger = dataclasses.replace(loss, seconds=loss.seconds + more, writes=loss.writes + writes)
    assert rank(dataclasses.replace(any_case, loss=larger)) <= rank(any_case)


@given(CASES, SECONDS)
def test_a_stricter_objective_never_gives_a_better_verdict(any_case, objective):
    stricter = Objectives(
        min(objective, any_case.objectives.rto_seconds or objective),
        min(objective, any_case.objectives.rpo_seconds or objective),
    )
    assume(any_case.objectives.rto_seconds != 0 and any_case.objectives.rpo_seconds != 0)
    assert rank(dataclasses.replace(any_case, objectives=stricter)) <= rank(any_case)


@given(CASES)
def test_a_worse_outcome_never_gives_a_better_verdict(any_case):
    ranks = [rank(dataclasses.replace(any_case, outcome=outcome)) for outcome in ("done", "degraded", "failed", None)]
    assert ranks == sorted(ranks, reverse=True)


@given(CASES)
def test_losing_a_measurement_never_turns_a_verdict_into_passed(any_case):
    for lost in ({"outage": Outage()}, {"loss": Loss()}):
        without = dataclasses.replace(any_case, **lost)
        if any_case.measures != "nothing":
            assert judge(without).verdict != "passed"


@given(CASES)
def test_an_acknowledgement_from_a_second_primary_always_fails(any_case):
    judged = judge(dataclasses.replace(any_case, acknowledged_elsewhere=1))
    assert (judged.verdict, judged.fails) == ("failed", True)
