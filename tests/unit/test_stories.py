# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every verb, every role that is used alone and every promised refusal has its story, and no story is half there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MOLECULE = ROOT / "extensions" / "molecule"
STORIES = sorted(str(path.parent.relative_to(MOLECULE)) for path in MOLECULE.glob("*/*/molecule.yml"))
IMPORT, COMMAND = "ansible.builtin.import_playbook", "ansible.builtin.command"
UNCHANGED, CHANGES_NOTHING = "../../unchanged.yml", "../../changes_nothing.yml"
ALONE = ("endpoint_rfc2136", "engine_postgresql", "fence_systemd")

#: What the verbs promise to refuse, or to leave alone, and the story that shows it.
PROMISED = {
    "unknown scope": "switchover/unknown_scope",
    "unknown site": "switchover/unknown_site",
    "target is primary already": "switchover/target_already_primary",
    "no replica": "switchover/no_replica",
    "replica of another cluster": "switchover/replica_of_another_cluster",
    "lag over the RPO": "failover/lag_over_rpo",
    "lag unknown": "failover/lag_unknown",
    "an RPO of zero on asynchronous replication": "switchover/standby_asynchronous",
    "a drill on a production plan": "drill/production_plan",
    "replay paused, planned": "switchover/replay_paused",
    "replay paused, unplanned": "failover/replay_paused",
    "old primary unreachable and unfenced": "failover/primary_unreachable",
    "wrong TSIG key": "switchover/wrong_tsig_key",
    "wrong zone": "switchover/wrong_zone",
    "record changed by somebody else meanwhile": "switchover/record_changed_meanwhile",
    "second run while one is under way": "switchover/second_run_under_way",
}

WHOLE_SEQUENCE = ["side_effect", "check", "converge", "idempotence", "verify"]
#: Stories that leave out a step, and why.
LEFT_OUT = {
    "default": ({"side_effect", "check"}, "nothing happens before it, and the lab is made by a command"),
    "drill/primary_crashed": ({"idempotence"}, "a second drill injects the fault again; its last tests run failback"),
    "switchover/record_changed_meanwhile": (
        {"check", "idempotence"},
        "a run that was begun before goes on, once; its last test runs the verb again",
    ),
}
#: What else a story may say in its molecule.yml: its inputs, and where it has no plan its inventory.
OWN_SETTINGS = {"", "provisioner.options.extra-vars", "ansible.executor.args.ansible_playbook"}
#: Ends without a comparison: the run that goes on was begun in its prepare.yml.
GOES_ON = {"switchover/record_changed_meanwhile"}
#: Fixtures that assert by themselves (extensions/molecule/conftest.py).
ASSERTING = {"refused", "did_not_begin"}


