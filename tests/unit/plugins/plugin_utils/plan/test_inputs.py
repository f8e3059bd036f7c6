# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.inputs import SETTINGS, checked_inputs

NOW = 1795317300.0  # 2026-11-22T03:15:00Z
NOTHING = {
    "scope": None,
    "target_site": None,
    "source_site": None,
    "reason": None,
    "accept_data_loss_seconds": None,
    "waive": (),
    "confirm": None,
    "break_lease": None,
    "prepare": False,
    "outage_started": None,
}


def checked(verb="failover", **extra):
    return checked_inputs(extra, verb, {"dc1": {}, "dc2": {}}, NOW)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, {}),
        ({"scope": "payments"}, {"scope": "payments"}),
        ({"scope": " payments , mail "}, {"scope": "payments,mail"}),
        ({"scope": ["payments", "mail"]}, {"scope": "payments,mail"}),
        ({"target_site": "dc1", "source_site": "dc2"}, {"target_site": "dc1", "source_site": "dc2"}),
        ({"reason": "  power\n cut "}, {"reason": "power cut"}),
        ({"confirm": " 20261122T031500Z-3f9a "}, {"confirm": "20261122T031500Z-3f9a"}),
        ({"break_lease": "run-b", "reason": "x"}, {"break_lease": "run-b", "reason": "x"}),
        ({"accept_data_loss": "30s"}, {"accept_data_loss_seconds": 30.0}),
        ({"waive": "lag_unknown", "reason": "x"}, {"waive": ("lag_unknown",), "reason": "x"}),
        (
            {"waive": "[lag_unknown, 'old_primary_unfenced',lag_unknown]", "reason": "x"},
            {"waive": ("lag_unknown", "old_primary_unfenced"), "reason": "x"},
        ),
        ({"waive": ["lag_unknown"], "reason": "x"}, {"waive": ("lag_unknown",), "reason": "x"}),
        ({"waive": []}, {}),
        ({"outage_started": "2026-11-22T03:14:00Z"}, {"outage_started": NOW - 60}),
        ({"outage_started": "2026-11-22 04:14:00.5+01:00"}, {"outage_started": NOW - 59.5}),
        ({**dict.fromkeys(SETTINGS, "x"), "continuity_claim_seconds": "300"}, {}),
        ({"database_password": "x", "ticket": 5}, {}),
    ],
)
def test_accepted(extra, expected):
    assert checked(**extra) == ({**NOTHING, **expected}, [])


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"scope": ""}, "scope: is empty; allowed: -e scope=..."),
        ({"break_lease": "run-b"}, "reason: is missing: breaking what another run holds needs one"),
        ({"break_lease": "yes please", "reason": "x"}, 'break_lease: "yes please" is not a run id; allowed: the id of'),
        ({"break_lease": True, "reason": "x"}, 'break_lease: "true" is not text'),
        ({"break_lease": "x", "continuity_run_id": "x", "reason": "x"}, 'break_lease: "x" is this run itself'),
        ({"steal": "run-b"}, 'did you mean "break_lease"?'),
        ({"prepare": "true"}, "prepare: is an input of failback, failover does not read it"),
        ({"prepare": "soon"}, 'prepare: "soon" is neither true nor false; allowed: -e prepare=true'),
        ({"scope": {"a": 1}}, "is not text; allowed: -e scope=..."),
        ({"scope": True}, 'scope: "true" is not text'),
        ({"target_site": "dc3"}, 'target_site: unknown site "dc3" (did you mean "dc2"?); allowed: dc1, dc2'),
        ({"source_site": "dx"}, 'source_site: unknown site "dx"'),
        (
            {"target_site": "dc1", "source_site": "dc1"},
            'target_site: is "dc1", the source_site too; allowed: two different',
        ),
        ({"accept_data_loss": True}, 'accept_data_loss: "true" is no bound; allowed: the longest time'),
        ({"accept_data_loss": "yes"}, 'accept_data_loss: "yes" is no bound'),
        ({"accept_data_loss": "30"}, 'accept_data_loss: "30" is no bound; allowed: the longest time'),
        ({"waive": "everything", "reason": "x"}, 'waive: unknown rule "everything"; allowed: arbiter_unreachable'),
        ({"waive": "lag_unknwon", "reason": "x"}, '(did you mean "lag_unknown"?)'),
        (
            {"waive": "primary_seen", "reason": "x"},
            "waive: primary_seen cannot be waived: it is a fact, not a rule of caution; allowed: arbiter_unreachable",
        ),
        ({"waive": "lag_over_rpo", "reason": "x"}, "waive: lag_over_rpo cannot be waived: accept a bound with"),
        ({"waive": True, "reason": "x"}, 'waive: "true" is no list of rules; allowed: arbiter_unreachable'),
        ({"waive": "lag_unknown"}, "reason: is missing: a waived rule needs one"),
        ({"outage_started": "03:14"}, 'outage_started: "03:14" is no time; allowed: date, time and zone, for example'),
        ({"outage_started": "2026-11-22T03:14:00"}, "is no time; allowed: date, time and zone"),
        ({"outage_started": "2026-11-22T25:14:00Z"}, "outage_started: "),
        ({"outage_started": "2026-11-22T03:17:00Z"}, "lies in the future; allowed: a time before 2026-11-22T03:15:00Z"),
        ({"continuity_run_dir": "x"}, '(did you mean "continuity_runs_dir"?); allowed: continuity_claim_seconds,'),
        ({"continuity_plan": {}}, 'continuity_plan: unknown setting "continuity_plan"'),
        ({"continuity_run_id": "../x"}, 'continuity_run_id "../x": is not a run id; allowed: '),
        ({"target_sit": "dc1"}, 'target_sit: unknown input (did you mean "target_site"?); allowed: scope, target_site'),
        ({"scop": "x"}, '(did you mean "scope"?)'),
        ({"accept_dataloss": "5s"}, '(did you mean "accept_data_loss"?)'),
        ({"waives": []}, '(did you mean "waive"?)'),
        ({"ansible_connection": "local"}, "ansible_connection: would be set for every service and machine"),
        ({"ansible_host": "x"}, "ansible_host: would be set for every service and machine"),
    ],
)
def test_refused(extra, told):
    errors = checked(**extra)[1]
    assert [text for text in errors if told in text], errors


