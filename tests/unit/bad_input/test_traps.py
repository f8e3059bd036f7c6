# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible itself would let by: options that cut guards away, check mode, no terminal. Whole verbs, no machines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_world
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = ROOT / "playbooks"
CHANGING = ("switchover", "failover", "rejoin", "failback", "drill")
#: Where each of them would have something to do.
WORLDS: dict[str, dict[str, Any]] = {
    "switchover": {"words": ("target_site=dc2",)},
    "failover": {"words": ("target_site=dc2",), "stopped": ["db1"]},
    "rejoin": {"words": (), "primary": "db2", "stopped": ["db1"]},
    "failback": {"words": (), "primary": "db2"},
    "drill": {"words": ("target_site=dc2",)},
}
#: It would act in check mode as well: that is for the drill to prevent.
FAULT = """
- name: Break it
  ansible.builtin.command: {argv: [touch, %s]}
  changed_when: true
  check_mode: false
  delegate_to: localhost
"""


@pytest.fixture
def verb(tmp_path: Path, run_ansible: Any) -> Any:
    """Run a verb where it has something to do: exit code, output, and everything that was done, leases included."""
    fake_world.lay(tmp_path, fenced=True)
    (tmp_path / "fault.yml").write_text(FAULT % (tmp_path / "broken"))

    def run(name: str, *arguments: str, **environment: str) -> tuple[int, str, list[list[str]]]:
        world = WORLDS[name]
        state = {"primary": world.get("primary", "db1"), "stopped": world.get("stopped", [])}
        (tmp_path / "world.json").write_text(json.dumps({"payments-db": state, "accounts-db": state}))
        words = [part for word in ("scope=payments-db", *world["words"]) for part in ("-e", word)]
        given = ["-i", "hosts.yml", "-i", "plan.yml", f"continuity.dr.{name}", *words, *arguments]
        done = run_ansible("playbook", *given, **fake_world.ENVIRONMENT, **environment, TEST_FENCE="stopped")
        return done.returncode, done.stdout, fake_world.done(tmp_path, leases=True)

    return run


def changes(done: list[list[str]]) -> list[list[str]]:
    """All but questions."""
    return [act for act in done if act[1] != "prove"]


@pytest.mark.parametrize("name", CHANGING)
def test_each_verb_has_something_to_do_there(verb: Any, name: str) -> None:
    """Or the tests below would prove nothing."""
    _code, output, done = verb(name)
    assert changes(done), output


@pytest.mark.parametrize(
    ("name", "more"), [*((name, ()) for name in CHANGING), ("failover", ("-e", "ansible_check_mode=false"))]
)
def test_check_mode_touches_nothing_and_says_what_it_would_do(verb: Any, name: str, more: tuple[str, ...]) -> None:
    _code, output, done = verb(name, "--check", *more)
    assert changes(done) == [], output
    would = "could be moved now, db1 -> db2" if name == "drill" else rf"{name} \S+ -> db\d: claim"
    assert re.search(rf"payments-db: {would}", output), output


def test_check_mode_of_a_drill_injects_no_fault(verb: Any, tmp_path: Path) -> None:
    fault = ("-e", f"fault={tmp_path}/fault.yml")
    _code, output, done = verb("drill", *fault, "--check")
    assert changes(done) == [] and not (tmp_path / "broken").exists(), output
    _code, output, _done = verb("drill", *fault)
    assert (tmp_path / "broken").exists(), output


def tasks_of(name: str) -> Iterator[str]:
    """The names of all tasks that a verb's plays hold, and of the last guards before a change."""
    for play in yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text()):
        for inner in yaml.safe_load((PLAYBOOKS / play["ansible.builtin.import_playbook"]).read_text()):
            yield from (str(task["name"]) for task in inner["tasks"])


CUTS = [
    ("--start-at-task", "Walk each service through its decision"),
    ("--start-at-task", "continuity.dr.service : Promote the new primary"),
    ("--skip-tags", "always"),
    ("--tags", "never"),
    ("--limit", "payments-db"),
    ("--limit", "db2"),
    ("--step",),
]


@pytest.mark.parametrize("cut", CUTS, ids=" ".join)
def test_no_option_cuts_a_guard_away(verb: Any, cut: tuple[str, ...]) -> None:
    code, output, done = verb("failover", *cut)
    assert (code, done) == (4, []), output
    assert f"{cut[0]}" in output and "would cut a part of the run away" in output


