# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of whole run directories: one for each verdict, and what a reader must find in it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import journal
from ansible_collections.continuity.dr.plugins.plugin_utils.report import ReportError, build, markdown

REFUSAL = {"rule": "lag_over_rpo", "measured": "12 s", "limit": "5 s", "message": "db2 is behind", "hint": "wait"}


def only(report):
    (service,) = report["services"]
    return service


def ended(report):
    """Verdict and exit of the run; its only service must agree."""
    service = only(report)
    assert (service["verdict"], service["fails"]) == (report["verdict"], report["fails"])
    return report["verdict"], report["fails"]


def test_passed(moved, report_of):
    report = report_of(moved("failover").canary())
    assert ended(report) == ("passed", False)
    service = only(report)
    assert (service["from"], service["to"]) == ("dc1", "dc2")
    assert (service["from_member"], service["to_member"]) == ("db1", "db2")
    rto, rpo = service["rto"], service["rpo"]
    assert (rto["measured_seconds"], rto["objective_seconds"], rto["met"], rto["source"]) == (
        2.41,
        3600,
        True,
        "canary",
    )
    assert (rto["started"], rto["ended"]) == ("2026-11-22T03:15:01.000000Z", "2026-11-22T03:15:03.410000Z")
    assert (rpo["measured_seconds"], rpo["lost"], rpo["acknowledged"], rpo["in_doubt"]) == (0, 0, 1200, 1)
    assert (report["started"], report["duration_seconds"]) == ("2026-11-22T03:15:00.000000Z", 2.1)
    assert service["stages"] == []


def test_refused_with_every_rule_and_its_numbers(make, report_of):
    other = {"rule": "unfenced", "measured": "unreachable", "limit": "fenced", "message": "db1 may write", "hint": ""}
    run = make("failover").decide(0.5, steps=(), refusals=[REFUSAL, other], refused=True)
    report = report_of(run.outcome(0.6, "refused", message="lag_over_rpo, unfenced"))
    assert ended(report) == ("refused", True)
    assert only(report)["refusals"] == [REFUSAL, other]
    assert only(report)["message"] == "lag_over_rpo, unfenced"


def test_refused_by_a_step_that_a_rule_stopped_later(make, report_of):
    run = make("failover").decide(0.5).entry(0.6, "claim", "started")
    run.entry(0.7, "claim", "refused", msg="held by another run", refusals=[{**REFUSAL, "rule": "claim_held"}])
    report = report_of(run.outcome(0.8, "refused", refusals=[{**REFUSAL, "rule": "claim_held"}]))
    assert ended(report) == ("refused", True)
    assert [each["rule"] for each in only(report)["refusals"]] == ["claim_held"]


def test_failed_names_the_step_and_what_was_undone(make, report_of):
    run = make("switchover").decide(0.5).steps(0.5, "claim", "demote").entry(0.8, "promote", "started")
    run.entry(1.8, "promote", "failed", msg="db2 did not leave recovery")
    report = report_of(run.outcome(1.9, "failed", message="db2 did not leave recovery", undone=True))
    assert ended(report) == ("failed", True)
    service = only(report)
    assert service["message"] == "db2 did not leave recovery"
    assert service["notes"] == ["what was done was undone: the old primary serves again"]
    promote = service["steps"][-1]
    assert (promote["step"], promote["state"], promote["seconds"]) == ("promote", "failed", 1.0)


def test_failed_when_the_run_was_cut_off(make, report_of):
    run = make("failover").decide(0.5).steps(0.5, "claim", "fence", "promote").entry(0.9, "point", "started")
    report = report_of(run.canary())
    assert ended(report) == ("failed", True)
    assert "the run ended without an outcome for this service" in only(report)["reasons"]
    assert only(report)["steps"][-1]["state"] == "started"


def test_a_cut_off_run_is_not_believed_even_after_its_last_step(make, report_of):
    run = make("failover").decide(0.5).steps(0.5, "claim", "fence", "promote", "point", "verify").canary()
    assert ended(report_of(run)) == ("failed", True)


def test_a_failback_that_ended_before_its_move_failed(make, report_of):
    run = make("failback")
    run.stage = "rejoin"
    run.decide(0.1, steps=("claim", "lease", "rejoin", "verify")).entry(1, "rejoin").entry(2, "outcome")
    service = only(report_of(run))
    assert (service["verdict"], service["fails"]) == ("failed", True)
    assert service["reasons"] == ["the failback ended before its move"]
    run.stage = "failback"
    run.decide(3, steps=(), goal_reached=True).entry(4, "outcome")
    assert only(report_of(run))["verdict"] == "nothing_to_do"


