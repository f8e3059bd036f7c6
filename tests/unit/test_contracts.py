# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The repository keeps its own conventions, and each check of them refuses a tree that does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from contracts import (
    CHECKS,
    FAMILIES,
    Check,
    actions_match_modules,
    defaults_are_specified,
    families_are_complete,
    family,
    names_nothing_outside,
    nothing_forbidden,
    roles,
    roles_are_documented,
    verbs_have_guides,
)
from copy_tree import wanted

TOP = Path(__file__).resolve().parents[2]
FENCE_SPECS = "argument_specs:\n" + "".join(
    f"  {name}: {{short_description: Does it, examples: '- x:', "
    "options: {fence_x_wait_seconds: {type: float, default: 3}}}\n"
    for name in FAMILIES["fence"]
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_repository_holds(check: Check) -> None:
    assert check(TOP) == []


def test_the_repository_names_nothing_outside() -> None:
    files = sorted(wanted(TOP))
    assert len(files) > 20
    assert names_nothing_outside(TOP, files) == []


def test_the_checks_saw_something() -> None:
    """A moved directory must not turn the checks above into checks of nothing."""
    assert any(family(role) for role in roles(TOP))
    assert list((TOP / "playbooks").glob("*.yml"))
    assert list((TOP / "plugins" / "action").glob("*.py"))


def write(top: Path, name: str, text: str = "---\n") -> None:
    path = top / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree in which every check holds; each test below breaks one thing."""
    for entry in FAMILIES["fence"]:
        write(tmp_path, f"roles/fence_x/tasks/{entry}.yml")
    write(tmp_path, "roles/fence_x/README.md", "# fence_x\n")
    write(tmp_path, "roles/fence_x/meta/argument_specs.yml", FENCE_SPECS)
    write(tmp_path, "roles/fence_x/defaults/main.yml", "fence_x_wait_seconds: 3\n")
    write(tmp_path, "plugins/action/step.py", "")
    write(tmp_path, "plugins/modules/step.py", "")
    write(tmp_path, "meta/runtime.yml", "action_groups: {dr: [step]}\n")
    write(tmp_path, "playbooks/assess.yml")
    write(tmp_path, "docs/assess.md", "# assess\n\n```sh\nansible-playbook continuity.dr.assess\n```\n")
    return tmp_path


def test_the_small_tree_holds(tree: Path) -> None:
    assert [finding for check in CHECKS for finding in check(tree)] == []


def test_a_missing_entry_point_is_found(tree: Path) -> None:
    (tree / "roles/fence_x/tasks/prove.yml").unlink()
    assert any("no tasks/prove.yml" in finding for finding in families_are_complete(tree))


def test_an_extra_entry_point_is_found_and_a_part_is_not(tree: Path) -> None:
    write(tree, "roles/fence_x/tasks/_part.yml")
    assert families_are_complete(tree) == []
    write(tree, "roles/fence_x/tasks/reboot.yml")
    assert any("tasks/reboot.yml is no entry point" in finding for finding in families_are_complete(tree))


def test_a_role_without_readme_or_spec_is_found(tree: Path) -> None:
    (tree / "roles/fence_x/README.md").unlink()
    text = FENCE_SPECS.replace("prove:", "proof:").replace("Does it", "", 1).replace("'- x:'", "", 1)
    write(tree, "roles/fence_x/meta/argument_specs.yml", text)
    found = "\n".join(roles_are_documented(tree))
    for expected in (
        "no README.md",
        "no argument spec for prove",
        "a spec for proof",
        "no short_description",
        "no examples",
    ):
        assert expected in found


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        ("fence_x_wait: 3\n", "fence_x_wait is in no argument spec"),
        ("fence_x_wait_seconds: 5\n", "is 5, its argument spec says 3"),
        ("fence_x_password: hunter2\n", "a secret must not have a default"),
    ],
)
def test_a_wrong_default_is_found(tree: Path, defaults: str, expected: str) -> None:
    write(tree, "roles/fence_x/defaults/main.yml", defaults)
    assert any(expected in finding for finding in defaults_are_specified(tree))


def test_an_action_without_module_and_the_reverse_are_found(tree: Path) -> None:
    write(tree, "plugins/action/lonely.py", "")
    write(tree, "plugins/modules/other.py", "")
    write(tree, "meta/runtime.yml", "action_groups: {dr: [step, gone]}\n")
    found = "\n".join(actions_match_modules(tree))
    for expected in ("no plugins/modules/lonely.py", "no plugins/action/other.py", "lacks other", "names gone"):
        assert expected in found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    tasks_from: observe.yml", "skips the argument spec"),
        ("  ignore_errors: true", "hides failures"),
        ("  when: continuity_service.engine.role == 'x'", "a branch on the engine's name"),
        ("  connection: local", "inherited by delegated hosts"),
        ("      ansible_connection: ansible.builtin.local", "inherited by delegated hosts"),
    ],
)
def test_a_forbidden_line_is_found(tree: Path, line: str, expected: str) -> None:
    write(tree, "playbooks/steps/act.yml", f"---\n{line}\n")
    assert any(expected in finding for finding in nothing_forbidden(tree))


def test_lines_that_only_look_alike_pass(tree: Path) -> None:
    write(
        tree, "playbooks/steps/act.yml", "---\n    tasks_from: observe\n  # no ignore_errors here\n  connection: ssh\n"
    )
    assert nothing_forbidden(tree) == []


@pytest.mark.parametrize(
    "text", ["# assess\n\nIt reads everything.\n", "# assess\n\n```sh\nansible-playbook continuity.dr.failover\n```\n"]
)
def test_a_guide_without_its_command_is_found(tree: Path, text: str) -> None:
    write(tree, "docs/assess.md", text)
    assert any("does not begin with its command" in finding for finding in verbs_have_guides(tree))


def test_a_verb_without_guide_is_found(tree: Path) -> None:
    write(tree, "playbooks/restore.yml")
    assert verbs_have_guides(tree) == ["docs/restore.md is missing: the guide of playbooks/restore.yml"]


def test_a_pointer_outside_is_found(tree: Path) -> None:
    notes = "shared"
    write(tree, "docs/why.md", f"See ../{notes}/design.md\n")
    assert names_nothing_outside(tree, ["docs/why.md", "docs/assess.md"]) == [
        "docs/why.md:1: names notes outside the repository"
    ]
