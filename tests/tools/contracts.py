# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The conventions that hold the repository together and that no linter knows.

Each check takes the top of a tree and returns its findings, one sentence each, naming the file; none: it holds.
``tests/unit/test_contracts.py`` applies them to this repository and shows each of them refusing a broken tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

# What the spine calls of each family of roles: no more, no less, so that a new provider is a new folder and no edit
# elsewhere.
FAMILIES: dict[str, frozenset[str]] = {
    "engine": frozenset({"observe", "preflight", "arm", "demote", "promote", "rejoin", "verify"}),
    "endpoint": frozenset({"observe", "prepare", "arm", "point", "restore", "verify"}),
    "fence": frozenset({"fence", "prove", "release"}),
    "backup": frozenset({"observe", "backup", "restore", "verify"}),
}
SECRET = re.compile(r"(password|secret|token|private_key)$")
# Lines that would slip past review and break a promise of the design, with the reason shown to whoever wrote one.
FORBIDDEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"\b(tasks_from|import_tasks_from):\s*\S+\.ya?ml"),
        "tasks_from with an extension skips the argument spec: leave it out",
    ),
    (re.compile(r"^\s*ignore_errors:"), "ignore_errors hides failures: use failed_when with the expected condition"),
    (
        re.compile(r"^\s*(-\s*)?(when|that):.*\bengine\b.*=="),
        "a branch on the engine's name: the role named in the plan decides",
    ),
    (
        re.compile(r"^\s*(ansible_)?connection:\s*[\"']?(ansible\.builtin\.)?local\b"),
        "connection local is inherited by delegated hosts: leave it out",
    ),
)

Check = Callable[[Path], list[str]]


def load(path: Path) -> Any:
    """Read one YAML file; a missing or empty one is an empty mapping. Ansible's own tags become plain values."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))
    return (yaml.load(path.read_text(encoding="utf-8"), Loader) or {}) if path.is_file() else {}


def roles(top: Path) -> list[Path]:
    """List the role directories below ``roles/``."""
    return sorted(path for path in (top / "roles").glob("*") if path.is_dir())


def family(role: Path) -> frozenset[str] | None:
    """Return the entry points that the role's family prescribes, or None for a role of no family."""
    return FAMILIES.get(role.name.partition("_")[0]) if "_" in role.name else None


def entry_points(role: Path) -> set[str]:
    """Name the role's entry points: its task files, except those that begin with ``_`` (parts of another one)."""
    return {path.stem for path in (role / "tasks").glob("*.y*ml") if not path.name.startswith("_")}


def specs(role: Path) -> dict[str, Any]:
    """Return the role's argument specs by entry point."""
    found = load(role / "meta" / "argument_specs.yml").get("argument_specs", {})
    return dict(found)


def families_are_complete(top: Path) -> list[str]:
    """A role of a family has exactly the family's entry points."""
    findings = []
    for role in roles(top):
        wanted = family(role)
        if wanted is None:
            continue
        found = entry_points(role)
        findings += [f"roles/{role.name}: no tasks/{name}.yml, which its family prescribes" for name in wanted - found]
        findings += [f"roles/{role.name}: tasks/{name}.yml is no entry point of its family" for name in found - wanted]
    return sorted(findings)


def roles_are_documented(top: Path) -> list[str]:
    """A role has a README and a described argument spec for each entry point, and none for what does not exist."""
    findings = []
    for role in roles(top):
        if not (role / "README.md").is_file():
            findings.append(f"roles/{role.name}: no README.md")
        documented, existing = specs(role), entry_points(role)
        findings += [f"roles/{role.name}: no argument spec for {name}" for name in sorted(existing - set(documented))]
        findings += [
            f"roles/{role.name}: a spec for {name}, not a task file" for name in sorted(set(documented) - existing)
        ]
        findings += [
            f"roles/{role.name}: the argument spec of {name} has no short_description"
            for name, spec in sorted(documented.items())
            if not (spec or {}).get("short_description")
        ]
        findings += [
            f"roles/{role.name}: the argument spec of {name} has no examples, which ansible-doc -t role shows"
            for name, spec in sorted(documented.items())
            if not (spec or {}).get("examples")
        ]
    return findings