@pytest.mark.parametrize(("state", "verdict"), [("in_place", "failed"), ("rebuilt", "failed"), ("restored", "passed")])
def test_a_restore_that_ended_before_its_backup_failed_where_it_was_put_in_place(make, report_of, state, verdict):
    """The old backups are none of what serves now, and nobody follows it yet."""
    run = make("restore")
    run.stage = "restore"
    run.entry(1, "restore").entry(2, "outcome", restored={"state": state})
    service = only(report_of(run))
    assert service["verdict"] == verdict
    assert service["reasons"] == (["the restore ended before its backup"] if verdict == "failed" else [])
    run.stage = "backup"
    assert only(report_of(run.entry(3, "backup").entry(4, "outcome")))["verdict"] == "passed"


def test_failed_when_nothing_was_recorded_of_a_service(make, report_of):
    report = report_of(make("failover"))
    assert ended(report) == ("failed", True)
    assert report["journal"] == [{"service": "payments-db", "entries": 0, "head": None, "problems": []}]


def test_objective_missed(moved, report_of):
    report = report_of(moved("failover", rto=2.0).canary())
    assert ended(report) == ("objective_missed", True)
    assert only(report)["reasons"] == ["outage 2.41s is over the RTO of 2s"]


def test_objective_missed_by_one_lost_row(moved, report_of):
    run = moved("failover").canary(lost=1, lost_rows=[1201], lost_ranges=[[1201, 1201]], lost_seconds=0.0101)
    report = report_of(run)
    assert ended(report) == ("objective_missed", True)
    assert only(report)["rpo"]["lost_rows"] == [[1201, 1201]]
    assert only(report)["reasons"] == ["loss 0.01s (1 acknowledged write) is over the RPO of 0s"]


def test_degraded_and_allowed_by_name(make, report_of):
    run = make("failover").decide(0.5).steps(0.5, "claim", "fence", "promote", "point", "verify").canary()
    run.outcome(1.2, degraded=[{"name": "endpoint_stale", "message": "ns2 still answers the old address"}])
    report = report_of(run)
    assert ended(report) == ("degraded", True)
    assert only(report)["degradations"] == [{"name": "endpoint_stale", "message": "ns2 still answers the old address"}]
    assert ended(report_of(run, allow_degraded=["endpoint_stale"])) == ("degraded", False)
    assert ended(report_of(run, allow_degraded=["another_name"])) == ("degraded", True)


def test_what_the_run_allowed_holds_when_its_report_is_built_again(moved, report_of):
    run = moved("failover").canary().outcome(2.2, degraded=["endpoint_stale"])
    run.run["allow_degraded"] = ["endpoint_stale"]
    assert ended(report_of(run)) == ("degraded", False)
    assert ended(report_of(run, allow_degraded=["another_name"])) == ("degraded", False)
    run.run["allow_degraded"] = []
    assert ended(report_of(run)) == ("degraded", True)
    assert ended(report_of(run, allow_degraded=["endpoint_stale"])) == ("degraded", False)


def test_not_measured_without_a_canary_does_not_fail(moved, report_of):
    report = report_of(moved("failover"))
    assert ended(report) == ("not_measured", False)
    assert (only(report)["rto"]["source"], only(report)["rpo"]["source"]) == ("none", "none")
    assert only(report)["rto"]["phases"]["fence"] == 0.2


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"measurements": [7]}'])
def test_a_measurement_that_cannot_be_read_is_none(moved, report_of, content):
    run = moved("failover")
    (run.path / "canary").mkdir()
    (run.path / "canary" / "payments-db.json").write_text(content)
    report = report_of(run)
    assert ended(report) == ("not_measured", False)
    assert bool(only(report)["notes"]) is (content == "{")


def test_a_canary_whose_outage_did_not_end_misses_once_it_is_long_enough(moved, report_of):
    run = moved("failover", rto=30.0).canary(outage=None)
    report = report_of(run)
    assert ended(report) == ("objective_missed", True)
    assert only(report)["rto"]["at_least_seconds"] == 60
    assert only(report)["rto"]["unknown"] == "the new primary: it acknowledged no write"


