# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a guide tells somebody to type is there: playbooks, inputs, make targets, pages of ansible-doc, files."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from contracts import load
from pages import TOP, Playbook, code, loose_inputs, names, playbooks, read

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import parse_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import WAIVABLE_RULES
from ansible_collections.continuity.dr.plugins.plugin_utils.plan import inputs

PAGES = names()
GUIDES = sorted(path.name for path in (TOP / "docs").glob("*.md"))
VERBS = sorted(path.stem for path in (TOP / "playbooks").glob("*.yml"))
#: Pages that explain something and are no procedure: they end in their own way.
EXPLAINING = {
    *("README.md", "concepts.md", "rules.md", "rights.md"),
    *("benchmarks.md", "benchmarks_restore.md", "endpoint_rfc2136.md", "engine_postgresql.md", "faults.md", "lab.md"),
}
WRONG_TABLE = re.compile(r"^\| [^|]+ \| why[^|]* \| what to do \|$", re.MULTILINE)
FOLDERS = "changelogs|docs|examples|extensions|inventories|playbooks|plugins|roles|tests"
PATH = re.compile(rf"(?:\./)?((?:{FOLDERS})/[A-Za-z0-9_./-]*[A-Za-z0-9_])(?![\w<{{*])")
OWN_NAME = re.compile(r"\bcontinuity\.dr\.([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*)\b(?!\.\.\.|_)")


def own_names() -> set[str]:
    """Everything that may stand after `continuity.dr.`."""
    plugins = {path.stem for path in (TOP / "plugins").glob("*/*.py")}
    roles = {path.name for path in (TOP / "roles").iterdir() if path.is_dir()}
    steps = {f"steps.{path.stem}" for path in (TOP / "playbooks" / "steps").glob("*.yml")}
    return plugins | roles | steps | set(VERBS) | {"dr", "plugins"} | {"plugins.plugin_utils.action"}


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.MULTILINE))


def wrong_command(command: Playbook) -> list[str]:
    """What an operator who types this would be told."""
    known = {*inputs.INPUTS, *inputs.SETTINGS, *inputs.OF_ONE_VERB.get(command.verb, ())}
    found = [] if command.verb in VERBS else [f"no playbook {command.verb}"]
    found += [f"{command.verb}: no input {name}" for name in command.inputs if name not in known]
    for name in ("accept_data_loss", "dwell"):
        if name in command.inputs:
            parse_duration(command.inputs[name])
    if "waive" in command.inputs:
        found += [f"no rule {rule}" for rule in command.inputs["waive"].split(",") if rule not in WAIVABLE_RULES]
        if "reason" not in command.inputs:
            found.append("a waiver without its reason")
    return found


def makes(page: str) -> set[str]:
    """The targets and the variables of every `make ...` of a page."""
    lines = [line.partition("make ")[2] for line in code(page) if re.match(r"(cd \S+ && )?make [a-z]", line)]
    words = {word for line in lines for word in shlex.split(line)}
    return {word.partition("=")[0] for word in words if re.match(r"[a-z-]+$|[A-Z_]+=", word)}


def missing_files(page: str, here: Path = TOP) -> list[str]:
    """Files that a page names in code and that are neither in the tree nor in the page's own folder."""
    named = {found for line in code(page) for found in PATH.findall(line) if "://" not in line and "$" not in found}
    return sorted(name for name in named if not any((*TOP.glob(f"{name}*"), *here.glob(f"{name}*"))))


@pytest.mark.parametrize("page", PAGES)
def test_commands_can_be_typed(page: str) -> None:
    assert [wrong for command in playbooks(read(page)) for wrong in wrong_command(command)] == []


def test_a_command_that_cannot_be_typed_is_found() -> None:
    page = "```sh\n$ ansible-playbook continuity.dr.failovr -e scop=x \\\n  -e accept_data_loss=30s   # -e y=1\n```\n"
    (typed,) = playbooks(page)
    assert wrong_command(typed) == ["no playbook failovr", "failovr: no input scop"]
    (waiver,) = playbooks("`ansible-playbook continuity.dr.failover -i x -e waive=lag_unknown,lag`")
    assert wrong_command(waiver) == ["no rule lag", "a waiver without its reason"]
    (drill,) = playbooks('```yaml\nscript: ansible-playbook continuity.dr.drill -e \'{"dwel": "5s"}\'\n```\n')
    assert wrong_command(drill) == ["drill: no input dwel"]


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("examples/")])
def test_a_command_names_its_inventory(page: str) -> None:
    assert [command.verb for command in playbooks(read(page)) if not command.sources] == []