def defaults_are_specified(top: Path) -> list[str]:
    """Every default stands in an argument spec of its role with the same value, and no secret has one."""
    findings = []
    for role in roles(top):
        options: dict[str, Any] = {}
        for spec in specs(role).values():
            options.update((spec or {}).get("options") or {})
        for name, value in load(role / "defaults" / "main.yml").items():
            where = f"roles/{role.name}/defaults/main.yml: {name}"
            if name not in options:
                findings.append(f"{where} is in no argument spec")
            elif "default" in (options[name] or {}) and options[name]["default"] != value:
                findings.append(f"{where} is {value!r}, its argument spec says {options[name]['default']!r}")
            if SECRET.search(name) and value:
                findings.append(f"{where}: a secret must not have a default")
    return findings


def _names(directory: Path) -> set[str]:
    return {path.stem for path in directory.glob("*.py") if path.name != "__init__.py"}


def actions_match_modules(top: Path) -> list[str]:
    """Each action has its documentation among the modules, each module its action; the action group names them all."""
    actions, modules = _names(top / "plugins" / "action"), _names(top / "plugins" / "modules")
    group = set((load(top / "meta" / "runtime.yml").get("action_groups") or {}).get("dr") or [])
    findings = [f"plugins/action/{name}.py has no plugins/modules/{name}.py" for name in sorted(actions - modules)]
    findings += [f"plugins/modules/{name}.py has no plugins/action/{name}.py" for name in sorted(modules - actions)]
    findings += [f"meta/runtime.yml: action group dr lacks {name}" for name in sorted(modules - group)]
    findings += [f"meta/runtime.yml: action group dr names {name}, which is none" for name in sorted(group - modules)]
    return findings


def _yaml_files(top: Path) -> Iterator[Path]:
    for directory in ("roles", "playbooks", "inventories", "extensions", "tests/lab"):
        for pattern in ("*.yml", "*.yaml"):
            yield from sorted((top / directory).rglob(pattern))


def nothing_forbidden(top: Path) -> list[str]:
    """No YAML of the project holds a construct that the design rules out."""
    findings = []
    for path in _yaml_files(top):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            findings += [
                f"{path.relative_to(top)}:{number}: {reason}" for pattern, reason in FORBIDDEN if pattern.search(line)
            ]
    return findings


def verbs_have_guides(top: Path) -> list[str]:
    """Each playbook has a page of its name in docs/ that begins with the command."""
    findings = []
    for playbook in sorted((top / "playbooks").glob("*.yml")):
        verb = playbook.stem
        page = top / "docs" / f"{verb}.md"
        if not page.is_file():
            findings.append(f"docs/{verb}.md is missing: the guide of playbooks/{verb}.yml")
            continue
        lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.strip()]
        fence = [number for number, line in enumerate(lines[:6]) if line.startswith("```")]
        block = "\n".join(lines[fence[0] : fence[0] + 4]) if fence else ""
        if f"continuity.dr.{verb}" not in block and f"make {verb}" not in block:
            findings.append(f"docs/{verb}.md does not begin with its command (a title, then a code block with it)")
    return findings


def names_nothing_outside(top: Path, files: list[str]) -> list[str]:
    """No committed file points at notes that lie beside the checkout and that its reader does not have."""
    shared = "shared"
    pattern = re.compile(rf"(\.\./{shared}/|/{shared}/(reference|design)|\b{shared}/(reference|design)\b)")
    findings = []
    for name in files:
        try:
            text = (top / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line):
                findings.append(f"{name}:{number}: names notes outside the repository")
    return findings


CHECKS: tuple[Check, ...] = (
    families_are_complete,
    roles_are_documented,
    defaults_are_specified,
    actions_match_modules,
    nothing_forbidden,
    verbs_have_guides,
)