def test_a_canary_that_compared_nothing_measured_no_loss(moved, report_of):
    report = report_of(moved("failover").canary(compared=0, lost_seconds=None))
    assert ended(report) == ("not_measured", False)
    assert only(report)["reasons"] == ["not measured: loss"]


@pytest.mark.parametrize("key", ["acknowledged_by_fenced", "acknowledged_by_old_primary"])
def test_a_second_primary_fails(moved, report_of, key):
    report = report_of(moved("failover").canary(**{key: 3}))
    assert ended(report) == ("failed", True)
    assert only(report)["acknowledged_elsewhere"] == 3


def test_who_of_the_fenced_acknowledged_is_named(moved, report_of):
    service = only(report_of(moved("failover").canary(acknowledged_by_fenced=3, fenced_members={"db1": 2, "db9": 1})))
    assert service["fenced_writers"] == {"db1": 2, "db9": 1}
    told = "two primaries: 3 writes were acknowledged by a member that was fenced or replaced (db1: 2, db9: 1)"
    assert service["reasons"] == [told]


@pytest.mark.parametrize(("lost", "verdict"), [(0, "not_measured"), (3, "objective_missed")])
def test_a_refused_row_in_the_table_leaves_the_loss_unknown(moved, report_of, lost, verdict):
    """Ledger and table contradict each other: that nothing is lost is not known, what is missing is missing."""
    seconds = float(lost) * 200
    measured = {"lost": lost, "lost_seconds": seconds, "lost_seconds_at_least": seconds, "refused_survived": 2}
    report = report_of(moved("failover").canary(**measured))
    rpo = only(report)["rpo"]
    assert (only(report)["verdict"], rpo["measured_seconds"], rpo["lost"]) == (verdict, None, lost or None)
    assert rpo["unknown"].startswith("2 rows that were refused are in the table all the same")
    assert "2 rows that were refused are in the table" in markdown.render(report)


def test_nothing_to_do(make, report_of):
    run = make("failover").decide(0.5, steps=(), goal_reached=True).outcome(0.6)
    report = report_of(run)
    assert ended(report) == ("nothing_to_do", False)
    assert only(report)["next_command"] is None


def test_assess_passes_when_nothing_stands_in_the_way(make, report_of):
    assert ended(report_of(make("assess").decide(0.5, steps=(), goal_reached=True))) == ("passed", False)


def test_assess_is_refused_by_what_stands_in_the_way(make, report_of):
    report = report_of(make("assess").decide(0.5, steps=(), refusals=[REFUSAL]))
    assert ended(report) == ("refused", True)


def test_rejoin_needs_no_measurement(make, report_of):
    run = make("rejoin").decide(0.5, steps=("claim", "rejoin", "verify")).steps(0.6, "claim", "rejoin", "verify")
    assert ended(report_of(run.outcome(1.0))) == ("passed", False)


def test_a_switchover_that_only_restores_redundancy_needs_no_measurement(make, report_of):
    run = make("switchover").decide(0.5, steps=("claim", "lease", "rejoin", "verify")).steps(0.6, "rejoin", "verify")
    assert ended(report_of(run.outcome(1.0))) == ("passed", False)


def test_check_mode_is_told_and_never_passes(make, report_of):
    run = make("failover").decide(0.5, check_mode=True)
    run.run["check_mode"] = True
    report = report_of(run)
    assert (ended(report), report["check_mode"]) == (("not_measured", False), True)


def test_check_mode_that_would_be_refused_is_refused(make, report_of):
    run = make("failover").decide(0.5, check_mode=True, steps=(), refusals=[REFUSAL])
    run.run["check_mode"] = True
    assert ended(report_of(run)) == ("refused", True)


def test_several_services_of_which_one_failed(moved, report_of):
    run = moved("failover").canary()
    run.service("accounts-db", rpo_seconds=300.0).decide(0.5).entry(0.6, "fence", "failed", msg="unreachable")
    run.outcome(0.7, "failed", message="db1 is not fenced")
    run.service("catalogue-db").decide(0.5, steps=(), goal_reached=True).outcome(0.6)
    report = report_of(run)
    verdicts = {service["service"]: (service["verdict"], service["fails"]) for service in report["services"]}
    assert verdicts == {
        "payments-db": ("passed", False),
        "accounts-db": ("failed", True),
        "catalogue-db": ("nothing_to_do", False),
    }
    assert (report["verdict"], report["fails"]) == ("failed", True)


