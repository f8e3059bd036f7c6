# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The verbs backup and restore whole, with a role of a third party: what is called, on which member, and the end."""

from __future__ import annotations

import json

import fake_world
import pytest

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
        facts = {"observe": "continuity_backups", "backup": "continuity_backed_up", "restore": "continuity_restored"}
        return {"changed": args["entry"] != "observe", "ansible_facts": {facts.get(args["entry"], "x"): {"seen": 1}}}
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
    ((name, given),) = called
    assert (name, given["member"], given["state"], str(given["repository"])) == ("restore", "db2", "restored", "2")
    assert given["to"] == "2026-11-22T02:10:00Z"


def test_in_place_is_first_proven_and_both_on_the_primary(verb):
    code, output, called, _report = verb("restore", "scope=payments-db", "restore_mode=in_place", "confirm=payments-db")
    assert code == 0, output
    assert [(given["member"], given["state"]) for _name, given in called] == [("db1", "restored"), ("db1", "in_place")]
    assert called[1][1]["confirm"] == "payments-db"
    code, output, called, _report = verb("restore", "scope=payments-db", "restore_mode=discard", "restore_on=db1")
    assert [(given["member"], given["state"]) for _name, given in called] == [("db1", "absent")], output


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
