# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The YAML that pages and ansible-doc show would run: it parses, its plans load, its tasks have known options."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from contracts import family, load, roles, specs
from pages import TOP, blocks, mappings, names, read

from ansible_collections.continuity.dr.plugins.plugin_utils.argument_spec import argument_spec
from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.schema import known_keys

PAGES = [name for name in names() if blocks(read(name), "yaml", "yml")]
PLUGINS = sorted(
    path for kind in ("modules", "lookup", "filter", "inventory") for path in TOP.glob(f"plugins/{kind}/*.py")
)
MODULES = {path.stem for path in (TOP / "plugins" / "modules").glob("*.py")}
INCLUDES = {f"ansible.builtin.{word}_role" for word in ("include", "import")}
OURS = "continuity.dr."
#: What a snippet of a plan stands in, so that a part of one can be checked as a whole.
AROUND = load(TOP / "inventories" / "lab" / "plan.yml")

Mapped = Mapping[str, Any]


def constant(path: Path, name: str) -> str:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return str(ast.literal_eval(node.value))
    return ""


def parsed(text: str) -> list[Any]:
    return [document for document in yaml.safe_load_all(text) if document is not None]


def merged(base: Any, over: Any) -> Any:
    """`over` laid over `base`, mappings key by key."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}
    return over


def plan_errors(document: Any) -> list[str]:
    """What is wrong with a plan, or with a part of one put into the lab's; nothing for what is neither."""
    if not isinstance(document, Mapping):
        return []
    if document.get("plugin") == "continuity.dr.plan":
        return load_plan(document).errors
    part = document
    if set(document) & set(known_keys("service")) - {"function"} and "hosts" not in document:
        part = {"services": {"payments-db": document}}
    if not set(part) <= {"plan", "sites", "functions", "services"}:
        return []
    return load_plan(merged(copy.deepcopy(AROUND), part)).errors


def wrong_options(options: Any, spec: Mapped, where: str) -> list[str]:
    """Options that there are not, that are missing, or whose literal value is no choice."""
    if not isinstance(options, Mapping):  # a template
        return []
    found = [f"{where}: no option {name}" for name in options if name not in spec]
    found += [f"{where}: {name} is missing" for name, entry in spec.items() if _lacks(entry, name, options)]
    for name, value in options.items():
        entry = spec.get(name) or {}
        choices = entry.get("choices")
        if choices and isinstance(value, (str, int)) and "{{" not in str(value) and value not in choices:
            found.append(f"{where}: {name} is {value}")
        if entry.get("options"):
            for inner in value if isinstance(value, list) else [value]:
                found += wrong_options(inner, entry["options"], f"{where}.{name}")
    return found


def _lacks(entry: Any, name: str, options: Mapped) -> bool:
    return bool((entry or {}).get("required")) and name not in options


def wrong_tasks(document: Any) -> list[str]:
    """What the tasks of a playbook or of a list of tasks would be refused for."""
    found = []
    for play in document if isinstance(document, list) else []:
        around = play.get("vars") or {} if isinstance(play, Mapping) else {}
        for task in mappings(play):
            for name, options in task.items():
                if str(name).removeprefix(OURS) in MODULES and str(name).startswith(OURS):
                    module = str(name).removeprefix(OURS)
                    found += wrong_options(options, argument_spec(module), module)
            for include in INCLUDES & set(task):
                found += _wrong_include(task[include], {**around, **(task.get("vars") or {})})
    return found


def _wrong_include(include: Mapped, given: Mapped) -> Iterator[str]:
    role = TOP / "roles" / str(include["name"]).removeprefix(OURS)
    if not str(include["name"]).startswith(OURS) or not role.is_dir():
        return
    entry = include.get("tasks_from", "main")
    spec = specs(role).get(entry)
    if spec is None:
        yield f"{role.name}: no entry point {entry}"
        return
    defaults = load(role / "defaults" / "main.yml")
    options = {
        name: {**option, "required": option.get("required") and name not in defaults}
        for name, option in spec["options"].items()
    }
    words = {name for every in specs(role).values() for name in every.get("options") or {}}
    prefix = role.name.partition("_")[0] if family(role) else role.name
    used = {name: value for name, value in given.items() if name in options}
    yield from wrong_options(used, options, f"{role.name}.{entry}")
    yield from (f"{role.name}: no variable {name}" for name in given if name.startswith(prefix) and name not in words)


@pytest.mark.parametrize("page", PAGES)
def test_the_yaml_of_a_page_is_right(page: str) -> None:
    for block in blocks(read(page), "yaml", "yml"):
        for document in parsed(block):
            assert plan_errors(document) == []
            assert wrong_tasks(document) == []


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_examples_of_a_plugin_are_right(path: Path) -> None:
    documents = parsed(constant(path, "EXAMPLES"))
    assert documents
    for document in documents:
        assert plan_errors(document) == []
        assert wrong_tasks(document) == []
    if path.parent.name == "modules":
        assert f"{OURS}{path.stem}:" in constant(path, "EXAMPLES")


@pytest.mark.parametrize(
    ("role", "entry"),
    [pytest.param(role.name, entry, id=f"{role.name}-{entry}") for role in roles(TOP) for entry in specs(role)],
)
def test_the_example_of_an_entry_point_is_right(role: str, entry: str) -> None:
    (tasks,) = parsed(specs(TOP / "roles" / role)[entry]["examples"])
    (include,) = [task["ansible.builtin.include_role"] for task in tasks]
    assert (include["name"], include.get("tasks_from", "main")) == (f"{OURS}{role}", entry)
    assert wrong_tasks(tasks) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("- continuity.dr.decide: {service: x, verb: failover}", []),
        ("- continuity.dr.decide: {servic: x, verb: fail}", ["no option servic", "service is missing", "verb is fail"]),
        ("- continuity.dr.dns_claim: {zone: z, name: n, servers: [s], key: {name: k}}", ["key: secret is missing"]),
        (
            "- hosts: x\n  vars: {fence_service: s, fence_member: {}, fence_unit: []}\n  tasks:\n"
            "    - ansible.builtin.include_role: {name: continuity.dr.fence_systemd, tasks_from: prove}",
            ["fence_units is missing", "fence_ports is missing", "no variable fence_unit"],
        ),
        (
            "- ansible.builtin.include_role: {name: continuity.dr.fence_systemd, tasks_from: prove.yml}",
            ["no entry point prove.yml"],
        ),
    ],
)
def test_a_wrong_task_is_found(text: str, wrong: list[str]) -> None:
    found = wrong_tasks(yaml.safe_load(text))
    assert [words for words in wrong if not any(words in each for each in found)] == []
    assert len(found) == len(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "plugin: continuity.dr.plan\nplan: {id: x, environment: drill}",
        "services: {payments-db: {canary: {rat: 1}}}",
        "engine: {role: continuity.dr.engine_postgresql, cluster: 15}",
        "fence: {role: continuity.dr.engine_postgresql}",
    ],
)
def test_a_wrong_plan_is_found(text: str) -> None:
    assert plan_errors(yaml.safe_load(text))


def test_other_yaml_is_no_plan() -> None:
    assert plan_errors({"dc1": {"hosts": {}}}) == []
    assert plan_errors(["x"]) == []