@pytest.mark.parametrize("verb", ["switchover", "failback"])
@pytest.mark.parametrize(("given", "meant"), [("true", True), (True, True), ("Yes", True), ("false", False)])
def test_a_planned_move_can_only_be_prepared(verb, given, meant):
    inputs, errors = checked(verb, prepare=given)
    assert (inputs["prepare"], errors) == (meant, [])


def test_every_error_at_once():
    errors = checked(scop="x", target_site="dc9", accept_data_loss=True, waive="x", continuity_x=1)[1]
    assert len(errors) == 6, errors


def test_a_verb_may_have_inputs_of_its_own():
    assert checked("drill", fault="kill.yml")[1] == []
    assert 'did you mean "fault"' in checked("drill", fauld="kill.yml")[1][0]
    assert checked("assess", fauld="kill.yml")[1] == []


@pytest.mark.parametrize(
    ("verb", "word", "told"),
    [
        ("report", "run_id", '(did you mean "continuity_run_id"?); allowed: continuity_claim_seconds,'),
        ("report", "runs_dir", '(did you mean "continuity_runs_dir"?)'),
        ("rights", "rights_directory", '(did you mean "rights_dir"?); allowed: scope,'),
        ("rights", "user", '(did you mean "rights_login"?)'),
    ],
)
def test_what_people_call_an_input_of_one_verb_is_refused_by_that_verb_alone(verb, word, told):
    (error,) = checked(verb, **{word: "x"})[1]
    assert error.startswith(f"{word}: unknown input {told}")
    assert checked("switchover", **{word: "x"})[1] == []


@pytest.mark.parametrize("verb", ["assess", "report"])
def test_reading_verbs_take_everything(verb):
    assert checked(verb)[0]["scope"] == "all"
    assert checked(verb, source_site="dc1")[0]["scope"] is None