def test_the_rights_to_assess_are_a_part_of_all_rights() -> None:
    page = read("docs/adopting.md")
    (chosen,) = re.findall(r"grep -E '([^']+)' rights/", page)
    lines = [line for line in read("docs/rights.md").splitlines() if line.startswith("continuity ALL=")]
    programs = [line.partition("NOPASSWD: ")[2].split()[0] for line in lines if re.search(chosen, line)]
    assert sorted(Path(program).name for program in programs) == ["pg_controldata", "pg_ctl", "psql", "psql", "test"]
    assert not [line for line in lines if re.search(chosen, line) and "(root)" in line]


@pytest.mark.parametrize("page", PAGES)
def test_every_extra_variable_is_an_input(page: str) -> None:
    known = {*inputs.INPUTS, *inputs.SETTINGS, *(name for more in inputs.OF_ONE_VERB.values() for name in more)}
    assert sorted(loose_inputs(read(page)) - known - {"name"}) == []


def test_an_extra_variable_that_is_no_input_is_found() -> None:
    assert loose_inputs("words `-e waivers=x -e \"reason='a b'\"` and `don't`") == {"waivers", "reason"}


@pytest.mark.parametrize("page", PAGES)
def test_make_knows_its_targets(page: str) -> None:
    variables = set(re.findall(r"^([A-Z_]+) \?=", read("Makefile"), re.MULTILINE)) | {"PYTHON", "V"}
    assert sorted(makes(read(page)) - make_targets() - variables) == []


def test_an_unknown_target_is_found() -> None:
    assert makes("`make no-such STAGE=x`\n```sh\nmake lab-down lab  # make it so\n```\n") == {
        "no-such",
        "STAGE",
        "lab-down",
        "lab",
    }


@pytest.mark.parametrize("page", PAGES)
def test_files_named_in_code_are_there(page: str) -> None:
    of_others = {"docs/decisions/NNNN-title.md", "changelogs/fragments/", "playbooks/evacuate.yml", "roles/fence_yours"}
    assert [name for name in missing_files(read(page), (TOP / page).parent) if name not in of_others] == []


def test_a_missing_file_is_found() -> None:
    page = "`tests/lab/no_such.py`, `roles/<role>/x`, `plugins/action/systemd_fence.py` and `docs/plan.md`"
    assert missing_files(page) == ["tests/lab/no_such.py"]


@pytest.mark.parametrize("page", PAGES)
def test_names_of_the_collection_are_there(page: str) -> None:
    named = {name for name in OWN_NAME.findall(read(page)) if not name.endswith("_")}
    assert sorted(named - own_names()) == []


def test_a_name_that_is_not_there_is_found() -> None:
    assert set(OWN_NAME.findall("continuity.dr.no_such, continuity.dr.fence_..., [x](continuity.dr.plan)")) == {
        "no_such",
        "plan",
    }
    assert "no_such" not in own_names()


@pytest.mark.parametrize("page", PAGES)
def test_ansible_doc_has_the_page(page: str) -> None:
    kinds = {"inventory", "lookup", "filter", "connection"}
    for line in code(read(page)):
        asked = re.match(r"ansible-doc (?:-t (\w+) )?continuity\.dr\.(\w+)$", line)
        if asked:
            kind = asked[1] or "module"
            folder = "roles" if kind == "role" else f"plugins/{kind if kind in kinds else 'modules'}"
            assert list(TOP.glob(f"{folder}/{asked[2]}*")), line


def test_the_guides_are_all_in_the_list() -> None:
    index = read("docs/README.md")
    assert sorted(name for name in GUIDES if f"]({name}" not in index and name != "README.md") == []
    assert "docs/README.md" in read("README.md")


@pytest.mark.parametrize("guide", sorted({*GUIDES} - EXPLAINING))
def test_a_guide_begins_with_what_to_type_and_ends_with_what_can_go_wrong(guide: str) -> None:
    page = read(f"docs/{guide}")
    assert "```" in "\n".join(page.splitlines()[:10])
    last = page.rpartition("\n## ")[2]
    assert last.startswith("What can go wrong\n")
    assert WRONG_TABLE.search(last), "the table has the columns: what you see, why, what to do"


