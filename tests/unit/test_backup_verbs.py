# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The verbs backup and restore whole, with a role of a third party: what is called, on which member, and the end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import fake_world
import pytest

SPEC = Path(__file__).resolve().parents[2] / "roles" / "backup_pgbackrest" / "meta" / "argument_specs.yml"

BACKUP = "{role: acme.dr.backup_file, stanza: shop, repositories: [{key: 1, site: dc1}, {key: 2, site: dc2}]}"
#: Writes down the entry point with the variables that it was given, and fails where the test wants it
ENTRY = """
- name: {name} | write it down
  acme.dr.written:
    entry: {name}
    given:
      service: '{{{{ backup_service }}}}'
      member: '{{{{ backup_member.host }}}}'
      state: '{{{{ backup_state | default("") }}}}'
      to: '{{{{ backup_restore_to | default("") }}}}'
      kind: '{{{{ backup_kind | default("") }}}}'
      repository: '{{{{ backup_repository | default("") }}}}'
      only: '{{{{ backup_repositories | default([]) }}}}'
      confirm: '{{{{ backup_confirm | default("") }}}}'
      timeline: '{{{{ backup_timeline | default("") }}}}'
      checks: '{{{{ backup.verification | default([]) }}}}'
      epoch: '{{{{ backup_epoch | default(0) }}}}'
"""
WRITTEN = """
import json, os
from ansible_collections.continuity.dr.plugins.plugin_utils import action
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal

class ActionModule(action.Step):
    def _arguments(self):
        return dict(self._task.args)

    def step(self, args, task_vars):
        with open("backups.jsonl", "a") as file:
            print(json.dumps([args["entry"], args["given"]]), file=file)
        if os.environ.get("TEST_REFUSED") == args["entry"]:
            raise action.StepRefused([Refusal("archive_gap", "1", "0", "a segment is missing", "another repository")])
        if os.environ.get("TEST_FAILING") == args["entry"]:
            raise action.StepFailed("the disk is full")
        self._drilled(args["entry"], args["given"])
        if args["entry"] == "observe":
            copies = [{"key": key, "archived_until": 1795317300.0, "timeline": 1} for key in (1, 2)]
            return {"changed": False, "ansible_facts": {"continuity_backups": {"repositories": copies}}}
        if args["entry"] == "restore":
            numbers = {"seconds": 9.0, "timeline": 2, "newest_row_age_seconds": 2.0}
            told = {"state": args["given"]["state"], "label": "F", **numbers}
            told["proof"] = {"repository": 1, "time": 1795317300.0}
            return {"changed": True, "ansible_facts": {"continuity_restored": told}}
        facts = {"backup": "continuity_backed_up"}
        return {"changed": True, "ansible_facts": {facts.get(args["entry"], "x"): {"seen": 1}}}

    def _drilled(self, entry, given):
        # What a restore must not serve; with TEST_BLIND one of them is served
        rules = {
            "timeline_not_archived": given["timeline"] not in ("", None),
            "target_before_backup": str(given["to"]).startswith("20") and str(given["to"]) < "2001",
            "target_not_archived": str(given["to"]) > "2099" and given["to"] != "latest",
        }
        reasons = {"target_not_reached": str(given["to"]).endswith(".900000Z"), "not_proven": bool(given["checks"])}
        if entry != "restore" or given["state"] != "restored":
            return
        for rule in (rule for rule, holds in rules.items() if holds):
            raise action.StepRefused([Refusal(rule, "1", "0", "no", "another")])
        for reason in (reason for reason, holds in reasons.items() if holds and reason != os.environ.get("TEST_BLIND")):
            raise action.StepFailed("no", reason=reason)
"""