def test_the_next_command_after_a_failover_is_the_literal_rejoin_line(moved, report_of):
    report = report_of(moved("failover").canary(), inventory=["inventories/lab/hosts.yml", "my plan.yml"])
    line = "ansible-playbook continuity.dr.rejoin -i inventories/lab/hosts.yml -i 'my plan.yml' -e scope=payments-db"
    assert only(report)["next_command"] == line


def test_the_next_command_of_the_verb_and_the_inventory_of_the_run_come_first(moved, make, report_of):
    run = moved("failover").canary()
    run.run["inventory"] = ["lab.yml"]
    assert " -i lab.yml " in only(report_of(run, inventory=["other.yml"]))["next_command"]
    run = (
        make("failover", name="other").decide(0.5).outcome(1.0, next_command="do this", redundancy="not following: db1")
    )
    service = only(report_of(run))
    assert service["next_command"] == "do this"
    assert service["redundancy"] == {"state": "not following: db1", "next_command": "do this"}


def test_the_next_command_holds_what_the_run_was_given_to_find_its_files(moved, report_of):
    run = moved("failover").canary()
    run.run.update(inventory=["hosts.yml"], options=["--vault-id", "dr@my file", "-e", "continuity_runs_dir=/srv/runs"])
    line = "ansible-playbook continuity.dr.rejoin -i hosts.yml --vault-id 'dr@my file' -e continuity_runs_dir=/srv/runs"
    assert only(report_of(run))["next_command"] == f"{line} -e scope=payments-db"


def test_a_failed_service_is_told_to_be_assessed(make, report_of):
    report = report_of(make("failover"))
    assert only(report)["next_command"] == "ansible-playbook continuity.dr.assess -i INVENTORY -e scope=payments-db"


def test_what_the_operator_must_know(moved, report_of):
    run = moved("failover").canary()
    sessions = [{"user": "shop", "client": "198.51.100.140"}]
    run.outcome(2.2, protection={"lifted": True, "was": "ANY 1 (db2)"}, sessions=sessions)
    service = only(report_of(run))
    assert service["protection"] == {"lifted": True, "was": "ANY 1 (db2)"}
    assert service["sessions"] == sessions
    assert {"step": "fence", "member": "db2", "text": "fence read back"} in service["evidence"]


def test_protection_that_was_not_touched_is_null(moved, report_of):
    assert only(report_of(moved().outcome(2.2, protection={"lifted": False, "was": ""})))["protection"] is None


def test_waivers_stand_in_the_report(make, report_of):
    waiver = {**REFUSAL, "rule": "old_primary_unfenced", "hint": ""}
    run = make("failover").decide(0.5, waivers=[waiver]).outcome(1.0)
    assert only(report_of(run))["waivers"] == [waiver]


def test_a_real_outage_without_a_canary_counts_from_the_operators_time(moved, report_of):
    run = moved("failover")
    run.run["inputs"]["outage_started"] = run.run["started"] - 600
    rto = only(report_of(run))["rto"]
    assert (rto["measured_seconds"], rto["source"], rto["met"]) == (602.0, "operator", True)
    assert rto["phases"]["detect"] == 600.0


def test_an_earlier_outage_of_the_operator_wins_over_a_canary_that_was_started_late(moved, report_of):
    run = moved("failover").canary()
    run.run["inputs"]["outage_started"] = run.run["started"] - 10
    rto = only(report_of(run))["rto"]
    assert (rto["measured_seconds"], rto["source"]) == (13.41, "operator")


def test_a_later_outage_of_the_operator_does_not_shorten_what_the_canary_saw(moved, report_of):
    run = moved("failover").canary()
    run.run["inputs"]["outage_started"] = run.run["started"] + 2
    rto = only(report_of(run))["rto"]
    assert (rto["measured_seconds"], rto["source"]) == (2.41, "canary")


def test_a_proof_of_positions_is_a_measured_loss_of_its_own_source(make, report_of):
    run = make("switchover").decide(0.5).entry(0.8, "promote", loss={"seconds": 0.0, "source": "positions"})
    rpo = only(report_of(run.outcome(1.0)))["rpo"]
    assert (rpo["measured_seconds"], rpo["lost"], rpo["source"], rpo["met"]) == (0.0, None, "positions", True)


