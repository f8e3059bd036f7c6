# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operator may give a verb with `-e`, typed wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.options import CLAIM_SECONDS_LIMITS
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.ansible_settings import (
    OLDEST_ANSIBLE,
    version_findings,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.inputs import INPUTS, MEANT, SETTINGS, checked_inputs
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.settings import (
    CLAIM_SECONDS,
    continued_findings,
)

ROOT = Path(__file__).resolve().parents[3]
NOW = 1795317300.0  # 2026-11-22T03:15:00Z
BOUND = "is no bound; allowed: the longest time whose acknowledged writes may be lost, for example 30s"
TIME = "is no time; allowed: date, time and zone, for example 2026-11-22T03:15:00Z"
RULES = "allowed: arbiter_unreachable, "
ALL_INPUTS = f"allowed: {', '.join(INPUTS)}"


@pytest.fixture
def told(no_network):
    def run(extra, verb="failover"):
        return checked_inputs(extra, verb, {"dc1": {}, "dc2": {}}, NOW)[1]

    return run


BOUNDS = [
    True,
    False,
    "true",
    "yes",
    "",
    0,
    30,
    "30",
    "-1s",
    "1e3s",
    "16MB",
    "inf",
    "unlimited",
    "999999d",
    ["30s"],
    None,
]


@pytest.mark.parametrize("typed", BOUNDS)
def test_the_data_loss_that_is_accepted_is_a_bound(told, typed):
    """Never a truth value, never a number without a unit; not given is not zero."""
    shown = str(typed).lower() if isinstance(typed, bool) else str(typed)
    assert told({"accept_data_loss": typed}) == ([] if typed is None else [f'accept_data_loss: "{shown}" {BOUND}'])


def test_a_bound_is_taken():
    assert checked_inputs({"accept_data_loss": "30s"}, "failover", {}, NOW)[0]["accept_data_loss_seconds"] == 30.0


VALUES = [
    ("scope", "", ["is empty; allowed: -e scope=..."]),
    ("scope", "  ", ["is empty"]),
    ("scope", [], ["is empty"]),
    ("scope", True, ['"true" is not text']),
    ("scope", 1.5, ['"1.5" is not text']),
    ("scope", {"name": "x"}, ["a mapping is not text"]),
    ("scope", "a\u202eb", ['"a\\u202eb" holds a character that cannot be seen']),
    ("target_site", "dc3", ['unknown site "dc3" (did you mean "dc2"?); allowed: dc1, dc2']),
    ("target_site", "DC2", ['unknown site "DC2"', "allowed: dc1, dc2"]),
    ("target_site", "dс2", ['("с" is U+0441 CYRILLIC SMALL LETTER ES) (did you mean "dc2"?)']),
    ("target_site", ["dc2"], ["\"['dc2']\" is not text; allowed: -e target_site=..."]),
    ("target_site", "", ["is empty; allowed: -e target_site=..."]),
    ("source_site", "x" * 500, [f'unknown site "{"x" * 100}..."']),
    ("reason", 5, ['"5" is not text; allowed: -e reason=...']),
    ("reason", "a\0b", ['"a\\x00b" holds a character that cannot be seen']),
    ("waive", "lag_unknown,", ["holds an empty name, look at its commas", RULES]),
    ("waive", "lag_unknwon", ['unknown rule "lag_unknwon" (did you mean "lag_unknown"?)', RULES]),
    ("waive", "all", ['unknown rule "all"', RULES]),
    ("waive", True, ['"true" is no list of rules', RULES]),
    ("waive", "", ["is empty", RULES]),
    ("waive", [5], ['"[5]" is no list of rules', RULES]),
    ("outage_started", "yesterday", [f'"yesterday" {TIME}']),
    ("outage_started", "03:14", [f'"03:14" {TIME}']),
    ("outage_started", 1795317300, [f'"1795317300" {TIME}']),
    ("outage_started", "2026-11-22", [f'"2026-11-22" {TIME}']),
    ("outage_started", "2026-11-22T03:14:00", [TIME]),
    ("outage_started", "2026-02-30T00:00:00Z", [f'"2026-02-30T00:00:00Z" {TIME}']),
    ("outage_started", "2026-11-22T03:14:00+25:00", [TIME]),
    ("outage_started", "2026-11-22T03:17:00Z", ["lies in the future; allowed: a time before 2026-11-22T03:15:00Z"]),
    ("outage_started", "2025-11-22T03:14:00Z", ["lies more than 90 days back; allowed: a time before 2026-11-22T03"]),
    ("continuity_run_id", "../x", ['"../x": is not a run id; allowed: 1 to 64 letters']),
    ("continuity_run_id", "a" * 65, ["is not a run id; allowed: 1 to 64 letters"]),
    ("continuity_run_id", 5, ["is not a run id"]),
    ("continuity_runs_dir", "", ['"" is not a path; allowed: a directory']),
    ("continuity_runs_dir", 5, ['"5" is not a path; allowed: a directory']),
    ("continuity_runs_dir", "/etc/passwd/runs", ["cannot be made: /etc/passwd is no directory; allowed: a directory"]),
    ("continuity_claim_seconds", "10m", ['"10m" is not possible; allowed: whole seconds from 60 to 3600']),
    ("continuity_claim_seconds", True, ['"true" is not possible']),
    ("continuity_claim_seconds", 59, ['"59" is not possible']),
    ("continuity_claim_seconds", "-300", ['"-300" is not possible']),
    ("continuity_outcome_allow_degraded", True, ['"true" is no list of names; allowed: a list of names']),
    ("continuity_outcome_allow_degraded", [""], ["is no list of names"]),
]


@pytest.mark.parametrize(("name", "typed", "says"), VALUES, ids=lambda value: repr(value)[:40])
def test_values(told, assert_told, name, typed, says):
    assert_told(told({"reason": "x", name: typed}), name, *says)


NAMES = [
    ("failover", "scop", '(did you mean "scope"?)'),
    ("failover", "target-site", '(did you mean "target_site"?)'),
    ("failover", "Target_Site", '(did you mean "target_site"?)'),
    ("failover", "accept_dataloss", '(did you mean "accept_data_loss"?)'),
    *[("failover", word, f'(did you mean "{name}"?)') for name, words in MEANT.items() for word in words],
    ("drill", "fauld", '(did you mean "fault"?)'),
    ("failover", "fault", "is an input of drill, failover does not read it"),
    ("assess", "dwell", "is an input of drill, assess does not read it"),
]


@pytest.mark.parametrize(("verb", "typed", "says"), NAMES)
def test_names_of_inputs(told, assert_told, verb, typed, says):
    assert_told(told({typed: "x"}, verb), typed, says, "allowed: scope, target_site, source_site, reason, ")


@pytest.mark.parametrize(
    ("typed", "meant"), [("scopes", "scope"), ("target_sites", "target_site"), ("reasons", "reason")]
)
def test_a_slip_is_told_also_beside_the_input_that_was_meant(told, assert_told, typed, meant):
    """The two may contradict each other, and nobody could tell which one counts."""
    assert_told(told({meant: "payments-db", typed: "x"}), typed, f'(did you mean "{meant}"?)')


SETTING_NAMES = [
    ("continuity_run_dir", '(did you mean "continuity_runs_dir"?)'),
    ("Continuity_run_id", '(did you mean "continuity_run_id"?)'),
    ("continuity_max_lga", "unknown setting"),
    ("continuity_plan", "unknown setting"),
    ("continuity_service", "unknown setting"),
    ("continuity_verb", "unknown setting"),
    ("continuity_stage", "unknown setting"),
]


@pytest.mark.parametrize(("typed", "says"), SETTING_NAMES)
def test_names_of_settings(told, assert_told, typed, says):
    assert_told(told({typed: "x"}), typed, f'unknown setting "{typed}"', says, f"allowed: {SETTINGS[0]}, ")


OVERRIDES = [
    "inventory_hostname",
    "omit",
    "endpoint_value",
    "fence_units",
    "engine_member",
    "lease_epoch",
    "service_plan",
    "canary",
    "item",
    "ansible_facts",
    "__service_promoted",
]


@pytest.mark.parametrize("typed", OVERRIDES)
def test_what_the_verb_works_out_is_not_given(told, assert_told, typed):
    """An extra variable is stronger than what a task hands to its role."""
    assert_told(told({typed: "x"}), typed, "would overrule what the verb works out for each service", "allowed: not to")


def test_settings_of_roles_and_variables_of_others_are_taken(told):
    assert told({"endpoint_rfc2136_require": "1", "vault_tsig_secret": "x", "ticket": 5, "ansible_user": "ops"}) == []


def test_what_belongs_together(told, assert_told):
    same = told({"target_site": "dc1", "source_site": "dc1"})
    assert_told(same, "target_site", 'is "dc1", the source_site too; allowed: two different sites')
    assert_told(told({"waive": "lag_unknown"}), "reason", "is missing: a waived rule needs one", "allowed: -e reason=")
    for name in ("ansible_connection", "ansible_host"):
        assert_told(told({name: "local"}), name, "would be set for every service and machine; allowed: set it in the")


def test_all_errors_at_once(told):
    typed = {
        "scop": "x",
        "target_site": "dc9",
        "accept_data_loss": True,
        "waive": "x",
        "continuity_x": 1,
        "force": 1,
        "outage_started": "now",
        "continuity_claim_seconds": "1",
    }
    assert [error.split(":")[0] for error in told(typed)] == [
        "scop",
        "continuity_x",
        "force",
        "continuity_claim_seconds",
        "accept_data_loss",
        "waive",
        "outage_started",
        "target_site",
        "reason",
    ]


def test_a_directory_of_somebody_else_is_refused(told, monkeypatch, assert_told, tmp_path):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tests may run as root, who may write everywhere
    assert_told(told({"continuity_runs_dir": f"{tmp_path}/a/b"}), "continuity_runs_dir", "cannot be written to")


@pytest.mark.parametrize(
    ("begun", "verb", "check_mode", "says"),
    [
        ({"verb": "failover"}, "rejoin", False, '"run-a" is a run of failover, and this is rejoin; allowed: the sa'),
        ({"verb": "failover", "check_mode": True}, "failover", False, "a run of failover in check mode, and this is"),
        ({"verb": "failover"}, "failover", True, "a run of failover, and this is failover in check mode"),
        ({"verb": "failover"}, "failover", False, ""),
        ({"verb": "failover"}, "report", False, ""),
        ({}, "rejoin", False, ""),
        (None, "rejoin", False, ""),
    ],
)
def test_a_run_is_continued_by_its_own_verb(tmp_path, begun, verb, check_mode, says):
    """Its run.json is the first one's: the report would tell of a failover that nobody asked for."""
    (tmp_path / "run-a").mkdir()
    if begun is not None:
        (tmp_path / "run-a" / "run.json").write_text(json.dumps(begun))
    extra = {"continuity_run_id": "run-a", "continuity_runs_dir": str(tmp_path)}
    found = list(continued_findings(extra, verb, check_mode, {}))
    assert (len(found) == 1 and found[0].startswith("continuity_run_id: ") and says in found[0]) if says else not found
    assert list(continued_findings({**extra, "continuity_run_id": "../run-a"}, verb, check_mode, {})) == []


@pytest.mark.parametrize(
    ("begun", "now", "says"),
    [
        ({"scope": "payments"}, {"scope": "accounts-db"}, ["scope payments -> accounts-db"]),
        ({"target_site": "dc2"}, {"target_site": "dc1"}, ["target_site dc2 -> dc1"]),
        ({"source_site": "dc1"}, {"source_site": "dc2"}, ["source_site dc1 -> dc2"]),
        ({"target_site": "dc2"}, {"source_site": "dc2"}, ["target_site dc2 -> source_site dc2"]),
        ({"source_site": "dc1"}, {"target_site": "dc1"}, ["source_site dc1 -> target_site dc1"]),
        (
            {"scope": "payments", "target_site": "dc2"},
            {"scope": "all", "target_site": "dc1"},
            ["scope payments -> all", "target_site dc2 -> dc1"],
        ),
        # Left out, it would move what was only to be prepared
        ({"scope": "payments", "prepare": True}, {"scope": "payments", "prepare": False}, ["prepare true -> false"]),
        ({"scope": "payments"}, {"scope": "payments", "prepare": True}, ["prepare false -> true"]),
        ({"prepare": True}, {"prepare": True}, []),
        # A run is found again by the site that it left, and may be given what its refusal asked for
        ({"scope": "payments", "target_site": "dc2"}, {"source_site": "dc1"}, []),
        ({"scope": "payments"}, {"scope": "payments", "waive": ("lag_unknown",), "reason": "seen"}, []),
        ({"source_site": "dc1"}, {"source_site": "dc1", "target_site": "dc2"}, []),
    ],
)
def test_a_run_is_continued_with_its_own_inputs(tmp_path, begun, now, says):
    """It would adopt the claim of a move in one direction for a move in the other."""
    (tmp_path / "run-a").mkdir()
    (tmp_path / "run-a" / "run.json").write_text(json.dumps({"verb": "failover", "inputs": begun}))
    extra = {"continuity_run_id": "run-a", "continuity_runs_dir": str(tmp_path)}
    found = list(continued_findings(extra, "failover", False, now))
    if not says:
        assert found == []
        return
    assert len(found) == 1 and found[0].startswith('continuity_run_id: "run-a" was begun with other inputs: ')
    assert ", ".join(says) + "; allowed: the inputs that it was begun with" in found[0]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("20261122T031500Z-3f9b", "20261122T031500Z-3f9a"),
        ("20261122T031501Z-3f9a", "20261122T031500Z-3f9a"),
        ("20261122T031500Z-3f9a", None),  # begun, and cut off before it kept anything
        ("20261122T041722Z-77b1", None),  # of another controller, whose claim it continues
        ("20261122T031500Z-3f9", None),  # a name of somebody's own
        ("drill-8", None),
    ],
)
def test_a_mistyped_run_does_not_begin_as_a_new_one(tmp_path, typed, meant):
    for kept in ("20261122T031500Z-3f9a", "20261121T201530Z-0c1d", "drill-7"):
        (tmp_path / kept).mkdir()
    extra = {"continuity_run_id": typed, "continuity_runs_dir": str(tmp_path)}
    says = f'continuity_run_id: "{typed}" is no run that is kept here (did you mean "{meant}"?); allowed: the id of a '
    says += f"run in {tmp_path}, or a name of your own"
    assert list(continued_findings(extra, "failover", False, {})) == ([says] if meant else [])
    assert list(continued_findings({**extra, "continuity_runs_dir": f"{tmp_path}/none"}, "failover", False, {})) == []


@pytest.mark.parametrize(("version", "old"), [("2.18.7", True), ("2.9", True), ("2.19.0", False), ("2.22.0rc1", False)])
def test_ansible_itself_may_be_too_old(version, old):
    says = f"ansible-core: \"{version}\" is too old; allowed: 2.19 or later, pip install 'ansible-core>=2.19'"
    assert list(version_findings(version)) == ([says] if old else [])
    requires = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"]
    assert requires.startswith(f">={'.'.join(map(str, OLDEST_ANSIBLE))}.")


def test_the_gate_takes_what_the_claim_takes():
    assert CLAIM_SECONDS == CLAIM_SECONDS_LIMITS
