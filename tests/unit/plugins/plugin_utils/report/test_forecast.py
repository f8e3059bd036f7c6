# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a decision says will be is no finding until it was done; a check did nothing."""

from __future__ import annotations

import pytest
from html_page import Page, squeezed

from ansible_collections.continuity.dr.plugins.plugin_utils.report import failure_text, junit, markdown, summary_lines
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import document

MISSING = "not following: db1; next: run rejoin"
CHECKED = "check mode: nothing was changed"


@pytest.fixture
def checked(make):
    """A run with `--check` that decided to move the service."""

    def begin(verb="failover", **inputs):
        run = make(verb)
        run.run["inputs"] |= {"target_site": "dc2", **inputs}
        run.run.update(check_mode=True, inventory=["hosts.yml"])
        return run.decide(0.5, check_mode=True, redundancy=MISSING, verb=verb)

    return begin


def told(report):
    return squeezed(Page(document.render(report)).text)


def test_a_check_says_that_it_was_one_and_forecasts_no_loss_of_redundancy(checked, report_of):
    report = report_of(checked())
    (service,) = report["services"]
    again = "ansible-playbook continuity.dr.failover -i hosts.yml -e scope=payments -e target_site=dc2"
    assert (service["redundancy"], service["next_command"]) == (None, again)
    first, *lines = summary_lines(report)
    assert first.endswith(f": NOT MEASURED ({CHECKED})") and f"payments-db: next: {again}" in lines
    assert failure_text(report).splitlines()[0] == first
    everywhere = [markdown.render(report), told(report), "\n".join(lines), junit.render(report)]
    assert not any("rejoin" in text or "edundancy" in text for text in everywhere)
    assert all(again in text for text in everywhere)
    assert all("nothing was changed" in text for text in everywhere[:2])


def test_a_run_that_was_no_check_does_not_say_so(moved, report_of):
    assert CHECKED not in summary_lines(report_of(moved().canary()))[0]


def test_the_command_without_check_has_every_input_as_it_was_given(checked, report_of):
    given = {
        "outage_started": 1_795_317_000.25,
        "accept_data_loss_seconds": 30.0,
        "waive": ["old_primary_unfenced"],
        "reason": "dc1 is dark",
    }
    run = checked(**given)
    run.run.update(allow_degraded=["endpoint_stale"], options=["-e", "continuity_runs_dir=/srv/runs"])
    assert report_of(run)["services"][0]["next_command"] == (
        "ansible-playbook continuity.dr.failover -i hosts.yml -e continuity_runs_dir=/srv/runs -e scope=payments"
        " -e target_site=dc2 -e outage_started=2026-11-22T03:10:00.25Z"
        """ -e '{"waive": ["old_primary_unfenced"]}' -e accept_data_loss=30s -e '{"reason": "dc1 is dark"}'"""
        """ -e '{"continuity_outcome_allow_degraded": ["endpoint_stale"]}'"""
    )


@pytest.mark.parametrize(("prepare", "word"), [(True, " -e prepare=true"), (False, "")])
def test_a_check_of_what_only_prepares_a_move_names_no_command_that_moves(checked, report_of, prepare, word):
    again = "ansible-playbook continuity.dr.switchover -i hosts.yml -e scope=payments -e target_site=dc2"
    assert report_of(checked("switchover", prepare=prepare))["services"][0]["next_command"] == again + word


def test_a_check_of_a_verb_with_inputs_of_its_own_names_no_half_command(checked, report_of):
    run = checked("restore").outcome(1.0, check_mode=True)
    report = report_of(run)
    assert report["services"][0]["next_command"] is None
    assert "To do it, run the same command without --check." in told(report)


def test_a_check_that_was_refused_or_failed_is_no_command_to_do_it(checked, report_of, make):
    refusal = {"rule": "primary_alive", "measured": "db1", "limit": "none", "message": "it lives", "hint": "wait"}
    run = make("failover", name="refused").decide(0.5, steps=(), refusals=[refusal], check_mode=True)
    run.run["check_mode"] = True
    assert report_of(run)["services"][0]["next_command"] is None
    failed = checked().entry(0.6, "claim", "failed", msg="no answer", check_mode=True)
    assert "continuity.dr.assess" in report_of(failed)["services"][0]["next_command"]


def test_a_check_that_plays_the_promotion_through_did_not_promote(checked, report_of):
    run = checked().entry(0.6, "promote", check_mode=True)
    assert report_of(run)["services"][0]["redundancy"] is None


@pytest.mark.parametrize("promoted", [None, "started", "failed"])
def test_redundancy_is_not_lost_before_the_promotion(make, report_of, promoted):
    run = make("failover").decide(0.5, redundancy=MISSING, verb="failover").steps(0.6, "claim", "fence")
    if promoted:
        run.entry(0.9, "promote", promoted)
    report = report_of(run)
    (service,) = report["services"]
    assert service["redundancy"] is None and "continuity.dr.assess" in service["next_command"]
    assert "rejoin" not in told(report) and "rejoin" not in "\n".join(summary_lines(report))


def test_redundancy_is_lost_with_the_promotion_whatever_failed_after_it(make, report_of):
    run = make("failover").decide(0.5, redundancy=MISSING, verb="failover").steps(0.6, "fence", "promote")
    run.entry(1.0, "point", "failed", msg="ns1 is silent")
    assert report_of(run)["services"][0]["redundancy"]["state"] == MISSING


def test_a_rejoin_that_failed_brought_nothing_back(make, report_of):
    run = make("failback")
    run.stage = "failover"
    run.decide(0.1).steps(0.2, "promote").outcome(0.4, redundancy=MISSING)
    run.stage = "rejoin"
    run.decide(0.5, steps=("rejoin", "verify"), redundancy="", verb="rejoin").entry(0.6, "rejoin", "failed")
    assert report_of(run)["services"][0]["redundancy"]["state"] == MISSING


def test_assess_tells_of_what_is_although_it_could_promote(make, report_of):
    run = make("assess").decide(0.5, verb="assess", redundancy=MISSING)
    (service,) = report_of(run)["services"]
    assert service["redundancy"]["state"] == MISSING and "continuity.dr.rejoin" in service["next_command"]


def test_nothing_to_do_without_redundancy_is_followed_by_a_rejoin(make, report_of):
    run = make("failover").decide(0.5, steps=(), goal_reached=True, redundancy=MISSING, verb="failover")
    report = report_of(run.outcome(0.6))
    (service,) = report["services"]
    line = "ansible-playbook continuity.dr.rejoin -i INVENTORY -e scope=payments-db"
    assert (report["verdict"], service["next_command"]) == ("nothing_to_do", line)
    assert "Nothing is left to do" not in told(report) and line in told(report)
    assert f"payments-db: next: {line}" in summary_lines(report)


def test_what_no_rejoin_brings_back_is_open_without_a_command(make, report_of):
    run = make("rejoin").decide(0.5, steps=(), goal_reached=True, redundancy="not proven to lose nothing: db2 is async")
    report = report_of(run.outcome(0.6))
    assert report["services"][0]["next_command"] is None
    assert "Nothing is left to do" not in told(report) and "what is open stands below" in told(report)


def test_several_services_of_a_check_have_their_one_command_once(checked, report_of):
    run = checked()
    run.service("accounts-db").decide(0.6, check_mode=True)
    assert told(report_of(run)).count("continuity.dr.failover") == 3  # on top, and with each of both services