def section(page: str, title: str) -> set[str]:
    """The fields that the tables of one section explain, each by the last part of its path."""
    body = re.split(rf"^#+ {title}$", page, maxsplit=1, flags=re.MULTILINE)[1]
    body = re.split(r"^#+ ", body, maxsplit=1, flags=re.MULTILINE)[0]
    cells = [line.split("|")[1] for line in body.splitlines() if line.startswith("| `")]
    return {word.rpartition(".")[2] for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize(
    ("title", "definitions"),
    [
        ("plan", ["plan"]),
        ("sites", ["site"]),
        ("functions", ["function", "objectives"]),
        ("services", ["service"]),
        ("engine and members", ["engine", "member", "replication"]),
        ("endpoints", ["endpoint", "key"]),
        ("fence and backup", ["fence", "backup", "copy"]),
        ("canary", ["canary"]),
    ],
)
def test_the_plans_guide_explains_each_field_and_no_other(title: str, definitions: list[str]) -> None:
    schema = json.loads(read("docs/plan.schema.json"))["$defs"]
    fields: set[str] = set()
    for definition in definitions:
        for name, entry in schema[definition]["properties"].items():
            fields |= set(entry.get("properties", {})) or {name}
    fields -= {"objectives", "key", "replication"} if title != "services" else set()
    assert section(read("docs/plan.md"), title) - {"key"} == fields


def test_a_field_that_is_none_is_found() -> None:
    assert section("## plan\n| `id` | x |\n| `a.b`, `c` | `d` |\n### sub\n| `e` | x |\n", "plan") == {"id", "b", "c"}


def fields_below(schema: dict[str, Any], definition: Any) -> set[str]:
    """Every key that may stand in what this part of the schema describes, at any depth."""
    fields: set[str] = set()
    if isinstance(definition, list):
        return fields.union(*(fields_below(schema, entry) for entry in definition))
    if not isinstance(definition, dict):
        return fields
    if "$ref" in definition:
        fields |= fields_below(schema, schema["$defs"][definition["$ref"].rpartition("/")[2]])
    for name, entry in definition.get("properties", {}).items():
        fields |= {name} | fields_below(schema, entry)
    return fields | fields_below(schema, [definition.get("items"), definition.get("additionalProperties")])


def inventory_documentation() -> dict[str, Any]:
    source = ast.parse(read("plugins/inventory/plan.py"))
    texts = {
        target.id: node.value.value
        for node in source.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return dict(yaml.safe_load(texts["DOCUMENTATION"]))


@pytest.mark.parametrize("section", ["plan", "sites", "functions", "services"])
def test_ansible_doc_names_each_field_of_the_plan_and_no_other(section: str) -> None:
    schema = json.loads(read("docs/plan.schema.json"))
    said = inventory_documentation()["options"][section]["description"]
    named = set(re.findall(r"C\((\w+)\)", " ".join([said] if isinstance(said, str) else said)))
    assert named == fields_below(schema, schema["properties"][section])


def test_the_fields_of_a_schema_are_found_at_any_depth() -> None:
    schema = {"$defs": {"x": {"items": {"properties": {"c": {}}}}}}
    part = {"additionalProperties": {"properties": {"a": {"properties": {"b": True}}, "x": {"$ref": "#/$defs/x"}}}}
    assert fields_below(schema, part) == {"a", "b", "c", "x"}


def canary_options(spec: Path) -> list[dict[str, object]]:
    return [entry["options"]["canary"]["options"] for entry in load(spec)["argument_specs"].values()]


def test_a_plans_canary_is_what_the_role_takes() -> None:
    of_plan = set(json.loads(read("docs/plan.schema.json"))["$defs"]["canary"]["properties"])
    as_seconds = {"max_duration": "max_seconds", "stable_for": "stable_for_seconds"}
    taken = {as_seconds.get(name, name) for name in of_plan}
    specs = canary_options(TOP / "roles" / "canary" / "meta" / "argument_specs.yml")
    assert len(specs) == 4
    assert [set(options) ^ taken for options in specs] == [set()] * 4


@pytest.mark.parametrize("library", ["dnspython", "jsonschema", "psycopg"])
def test_every_page_asks_for_the_version_that_is_required(library: str) -> None:
    (least,) = re.findall(rf"^{library}(?:\[binary\])?>=([0-9.]+)", read("requirements.txt"), re.MULTILINE)
    # The page of benchmarks tells what it was measured with
    texts = [read(page) for page in PAGES if not page.endswith("benchmarks.md")]
    texts += [path.read_text(encoding="utf-8") for path in (TOP / "plugins").rglob("*.py")]
    said = {found for text in texts for found in re.findall(rf"{library}(?:\[binary\])?`?[ >=']+(\d[0-9.]*\d)", text)}
    assert said <= {least}
    assert said
