# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate as an operator meets it: ansible-playbook started with no configuration of its own."""

from __future__ import annotations

import json

import pytest
import sample_plan

PLAN = (
    sample_plan.HEAD
    + """\
functions:
  payments: {tier: 1, objectives: {rto: 1h, rpo: 0s}, depends_on: [accounts]}
  accounts: {tier: 2, objectives: {rto: 1h, rpo: 5m}}
  mail: {tier: 3, objectives: {rto: 1d, rpo: 1d}}
services:
  payments-db:
    function: payments
    engine: {role: continuity.dr.engine_postgresql, cluster: 15/main}
    members: [db1, {host: db2, replication_address: "{{ db2_link }}"}]
"""
    + sample_plan.ENDPOINTS.replace("vault_tsig_secret", "lookup('ansible.builtin.file', 'key')")
    + """\
  mail-db: {function: mail, engine: {role: acme.dr.engine_x}, members: [db1, db2]}
  accounts-db: {function: accounts, engine: {role: acme.dr.engine_x}, members: [db1, db2]}
"""
)
HOSTS = """
dc1: {hosts: {db1: {ansible_host: 198.51.100.11}}}
dc2: {hosts: {db2: }}
all: {vars: {db2_link: 203.0.113.132}}
"""
# A verb whose two plays show what the lookup gave them, and what an action finds in a worker.
VERB = """
- name: Act
  hosts: "{{ lookup('continuity.dr.whole_run', 'services', verb='%(verb)s') }}"
  serial: "{{ lookup('continuity.dr.whole_run', 'waves', verb='%(verb)s') }}"
  strategy: ansible.builtin.host_pinned
  gather_facts: false
  tasks:
    - name: Show
      shown: {what: "{{ ansible_play_batch | join(' ') }}"}
- name: Observe
  hosts: "{{ lookup('continuity.dr.whole_run', 'everything', verb='%(verb)s') }}"
  gather_facts: false
  tasks:
    - name: Show
      shown: {what: "{{ lookup('continuity.dr.whole_run', 'members', verb='%(verb)s') | join(' ') }}"}
"""
SHOWN = """
import json
from ansible.plugins.action import ActionBase
from ansible_collections.continuity.dr.plugins.plugin_utils import run
class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        current = run.current()
        with open("shown.jsonl", "a") as file:
            print(json.dumps({"host": task_vars["inventory_hostname"], "what": self._task.args["what"],
                              **{name: getattr(current, name) for name in current.__dataclass_fields__}}), file=file)
        return {}
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "hosts.yml").write_text(HOSTS)
    (tmp_path / "plan.yml").write_text(PLAN)
    (tmp_path / "key").write_text("c2VjcmV0\n")
    (tmp_path / "verb.yml").write_text(VERB % {"verb": "switchover"})
    (tmp_path / "other.yml").write_text(VERB % {"verb": "failover"})
    (tmp_path / "host_vars").mkdir()  # read by a variables plugin, not by an inventory source
    (tmp_path / "host_vars" / "db2.yml").write_text("ansible_host: 203.0.113.11\n")
    for folder, text in (("action_plugins", SHOWN), ("library", "")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shown.py").write_text(text)
    return tmp_path


@pytest.fixture
def verb(files, run_ansible):
    """Run the verb; returns exit code, output and what the actions have seen."""

    def run(*arguments, plan="plan.yml", play=("verb.yml",), **environment):
        sources = ["-i", "hosts.yml", *(["-i", plan] if plan else [])]
        done = run_ansible("playbook", *sources, *play, *arguments, **environment)
        shown = files / "shown.jsonl"
        lines = [json.loads(line) for line in shown.read_text().splitlines()] if shown.exists() else []
        return done.returncode, done.stdout, lines

    return run


def test_a_whole_run_in_wave_order(verb, files):
    inputs = ("scope=payments,accounts-db", "reason='power cut'", "continuity_run_id=drill-7")
    settings = ("continuity_runs_dir=elsewhere", '{"continuity_outcome_allow_degraded": ["endpoint_stale"]}')
    given = [word for text in (*inputs, *settings) for word in ("-e", text)]
    (files / "vault").write_text("a password\n")
    vault = ("--vault-id", "dr@vault", "--vault-password-file", "vault")
    code, output, seen = verb(*given, *vault, "--check")
    assert code == 0, output
    assert [(line["host"], line["what"]) for line in seen[:2]] == [
        ("accounts-db", "accounts-db"),
        ("payments-db", "payments-db"),
    ]
    assert sorted(line["host"] for line in seen[2:]) == ["accounts-db", "db1", "db2", "payments-db"]
    assert {line["what"] for line in seen[2:]} == {"db1 db2"}
    for name in ("run_id", "verb", "directory", "operator", "started", "started_monotonic_ns", "check_mode"):
        assert len({str(line[name]) for line in seen}) == 1  # one run, in every play and worker
    last = seen[-1]
    assert (last["run_id"], last["verb"], last["check_mode"]) == ("drill-7", "switchover", True)
    assert last["directory"] == str(files / "elsewhere" / "drill-7")
    assert last["inputs"]["reason"] == "power cut"
    assert last["plan"]["id"] == "shop"
    assert (last["allow_degraded"], last["inventory"]) == (["endpoint_stale"], ["hosts.yml", "plan.yml"])
    opens = ["--vault-id", "dr@vault", "--vault-password-file", f"{files}/vault"]
    assert last["options"] == [*opens, "-e", f"continuity_runs_dir={files}/elsewhere"]
    service = last["services"]["payments-db"]
    of_db1 = {"address": "198.51.100.11", "replication_address": "198.51.100.11"}
    of_db2 = {"address": "203.0.113.11", "replication_address": "203.0.113.132"}
    assert service["members"] == [
        {"host": "db1", "cluster": "15/main", "site": "dc1", **of_db1},
        {"host": "db2", "cluster": "15/main", "site": "dc2", **of_db2},
    ]
    assert "key" not in service["endpoints"][0]


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["--limit", "db1,payments-db"], {}, ["--limit db1,payments-db: would cut"]),
        (
            ["--tags", "a", "--skip-tags", "b", "--start-at-task", "Show", "--step"],
            {},
            ["--tags a: would", "--skip-tags b: would", "--start-at-task Show: would", "--step: would"],
        ),
        ([], {"ANSIBLE_RUN_TAGS": "a", "ANSIBLE_SKIP_TAGS": "b"}, ["--tags a: would", "--skip-tags b: would"]),
        (
            ["-e", "target_sit=dc2", "-e", "accept_data_loss=yes", "-e", '{"waive": ["lag_unknwon"]}'],
            {},
            ['did you mean "target_site"', 'accept_data_loss: "yes" is no bound', 'did you mean "lag_unknown"'],
        ),
        (["-e", "continuity_plan={}"], {}, ["unknown setting"]),
        (["-e", "continuity_progress=quiet"], {}, ['continuity_progress: "quiet" is neither true nor false']),
        (["-c", "local"], {}, ["ansible_connection: db1 and db2 are all this controller, by the connection local"]),
        ([], {"ANSIBLE_TRANSPORT": "local"}, ["ansible_connection: db1 and db2 are all this controller"]),
        (
            [],
            {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": "facts"},
            ['fact_caching: "jsonfile" brings facts of earlier runs into this one; allowed: memory, as with'],
        ),
        (
            [],
            {"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true"},
            ['display_args_to_stdout: "true" prints keys and passwords above the tasks that use them; allowed: false'],
        ),
    ],
)
def test_what_would_not_be_a_whole_run_is_refused(verb, arguments, environment, told):
    code, output, seen = verb("-e", "scope=all", *arguments, **environment)
    assert code == 4, output
    assert "switchover does not begin, nothing was contacted:" in output
    assert [text for text in told if text not in output] == [], output
    assert seen == []


KEY_PATH = "services.payments-db.endpoints[0].key.secret: "


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("\"{{ lookup('file', 'there/is/no/key') }}\"", "Unable to access the file 'there/is/no/key'"),
        ('"{{ vault_tsig_secret }}"', "'vault_tsig_secret' is undefined"),
        ("\"{{ lookup('file', 'empty') }}\"", KEY_PATH + "is empty; allowed: a file, a variable or a vault password"),
        ("!vault |\n            $ANSIBLE_VAULT;1.1;AES256\n            " + "61" * 80, "vault"),
    ],
    ids=["no file", "no variable", "empty", "no vault password"],
)
def test_a_key_that_is_not_there_is_told_as_what_it_is(files, verb, secret, told):
    """Not as a name server that gives no answer: the field of the plan, why, and what to do; nothing is contacted."""
    (files / "empty").write_text("\n")
    old = "{name: continuity, secret: \"{{ lookup('ansible.builtin.file', 'key') }}\"}"
    key = f"\n          name: continuity\n          secret: {secret}"
    assert old in PLAN
    (files / "plan.yml").write_text(PLAN.replace(old, key))
    code, output, seen = verb("-e", "scope=payments")
    assert (code, seen) == (4, []), output
    refusal = output[output.index("switchover does not begin, nothing was contacted:") :]
    assert refusal.count(KEY_PATH) == 1, output
    assert told in refusal.splitlines()[1], output
    assert "only where that must not stop the run: -e waive=arbiter_unreachable" in refusal
    assert "arbiter_unreachable:" not in output


@pytest.mark.parametrize(
    ("secret", "of_all", "missing"),
    [
        ("{{ dns_key }}", "dns_key: c2VjcmV0", False),
        ("{{ dns_key }}", "", True),
        ("{{ shared }}", "shared: '{{ dns_key }}'", True),
        ("{{ lookup('file', inventory_hostname) }}", "", True),
        ("{{ shared }}", "shared: \"{{ lookup('file', inventory_hostname) }}\"", True),
    ],
    ids=["of all", "of one service", "of one, through another", "a file of one", "a file of one, through another"],
)
def test_a_key_is_missing_although_the_same_words_stand_for_one_in_another_service(
    files, verb, secret, of_all, missing
):
    """The service that is read first has it."""
    first = PLAN.index("  accounts-db: {")
    endpoints = sample_plan.ENDPOINTS.replace("payments-db", "accounts-db")
    accounts = "  accounts-db:\n    function: accounts\n    engine: {role: acme.dr.engine_x}\n    members: [db1, db2]\n"
    plan = PLAN[:first] + accounts + endpoints
    for old in ("lookup('ansible.builtin.file', 'key')", "vault_tsig_secret"):
        plan = plan.replace(f'"{{{{ {old} }}}}"', json.dumps(secret))
    (files / "plan.yml").write_text(plan)
    (files / "host_vars" / "accounts-db.yml").write_text("dns_key: c2VjcmV0\n")
    (files / "accounts-db").write_text("c2VjcmV0\n")
    (files / "group_vars").mkdir()
    (files / "group_vars" / "all.yml").write_text(f"{of_all}\n")
    code, output, _seen = verb("-e", "scope=payments,accounts")
    assert (KEY_PATH + "cannot be filled in" in output) is missing, output
    assert (code == 4) is missing, output
    assert "accounts-db.endpoints[0].key" not in output


def test_a_key_that_is_not_needed_may_be_missing(files, verb):
    """Of a service that is not moved, or where somebody goes on without the arbiter."""
    (files / "key").unlink()
    code, output, _seen = verb("-e", "scope=payments", "-c", "local")
    assert code == 4
    assert KEY_PATH in output and "ansible_connection: db1 and db2" in output, "all reasons at once"
    assert verb("-e", "scope=mail-db")[0] == 0
    waived = ("-e", "waive=arbiter_unreachable", "-e", "reason='the key burnt'")
    code, output, seen = verb("-e", "scope=payments", *waived)
    assert code == 0, output
    assert "key" not in seen[-1]["services"]["payments-db"]["endpoints"][0]


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (
            ["-e", "scope=paymnts"],
            'scope: unknown scope "paymnts" (did you mean "payments"?); allowed: all, payments-db',
        ),
        ([], "scope: is missing: give -e scope=... or -e source_site=...; allowed: all, payments-db, mail-db"),
        (["-e", "scope=tier-4"], 'scope: unknown scope "tier-4"'),
        (["-e", "source_site=dc3"], 'source_site: unknown site "dc3" (did you mean "dc2"?); allowed: dc1, dc2'),
    ],
)
def test_an_empty_or_unknown_scope_is_refused(verb, scope, told):
    code, output, seen = verb(*scope)
    assert (code, seen) == (4, [])
    assert told in output


def test_a_missing_plan_is_refused(verb):
    code, output, seen = verb("-e", "scope=all", plan=None)
    assert (code, seen) == (4, [])
    assert "no plan was loaded (inventory sources: " in output
    assert "hosts.yml). Pass it with -i plan.yml" in output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            PLAN.replace("tier: 1", "tier: one").replace("rpo: 5m", "rpo: 5"),
            [
                'functions.payments.tier: "one" is not a whole number',
                'functions.accounts.objectives.rpo: "5": give a unit',
            ],
        ),
        ("plugin: continuity.dr.plan\nplan: [\n", ["no plan was loaded"]),
        ("", ["no plan was loaded"]),
    ],
)
def test_a_broken_plan_ends_a_verb_with_an_error(files, verb, text, told):
    """Ansible alone would warn, run nothing and exit 0."""
    (files / "broken.yml").write_text(text)
    code, output, seen = verb("-e", "scope=all", plan="broken.yml")
    assert (code, seen) == (4, [])
    refusal = output[output.index("switchover does not begin, nothing was contacted:") :]
    assert [part for part in told if part not in refusal] == [], output


def test_machines_are_checked_before_anything_is_contacted(files, verb):
    (files / "hosts.yml").write_text(HOSTS.replace("db2: }", "db3: , db1: }"))
    code, output, seen = verb("-e", "scope=mail-db")
    assert (code, seen) == (4, [])
    assert "services.mail-db.members[0]: db1 is in dc1 and dc2; allowed: a machine of exactly one of the" in output
    assert 'services.mail-db.members[1]: unknown machine "db2"' in output


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("hosts.yml", HOSTS.replace("db2: }", "}"), 'services.mail-db.members[1]: unknown machine "db2"'),
        (
            "later.yml",
            "all: {hosts: {mail-db: {ansible_connection: local}}}",
            'mail-db.ansible_connection: "local", from host_vars or a later source, would run commands on a service',
        ),
        (
            "later.yml",
            "dbs: {hosts: {mail-db: }}",
            "services.mail-db: is also a machine, or was put into the group dbs; allowed: a name of its own",
        ),
        (
            "host_vars/mail-db.yml",
            "ansible_connection: ssh",
            'mail-db.ansible_connection: "ssh", from host_vars or a later source, would run commands on a service; '
            "allowed: continuity.dr.service",
        ),
        (
            "group_vars/all.yml",
            "ansible_connection: local",
            "ansible_connection: db1 and db2 are all this controller, by the connection local; allowed: one that",
        ),
        ("group_vars/all.yml", "ansible_host: 127.0.0.9", "db2 and db1 (services.mail-db.members[0]) are both 127."),
    ],
    ids=["empty group", "later source", "later group", "host_vars", "local for all", "one address for all"],
)
def test_an_inventory_that_would_make_the_run_lie_is_refused(files, verb, path, text, told):
    (files / path).parent.mkdir(exist_ok=True)
    if "ansible_host" in text:
        (files / "hosts.yml").write_text("dc1: {hosts: {db1: }}\ndc2: {hosts: {db2: }}")
        (files / "host_vars" / "db2.yml").unlink()
    (files / path).write_text(text)
    later = ("-i", path) if path == "later.yml" else ()
    code, output, seen = verb("-e", "scope=mail-db", *later)
    assert (code, seen) == (4, []), output
    assert told in output


def test_a_second_verb_in_one_process_is_refused(verb):
    code, output, seen = verb("-e", "scope=mail-db", "-e", "continuity_run_id=r1", play=("verb.yml", "other.yml"))
    assert code == 4
    assert "this ansible-playbook already runs 'switchover' as r1; start 'failover' with an ansible-playbook" in output
    assert {line["verb"] for line in seen} == {"switchover"}


def test_a_syntax_check_needs_no_inventory(files, run_ansible):
    done = run_ansible("playbook", "--syntax-check", "verb.yml")
    assert done.returncode == 0, done.stdout


def test_an_exported_inventory_serves_as_well(files, run_ansible, verb):
    """What AWX does: the plan arrives as variables, from a source that is not ours."""
    exported = run_ansible("inventory", "-i", "hosts.yml", "-i", "plan.yml", "--list", "--export").stdout
    (files / "exported.sh").write_text(f"#!/bin/sh\ncat <<'END'\n{exported}\nEND\n")
    (files / "exported.sh").chmod(0o700)
    (files / "hosts.yml").write_text("{}")
    code, output, seen = verb("-e", "scope=payments", plan="exported.sh")
    assert code == 0, output
    assert seen[-1]["services"]["payments-db"]["members"][1]["site"] == "dc2"


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        (
            "lookup('continuity.dr.whole_run', 'hosts', verb='x')",
            "whole_run: give one of asking, everything, members, services, waves, not hosts",
        ),
        (
            "lookup('continuity.dr.whole_run', verb='x')",
            "whole_run: give one of asking, everything, members, services, waves, not nothing",
        ),
        ("lookup('continuity.dr.whole_run', 'services')", "verb"),
    ],
)
def test_a_wrong_use_is_refused(files, verb, hosts, told):
    (files / "wrong.yml").write_text(f'- name: Act\n  hosts: "{{{{ {hosts} }}}}"\n  tasks: []\n')
    code, output, _seen = verb("-e", "scope=all", play=("wrong.yml",))
    assert code == 4, output
    assert told in output
