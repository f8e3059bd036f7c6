# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A drill: several stages, of which one is what it is for."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.report import console, markdown
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import document


def only(report):
    (service,) = report["services"]
    return service


@pytest.fixture
def measured(drill):
    """A drill that was measured in both stages that move the primary."""

    def begin(failover=None, failback=None, **options):
        run = drill(**options)
        run.canary(**{"stage": "failover", "outage": 2.41, "fault": 1.0, **(failover or {})})
        return run.canary(**{"stage": "failback", "outage": 0.5, "fault": 20.1, **(failback or {})})

    return begin


def test_the_failover_stands_on_top_and_every_stage_below(measured, report_of):
    report = report_of(measured())
    service = only(report)
    assert (report["verdict"], report["fails"]) == ("passed", False)
    assert (service["stage"], service["from"], service["to"]) == ("failover", "dc1", "dc2")
    assert [stage["stage"] for stage in service["stages"]] == ["baseline", "failover", "heal", "rejoin", "failback"]
    assert [stage["verdict"] for stage in service["stages"]] == ["passed"] * 5
    failback = service["stages"][4]
    assert (failback["from"], failback["to"], failback["rto"]["measured_seconds"]) == ("dc2", "dc1", 0.5)
    assert service["next_command"] is None


@pytest.mark.parametrize("stage", ["dwell", "end"])
def test_a_second_primary_fails_the_drill_whenever_it_was_seen(measured, report_of, stage):
    run = measured(rpo=300.0)
    run.canary(stage=stage, acknowledged_by_fenced=41, fenced_members={"db1": 41})
    report = report_of(run)
    service = only(report)
    assert (report["verdict"], report["fails"]) == ("failed", True)
    told = "two primaries: 41 writes were acknowledged by a member that was fenced or replaced (db1: 41)"
    assert service["reasons"] == [f"{stage}: {told}"]
    assert (service["acknowledged_elsewhere"], service["fenced_writers"]) == (41, {"db1": 41})
    assert [each["acknowledged_elsewhere"] for each in service["stages"] if each["stage"] == "failover"] == [0]
    assert "(db1: 41)" in markdown.render(report) and "(db1: 41)" in " ".join(document.render(report).split())


def test_what_a_stage_told_already_is_told_once(measured, report_of):
    seen = {"acknowledged_by_fenced": 41, "fenced_members": {"db1": 41}}
    service = only(report_of(measured(failback=seen).canary(stage="end", **seen)))
    assert len(service["reasons"]) == 1 and service["reasons"][0].startswith("failback: two primaries: 41 writes")
    assert service["acknowledged_elsewhere"] == 41 and service["fails"]


def test_people_are_allowed_for_where_the_drill_pulled_the_trigger(measured, report_of):
    service = only(report_of(measured()))
    rto, failback = service["rto"], service["stages"][4]["rto"]
    assert (service["trigger"], service["stages"][4]["trigger"]) == ("injected", "planned")
    assert (rto["measured_seconds"], rto["total_seconds"]) == (2.41, 362.41)
    assert (rto["detection_allowance_seconds"], rto["decision_allowance_seconds"]) == (60, 300)
    assert (failback["total_seconds"], failback["detection_allowance_seconds"]) == (0.5, None)


def test_the_allowances_can_miss_the_objective_alone(measured, report_of):
    report = report_of(measured(rto=362.0))
    assert (report["verdict"], report["fails"]) == ("objective_missed", True)
    assert only(report)["reasons"] == [
        "outage 2.41s plus 6m allowed for detection and decision is over the RTO of 6m 2s"
    ]


def test_the_phases_add_up_to_the_outage(measured, report_of):
    phases = only(report_of(measured()))["rto"]["phases"]
    assert phases == {
        "detect": 0.1,
        "decide": 0.6,
        "fence": 0.2,
        "promote": 0.1,
        "redirect": 0.1,
        "verify": 0.1,
        "client": 1.21,
    }
    assert sum(phases.values()) == pytest.approx(2.41)


def test_a_drill_owes_a_measurement_of_every_move(drill, measured, report_of):
    report = report_of(drill())
    assert (report["verdict"], report["fails"]) == ("not_measured", True)
    report = report_of(measured(name="other", failback={"outage": None, "outage_started": None}))
    assert (report["verdict"], report["fails"]) == ("not_measured", True)
    assert only(report)["reasons"] == ["failback: not measured: outage"]


def test_a_failback_that_failed_makes_the_drill_fail(make, report_of, measured):
    run = measured()
    run.entry(30.0, "outcome", "failed", message="db1 is still fenced")
    report = report_of(run)
    assert (report["verdict"], report["fails"]) == ("failed", True)
    assert only(report)["reasons"] == ["failback: db1 is still fenced"]
    assert only(report)["rto"]["measured_seconds"] == 2.41