def test_a_run_of_another_verb_is_not_continued(verb: Any, tmp_path: Path) -> None:
    (tmp_path / "runs" / "run-a").mkdir(parents=True)
    (tmp_path / "runs" / "run-a" / "run.json").write_text('{"verb": "rejoin"}')
    code, output, done = verb("failover", "-e", "continuity_run_id=run-a")
    assert (code, done) == (4, []), output
    assert 'continuity_run_id: "run-a" is a run of rejoin, and this is failover' in output


def test_a_run_is_not_turned_around(verb: Any, tmp_path: Path) -> None:
    (tmp_path / "runs" / "run-a").mkdir(parents=True)
    known = {"verb": "failover", "inputs": {"scope": "somewhere-else", "target_site": None}}
    (tmp_path / "runs" / "run-a" / "run.json").write_text(json.dumps(known))
    code, output, done = verb("failover", "-e", "continuity_run_id=run-a")
    assert (code, done) == (4, []), output
    assert 'continuity_run_id: "run-a" was begun with other inputs: scope somewhere-else -> ' in " ".join(
        output.split()
    )


def test_an_ansible_that_is_too_old_begins_nothing(verb: Any, tmp_path: Path) -> None:
    """Ansible itself only warns of it."""
    older = "import ansible.release\nansible.release.__version__ = '2.18.1'\n"
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "sitecustomize.py").write_text(older)
    code, output, done = verb("failover", PYTHONPATH=str(tmp_path / "older"))
    assert (code, done) == (4, []), output
    assert 'ansible-core: "2.18.1" is too old; allowed: 2.19 or later' in output


def test_the_task_to_start_at_is_one_that_the_verb_has() -> None:
    assert "Walk each service through its decision" in set(tasks_of("failover"))


EVERY_PLAY = [
    pytest.param(play, id=f"{path.stem}-{play['name']}")
    for path in sorted(PLAYBOOKS.rglob("*.yml"))
    if path.parent.name != "tasks"
    for play in yaml.safe_load(path.read_text())
    if "ansible.builtin.import_playbook" not in play
]


@pytest.mark.parametrize("play", EVERY_PLAY)
def test_every_play_asks_the_gate_before_it_has_hosts(play: dict[str, Any]) -> None:
    """A play without it would be where a cut run begins."""
    assert re.match(r"\{\{ lookup\('continuity\.dr\.whole_run', '\w+', verb=", play["hosts"]), play["hosts"]


def everything_below(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key), item
            yield from everything_below(item)
    elif isinstance(value, list):
        for item in value:
            yield from everything_below(item)


FILES = sorted([*PLAYBOOKS.rglob("*.yml"), *ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/handlers/*.yml")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_waits_for_an_answer_or_for_a_notice(path: Path) -> None:
    """Without a terminal a prompt goes on with nothing, and after a crash no handler is notified again."""
    keys = {key for key, _value in everything_below(yaml.safe_load(path.read_text()))}
    assert not keys & {"vars_prompt", "ansible.builtin.pause", "pause", "notify", "handlers"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_step_rests_on_succeeded_after_something_unreachable(path: Path) -> None:
    """The result of a machine that gave no answer is `is succeeded`, and a skipped one has exit code 0."""
    succeeded = r"\bis ((not )?([a-z.]+\.)?(succeeded|success|successful)|not ([a-z.]+\.)?(failed|failure))\b"
    assert not re.search(succeeded, path.read_text())


def tasks_below(value: object) -> Iterator[dict[str, Any]]:
    """Every task of a file, those of plays and blocks too."""
    for each in value if isinstance(value, list) else ():
        yield each
        for key in ("tasks", "pre_tasks", "post_tasks", "block", "rescue", "always"):
            yield from tasks_below(each.get(key))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_loop_hands_on_is_not_overlaid_by_a_loop_of_the_role_that_it_is_handed_to(path: Path) -> None:
    """Variables are read where they are used: inside another loop `item` is that one's."""
    for task in tasks_below(yaml.safe_load(path.read_text())):
        included = task.keys() & {"ansible.builtin.include_role", "ansible.builtin.include_tasks"}
        if included and "loop" in task:
            assert task.get("loop_control", {}).get("loop_var", "").startswith("__"), task["name"]