def test_secrets_never_enter(moved, report_of):
    run = moved("failover").outcome(2.2, message="psql: password=hunter2 refused")
    run.run["inputs"]["key"] = {"name": "continuity", "secret": "hunter2"}
    assert "hunter2" not in json.dumps(report_of(run))


def test_a_torn_journal_is_told(moved, report_of):
    run = moved("failover").canary()
    path = journal.path_of(run.path, "payments-db")
    path.write_bytes(path.read_bytes()[:-30])
    report = report_of(run)
    assert ended(report) == ("failed", True)  # the outcome was in the torn line
    assert [problem["kind"] for problem in report["journal"][0]["problems"]] == ["torn"]
    run.outcome(9.0)
    report = report_of(run)
    assert ended(report) == ("passed", False)
    assert any("cut off while it wrote entry" in note for note in only(report)["notes"])


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda lines: [line.replace('"db1"', '"db9"') for line in lines], "edited"),
        (lambda lines: lines[:3] + lines[4:], "removed"),
        (lambda lines: [*lines[:3], "garbage", *lines[4:]], "unreadable"),
        (lambda lines: [*lines[:3], json.dumps({**json.loads(lines[3]), "data": 1}), *lines[4:]], "unreadable"),
        (lambda lines: [*lines[:3], json.dumps({**json.loads(lines[3]), "step": []}), *lines[4:]], "unreadable"),
        (lambda lines: [*lines[:3], json.dumps({**json.loads(lines[3]), "time": 1e300}), *lines[4:]], "unreadable"),
    ],
)
def test_a_journal_that_was_changed_proves_nothing(moved, report_of, change, kind):
    run = moved("failover").canary()
    path = journal.path_of(run.path, "payments-db")
    path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))
    report = report_of(run)
    assert ended(report) == ("failed", True)
    assert only(report)["reasons"][0] == "the journal was changed after it was written"
    assert kind in [problem["kind"] for problem in report["journal"][0]["problems"]]


def test_a_cut_end_is_found_by_the_head_in_the_earlier_report(moved, report_of):
    run = moved("failover").canary()
    first = report_of(run)
    (run.path / "report.json").write_text(json.dumps(first))
    assert ended(report_of(run)) == ("passed", False)
    path = journal.path_of(run.path, "payments-db")
    path.write_text("".join(f"{line}\n" for line in path.read_text().splitlines()[:-1]))
    report = report_of(run)
    assert ended(report) == ("failed", True)
    assert "the end was cut" in report["journal"][0]["problems"][0]["message"]
    assert run.outcome(3.0) and report_of(run)["verdict"] == "failed"  # writing on does not hide it


def test_building_again_gives_the_same_report(moved, report_of):
    run = moved("failover").canary()
    assert report_of(run) == report_of(run)


def test_a_directory_without_a_run_is_named(tmp_path):
    with pytest.raises(ReportError, match=r"holds no run\.json"):
        build(tmp_path)


@pytest.mark.parametrize("content", ["[]", '{"schema": 2, "run_id": "x", "verb": "drill"}', '{"schema": 1}'])
def test_a_foreign_run_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ReportError, match="no run of schema 1"):
        build(tmp_path)


def test_a_broken_run_is_named(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ReportError, match=r"run\.json cannot be read"):
        build(tmp_path)


def test_a_member_that_rejoined_takes_back_what_was_missing(make, report_of):
    missing = "not following: db1"
    run = make("switchover").decide(0.5, redundancy=missing).steps(0.6, "promote", "point")
    assert only(report_of(run.outcome(1.0)))["redundancy"]["state"] == missing
    run = make("switchover", name="whole").decide(0.5, redundancy=missing).steps(0.6, "promote", "point", "rejoin")
    assert only(report_of(run.outcome(1.0)))["redundancy"] is None


def test_the_steps_do_not_end_an_outage_that_the_canary_saw_go_on(moved, report_of):
    run = moved("failover").canary(outage=None)
    run.run["inputs"]["outage_started"] = run.run["started"] - 600
    rto = only(report_of(run))["rto"]
    assert (rto["measured_seconds"], rto["source"]) == (None, "canary")


def test_a_step_that_failed_without_an_outcome_failed(make, report_of):
    report = report_of(make("assess").entry(0.5, "decide", "failed", msg="the plan is wrong"))
    assert ended(report) == ("failed", True)
    assert only(report)["outcome"] == "failed"