def test_a_drill_that_ended_before_its_failover_failed(make, report_of):
    run = make("drill")
    run.stage = "baseline"
    report = report_of(run.entry(0.2, "canary", "started").entry(0.5, "canary"))
    assert (report["verdict"], report["fails"]) == ("failed", True)
    assert only(report)["reasons"] == ["the drill ended before its failover or switchover"]


def test_a_drill_whose_failover_was_refused(make, report_of):
    run = make("drill")
    run.stage = "baseline"
    run.entry(0.2, "canary")
    run.stage = "failover"
    refusal = {"rule": "lag_over_rpo", "measured": "400 s", "limit": "300 s", "message": "behind", "hint": ""}
    run.entry(0.9, "inject").decide(1.5, steps=(), refusals=[refusal]).outcome(1.6, "refused", message="lag_over_rpo")
    report = report_of(run)
    assert (report["verdict"], report["fails"]) == ("refused", True)
    assert only(report)["refusals"] == [refusal]


def test_a_drill_that_had_nothing_to_do_does_not_pass(make, report_of):
    run = make("drill")
    run.stage = "baseline"
    run.entry(0.2, "canary")
    run.stage = "failover"
    run.decide(1.5, steps=(), goal_reached=True).outcome(1.6)
    run.stage = "rejoin"
    run.decide(2.5, steps=("rejoin",)).steps(2.6, "rejoin").outcome(3.0)
    assert report_of(run)["verdict"] == "nothing_to_do"


def test_what_speaks_for_the_drill_as_a_whole(measured, report_of):
    run = measured()
    run.stage = "drill"
    report = report_of(run.outcome(40.0, "failed", message="the fault was not healed"))
    assert (report["verdict"], only(report)["message"]) == ("failed", "the fault was not healed")
    assert [stage["stage"] for stage in only(report)["stages"]] == [
        "baseline",
        "failover",
        "heal",
        "rejoin",
        "failback",
    ]


def test_a_planned_drill_counts_no_allowances(make, report_of):
    run = make("drill")
    run.stage = "switchover"
    run.decide(1.0).steps(1.1, "demote", "promote", "point", "verify").outcome(1.6).canary(outage=0.4, fault=1.1)
    run.stage = "failback"
    run.decide(5.0).steps(5.1, "demote", "promote", "point", "verify").outcome(5.6).canary(outage=0.3, fault=5.1)
    service = only(report_of(run))
    assert (service["verdict"], service["stage"], service["rto"]["total_seconds"]) == ("passed", "switchover", 0.4)
    assert service["rto"]["phases"]["detect"] is None


@pytest.mark.parametrize("later", [(), ("failover", "rejoin", "failback")], ids=["alone", "with all stages"])
def test_a_baseline_that_is_refused_refuses_the_drill_and_says_why(make, report_of, later):
    refusal = {"rule": "no_replica", "measured": "0", "limit": "1", "message": "nobody follows db1", "hint": ""}
    run = make("drill")
    run.stage = "baseline"
    run.decide(0.1, steps=(), refusals=[refusal], refused=True)
    # The later stages decide nothing more, and say nothing of it
    for at, stage in enumerate(later, 1):
        run.stage = stage
        run.decide(at, steps=(), goal_reached=True).outcome(at + 0.1)
    report = report_of(run)
    assert (report["verdict"], report["fails"]) == ("refused", True)
    assert only(report)["refusals"] == [refusal]
    for text in (
        "\n".join(console.summary_lines(report)),
        markdown.render(report),
        " ".join(document.render(report).split()),
    ):
        assert "no_replica" in text and "nobody follows db1" in text


def test_a_fault_that_was_not_healed_fails_the_drill(measured, report_of):
    run = measured()
    run.stage = "heal"
    run.outcome(9.6, "failed", message="the fault could not be healed: no answer")
    report = report_of(run)
    assert (report["verdict"], report["fails"]) == ("failed", True)
    assert only(report)["reasons"] == ["heal: the fault could not be healed: no answer"]


@pytest.mark.parametrize("stage", ["failover", "rejoin", "failback"])
def test_a_stage_that_was_cut_off_before_it_decided_failed(make, report_of, stage):
    run = make("drill")
    run.stage = stage
    report = report_of(run.entry(1.0, "canary", "started").entry(1.2, "canary"))
    assert only(report)["stages"][0]["verdict"] == "failed"


def test_a_drill_that_ended_before_its_failback_failed(make, report_of):
    run = make("drill")
    run.stage = "switchover"
    run.decide(1.0).steps(1.1, "demote", "promote", "point", "verify").outcome(1.6).canary(outage=0.4, fault=1.1)
    report = report_of(run)
    assert (report["verdict"], report["fails"]) == ("failed", True)
    assert only(report)["reasons"] == ["the drill ended before its failback"]