@pytest.mark.parametrize("verb", sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml")))
def test_every_verb_has_a_story(verb: str) -> None:
    assert [name for name in STORIES if name.startswith(f"{verb}/")]


@pytest.mark.parametrize("role", ALONE)
def test_every_role_that_is_used_alone_has_a_story_without_a_plan(role: str) -> None:
    story = yaml.safe_load((MOLECULE / role / "alone" / "molecule.yml").read_text(encoding="utf-8"))
    sources = [word for word in story["ansible"]["executor"]["args"]["ansible_playbook"] if "inventory" in word]
    assert [source.rpartition("/")[2] for source in sources] == ["hosts.yml"]


@pytest.mark.parametrize("name", PROMISED.values(), ids=PROMISED)
def test_every_promised_refusal_has_its_story(name: str) -> None:
    assert name in STORIES


@pytest.mark.parametrize("name", STORIES)
def test_a_story_has_its_files(name: str) -> None:
    for file in ("prepare.yml", "converge.yml"):
        assert (MOLECULE / name / file).is_file(), file


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def paths(value: Any, above: str = "") -> Iterator[str]:
    """Every setting of a molecule.yml as a dotted path."""
    if not isinstance(value, dict):
        yield above
        return
    for key, below in value.items():
        yield from paths(below, f"{above}.{key}" if above else key)


def test_molecule_goes_through_the_whole_sequence() -> None:
    assert loaded(ROOT / ".config" / "molecule" / "config.yml")["scenario"] == {"test_sequence": WHOLE_SEQUENCE}


@pytest.mark.parametrize("name", [*STORIES, "default"])
def test_a_story_changes_nothing_of_how_it_is_run(name: str) -> None:
    """Its inputs and its inventory are its own; a step that is left out is left out here as well, with the reason."""
    settings = loaded(MOLECULE / name / "molecule.yml")
    left_out, _reason = LEFT_OUT.get(name, (set(), ""))
    sequence = [step for step in WHOLE_SEQUENCE if step not in left_out]
    assert settings.get("scenario") == ({"test_sequence": sequence} if left_out else None)
    assert set(paths(settings)) <= {*OWN_SETTINGS, "scenario.test_sequence"}


def imports(path: Path) -> list[str]:
    """The playbooks that a playbook is made of; a play of its own is an empty string.

    An import under a condition or a tag could be left out, so it counts as nothing.
    """
    whole = {"name", IMPORT, "vars"}
    return [play[IMPORT] if IMPORT in play and set(play) <= whole else "" for play in loaded(path)]


@pytest.mark.parametrize("name", STORIES)
def test_a_story_begins_with_the_healthy_lab(name: str) -> None:
    assert imports(MOLECULE / name / "prepare.yml")[0] == "../../begin.yml"


@pytest.mark.parametrize("name", STORIES)
def test_a_story_proves_that_nothing_changed_where_nothing_may(name: str) -> None:
    """What may change nothing is run by the comparison itself; all else ends with it."""
    made_of = imports(MOLECULE / name / "converge.yml")
    if name in GOES_ON:
        (play,) = loaded(MOLECULE / name / "converge.yml")
        (task,) = play["tasks"]
        assert task[COMMAND]["argv"][:3] == ["python", "tests/lab/story.py", "resume"]
    elif CHANGES_NOTHING in made_of:
        assert made_of == [CHANGES_NOTHING]
    else:
        acting, proof = made_of
        assert acting and proof == UNCHANGED


@pytest.mark.parametrize(("file", "command"), [("unchanged.yml", "proof"), ("changes_nothing.yml", "attempt")])
def test_the_comparison_is_made_and_its_failure_fails(file: str, command: str) -> None:
    (play,) = loaded(MOLECULE / file)
    (task,) = play["tasks"]
    assert f"'tests/lab/story.py', '{command}'" in task[COMMAND]["argv"]
    assert set(play) == {"name", "hosts", "gather_facts", "tasks"}
    assert set(task) == {"name", COMMAND, "vars", "check_mode", "changed_when"}


def written(name: str) -> Iterator[ast.FunctionDef]:
    """The tests of a story."""
    for path in sorted((MOLECULE / name / "tests").glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield from (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def asserts(test: ast.FunctionDef) -> bool:
    """It compares something that is no constant, or calls a fixture that does."""
    asked = {argument.arg for argument in test.args.args} & ASSERTING
    for node in ast.walk(test):
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in asked:
            return True
    return False


@pytest.mark.parametrize("name", [*STORIES, "default"])
def test_every_test_of_a_story_asserts_something(name: str) -> None:
    found = list(written(name))
    assert found
    assert [test.name for test in found if not asserts(test)] == []


@pytest.mark.parametrize("name", [*STORIES, "default"])
def test_no_test_of_a_story_is_skipped(name: str) -> None:
    for path in (MOLECULE / name / "tests").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not words & {"skip", "skipif", "xfail", "importorskip"}, path


@pytest.mark.parametrize(
    "name", [name for name in STORIES if CHANGES_NOTHING in imports(MOLECULE / name / "converge.yml")]
)
def test_what_a_verb_said_that_changes_nothing_is_asked(name: str) -> None:
    """The comparison passes whatever the verb's exit code is, so the tests must look at what it said."""
    assert [test.name for test in written(name) if {arg.arg for arg in test.args.args} & {*ASSERTING, "said"}]