@pytest.fixture
def verb(tmp_path, run_ansible):
    """`verb("backup", "scope=all")`: exit code, output, what the role was called with, and the report."""
    fake_world.lay(tmp_path)
    plan = fake_world.PLAN.replace(
        "engine_file}, members: [db1, db2]}", f"engine_file}}, members: [db1, db2], backup: {BACKUP}}}"
    )
    assert plan != fake_world.PLAN
    (tmp_path / "plan.yml").write_text(plan)
    acme = tmp_path / "collections" / "ansible_collections" / "acme" / "dr"
    (acme / "plugins" / "action" / "written.py").write_text(WRITTEN)
    (acme / "plugins" / "modules" / "written.py").write_text("")
    tasks = acme / "roles" / "backup_file" / "tasks"
    tasks.mkdir(parents=True)
    # The family's own argument spec: what a verb hands on must not fail by it
    (tasks.parent / "meta").mkdir()
    shutil.copy(SPEC, tasks.parent / "meta" / "argument_specs.yml")
    for name in ("observe", "backup", "restore", "verify"):
        (tasks / f"{name}.yml").write_text(ENTRY.format(name=name))

    def run(name, *inputs, **environment):
        (tmp_path / "backups.jsonl").unlink(missing_ok=True)
        extra = [word for each in inputs for word in ("-e", each)]
        sources = ("-i", "hosts.yml", "-i", "plan.yml")
        done = run_ansible(
            "playbook", f"continuity.dr.{name}", *sources, *extra, **{**fake_world.ENVIRONMENT, **environment}
        )
        calls = tmp_path / "backups.jsonl"
        called = [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
        reports = sorted(tmp_path.glob("runs/*/report.json"))
        return done.returncode, done.stdout, called, json.loads(reports[-1].read_text()) if reports else None

    return run


def test_a_backup_is_made_on_the_primary_and_read_again_where_that_is_asked_for(verb):
    code, output, called, report = verb("backup", "scope=payments-db")
    assert ([name for name, _given in called], code) == (["observe", "backup"], 0), output
    assert all((given["service"], given["member"]) == ("payments-db", "db1") for _name, given in called)
    assert called[1][1]["kind"] == "" and called[1][1]["only"] == []
    code, output, called, report = verb(
        "backup", "scope=payments-db", "backup_type=full", "verify=true", "repository=2"
    )
    assert [name for name, _given in called] == ["observe", "backup", "verify"], output
    assert (called[1][1]["kind"], called[1][1]["only"]) == ("full", [2])
    assert report["verb"] == "backup"


def test_an_assessment_asks_about_the_backups_and_stands_without_them(verb):
    code, output, called, _report = verb("assess", "scope=all")
    assert ([(name, given["member"]) for name, given in called], code) == ([("observe", "db1")], 0), output
    assert verb("assess", "scope=all", TEST_FAILING="observe")[0] == 0, "no move has to wait for a backup"


def test_a_service_without_a_backup_is_refused_and_stops_no_other(verb):
    code, output, called, report = verb("backup", "scope=all")
    assert code == 2 and "no_backup_planned" in output, output
    assert {given["service"] for _name, given in called} == {"payments-db"}
    assert {each["service"]: each["verdict"] for each in report["services"]}["accounts-db"] == "refused"


@pytest.mark.parametrize(("how", "verdict"), [("TEST_FAILING", "failed"), ("TEST_REFUSED", "refused")])
def test_how_a_backup_ended_stands_in_the_report_and_in_the_exit_code(verb, how, verdict):
    code, output, _called, report = verb("backup", "scope=payments-db", **{how: "backup"})
    assert code == 2, output
    assert report["services"][0]["verdict"] == verdict


def test_a_restore_goes_aside_to_the_replica_by_default(verb):
    code, output, called, _report = verb(
        "restore", "scope=payments-db", "restore_to=2026-11-22T02:10:00Z", "repository=2"
    )
    assert code == 0, output
    (name, given), (told, other) = called
    assert (name, given["member"], given["state"], str(given["repository"])) == ("restore", "db2", "restored", "2")
    assert (told, other["member"], other["state"]) == ("restore", "db1", "told"), "the primary knows of the proof"
    assert given["to"] == "2026-11-22T02:10:00Z"


def test_in_place_is_first_proven_and_both_on_the_primary(verb):
    code, output, called, _report = verb("restore", "scope=payments-db", "restore_mode=in_place", "confirm=payments-db")
    assert code == 0, output
    done = [(given["member"], given["state"]) for _name, given in called if given["state"]]
    assert done == [("db1", "restored"), ("db2", "told"), ("db1", "in_place")]
    assert called[1][1]["confirm"] == "payments-db"
    code, output, called, _report = verb("restore", "scope=payments-db", "restore_mode=discard", "restore_on=db1")
    assert [(given["member"], given["state"]) for _name, given in called] == [("db1", "absent")], output


def test_in_place_holds_a_claim_and_is_followed_by_a_full_backup(verb):
    code, output, called, report = verb("restore", "scope=payments-db", "restore_mode=in_place", "confirm=payments-db")
    assert code == 0, output
    assert [given["state"] for _name, given in called if int(given["epoch"]) > 0] == ["in_place"]
    name, given = called[-1]
    assert (name, given["kind"], given["member"]) == ("backup", "full", "db1"), called
    assert report["services"][0]["verdict"] == "passed", report["services"][0]


@pytest.mark.parametrize("now", ['{"role": "primary", "writable": true}', '{"reachable": false}'])
def test_in_place_is_not_begun_once_another_member_may_have_become_primary(verb, now):
    """A restore beside the data takes hours, in which nobody is kept from a failover."""
    code, output, called, report = verb(
        "restore", "scope=payments-db", "restore_mode=in_place", "confirm=payments-db", TEST_TARGET=now
    )
    assert code == 2 and "other_primary_possible: db2" in " ".join(output.split()), output
    assert [given["state"] for _name, given in called] == ["restored", "told"]
    assert report["services"][0]["verdict"] == "failed"


@pytest.mark.parametrize("mode", ["aside", "discard"])
def test_a_member_that_is_none_is_not_taken_for_another(verb, mode):
    code, output, called, _report = verb("restore", "scope=payments-db", f"restore_mode={mode}", "restore_on=db3")
    assert (code, called) == (2, []) and "restore_on_unnamed" in output and "db1, db2" in output, output


def test_a_file_without_controls_is_no_drill(verb, tmp_path):
    (tmp_path / "none.yml").write_text("tasks: damage.yml\ncontrols: []\n")
    file = f"restore_controls={tmp_path / 'none.yml'}"
    code, output, called, report = verb("restore", "scope=payments-db", "restore_mode=drill", file)
    assert code == 2 and "holds no controls" in " ".join(output.split()), output
    assert called == [] and report["services"][0]["verdict"] == "failed"


def test_a_drill_restores_each_copy_and_meets_every_control(verb):
    code, output, called, report = verb("restore", "scope=payments-db", "restore_mode=drill")
    assert code == 0, output
    assert [(each["copy"], each["seconds"]) for each in report["restores"]] == [(1, 9.0), (2, 9.0)]
    names = ["wrong_timeline", "before_the_first_backup", "after_the_archive", "after_the_last_commit"]
    names.append("query_not_as_expected")
    assert [(each["copy"], each["name"]) for each in report["controls"]] == [(n, m) for n in (1, 2) for m in names]
    assert all(each["expected"] == each["seen"] for each in report["controls"])
    assert report["services"][0]["verdict"] == "passed" and report["services"][0]["refusals"] == []
    assert called[-1][1]["state"] == "absent", "nothing is left"
    assert verb("restore", "scope=payments-db", "restore_mode=drill", "repository=2")[3]["restores"][0]["copy"] == 2


def test_a_drill_that_takes_damage_for_a_backup_fails(verb):
    code, output, _called, report = verb("restore", "scope=payments-db", "restore_mode=drill", TEST_BLIND="not_proven")
    assert code == 2 and "control_not_met: query_not_as_expected of copy 1 ended with restored" in output, output
    assert report["services"][0]["verdict"] == "failed"
    assert [each["seen"] for each in report["controls"] if each["name"] == "query_not_as_expected"] == ["restored"] * 2


@pytest.mark.parametrize(
    ("verb_name", "wrong", "said"),
    [
        ("restore", "restore_to=2026-11-22T02:10:00", "has no time zone"),
        ("restore", "restore_mode=inplace", 'did you mean "in_place"'),
        ("backup", "backup_type=big", "backup_type"),
        ("backup", "restore_to=latest", "restore"),
    ],
)
def test_a_wrong_input_ends_the_run_before_it_begins(verb, verb_name, wrong, said):
    code, output, called, _report = verb(verb_name, "scope=payments-db", wrong)
    assert (code, called) == (4, []) and said in output, output
