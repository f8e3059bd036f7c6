# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages say what the code does: commands, links, rules, inputs, rights. Each check refuses a wrong page, too."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from contracts import roles, specs
from copy_tree import wanted
from pages import blocks
from plan_rights import files_of, lines_of

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import WAIVABLE_RULES
from ansible_collections.continuity.dr.plugins.plugin_utils.plan import inputs, rules, schema

TOP = Path(__file__).resolve().parents[2]
PLUGINS = TOP / "plugins"
PAGES = sorted(name for name in wanted(TOP) if name.endswith(".md"))
VERBS = sorted(path.stem for path in (TOP / "playbooks").glob("*.yml"))
Run = Callable[..., subprocess.CompletedProcess[str]]
RAISING = {"Refusal", "_refuse", "_problem"}

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
CODE_WORD = re.compile(r"`([a-z_]+)`")
SUDOERS = re.compile(r"^continuity ALL=.*$", re.MULTILINE)


def read(name: str) -> str:
    return (TOP / name).read_text(encoding="utf-8")


def first_command(page: str) -> str:
    """The first code block, if it begins within the first ten lines; else nothing."""
    opening = next((n for n, line in enumerate(page.splitlines()[:10]) if line.startswith("```")), None)
    if opening is None:
        return ""
    return "\n".join(page.splitlines()[opening + 1 :]).partition("\n```")[0]


def anchors(page: str) -> set[str]:
    """The places of a page that a link may point at, named as a forge names them."""
    titles = HEADING.findall(FENCED.sub("", page))
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title).lower()).replace(" ", "-") for title in titles}


def broken_links(name: str, page: str, top: Path) -> list[str]:
    """The relative links of a page that lead nowhere; also those out of the tree, which an archive does not have."""
    found = []
    for link in LINK.findall(FENCED.sub("", page)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _hash, anchor = link.partition("#")
        path = ((top / name).parent / target).resolve() if target else top / name
        if not path.exists() or not path.is_relative_to(top):
            found.append(f"{name}: {link} is not there")
        elif anchor and anchor not in anchors(page if not target else path.read_text(encoding="utf-8")):
            found.append(f"{name}: {link} names no heading")
    return found


def wrong_way(page: str) -> list[str]:
    """Links of a page to itself that say above of what stands below, or below of what stands above."""
    places = {next(iter(anchors(found[0]))): found.start() for found in HEADING.finditer(page)}
    found = []
    for link in re.finditer(r"\[[^\]]*\b(above|below)\b[^\]]*\]\(#([^)]+)\)", page):
        there = places.get(link[2], link.start())
        if (there < link.start()) != (link[1] == "above"):
            found.append(link[0])
    return found


def explained(page: str) -> set[str]:
    """The words that a table of the page explains: those in code in the first cell of a row."""
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    return {word for cell in cells for word in CODE_WORD.findall(cell)}


def rule_names(source: str) -> set[str]:
    """The rules that a Python file refuses by, as written in it.

    >>> sorted(rule_names('Refusal("a", "1", "2", "no")'))
    ['a']
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISING and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                names.add(first.value)
    return names


def uncalled(sources: list[str]) -> Iterator[str]:
    """Functions of these files that only their own definition names: what they refuse cannot happen."""
    named = Counter(re.findall(r"\w+", "\n".join(sources)))
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and named[node.name] == 1:
                yield ast.unparse(node)


def all_rules() -> set[str]:
    """Every rule that a verb or a step can refuse by."""
    sources = [path.read_text(encoding="utf-8") for path in sorted(PLUGINS.rglob("*.py"))]
    dead = set().union(*(rule_names(body) for body in uncalled(sources)))
    return (set().union(*map(rule_names, sources)) | set(lease.NEXT)) - dead


@pytest.mark.parametrize("verb", VERBS)
def test_a_guide_begins_with_its_command(verb: str) -> None:
    command = first_command(read(f"docs/{verb}.md"))
    assert f"continuity.dr.{verb} " in command
    assert "-i " in command


def test_a_guide_that_begins_with_words_is_found() -> None:
    late = "# x\n" + "words\n" * 10 + "```sh\nansible-playbook continuity.dr.x -i y\n```\n"
    assert first_command(late) == ""
    assert first_command("# x\n\n```sh\none\n```\n\n```sh\ntwo\n```\n") == "one"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    assert broken_links(page, read(page), TOP) == []


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("gone.md", "is not there"),
        ("../../secret.md", "is not there"),
        ("there.md#no-such", "names no heading"),
        ("#no-such", "names no heading"),
        ("there.md#what-it-does", ""),
        ("#here", ""),
        ("https://example.com/gone", ""),
    ],
)
def test_a_broken_link_is_found(tmp_path: Path, link: str, expected: str) -> None:
    page = f"# Here\n\n[x]({link})\n\n```sh\n[no]({link}-link)\n```\n"
    (tmp_path / "page.md").write_text(page, encoding="utf-8")
    (tmp_path / "there.md").write_text("# There\n\n## What it `does`?\n", encoding="utf-8")
    found = "\n".join(broken_links("page.md", page, tmp_path))
    assert expected in found
    assert bool(found) is bool(expected)


@pytest.mark.parametrize("page", PAGES)
def test_above_is_above_and_below_is_below(page: str) -> None:
    assert wrong_way(read(page)) == []


def test_a_link_that_points_the_wrong_way_is_found() -> None:
    page = "# A `b`\n[above](#a-b) [see below](#a-b) [below](#c)\n## C\n[below](#c) [above](#c)\n"
    assert wrong_way(page) == ["[see below](#a-b)", "[below](#c)"]


def test_every_rule_is_explained() -> None:
    pages = {name: explained(read(name)) for name in PAGES if name.startswith("docs/")}
    known = set().union(*pages.values())
    assert len(all_rules()) > 30
    decided = [path.read_text(encoding="utf-8") for path in (PLUGINS / "plugin_utils" / "core").glob("*rules.py")]
    assert set().union(*map(rule_names, decided)) <= all_rules()
    assert sorted(all_rules() - known) == []


def test_an_unexplained_rule_is_found() -> None:
    assert rule_names('Refusal("new_rule", "1", "2", "no")\nrefuse("x")\nRefusal(problem.rule, "1")') == {"new_rule"}
    assert explained("words `a`\n| rule | means |\n| `b`, `c` | not `d` |\n") == {"b", "c"}
    dead = list(uncalled(["def live(): return 1\nlive()\n", 'def dead(): Refusal("never", "1")\n']))
    assert [rule_names(each) for each in dead] == [{"never"}]


def test_the_waivers_are_exactly_those_that_can_be_waived() -> None:
    section = read("docs/rules.md").partition("\n## Waivers\n")[2]
    assert explained(section) == WAIVABLE_RULES


def test_the_inputs_are_those_that_a_verb_takes() -> None:
    of_one = getattr(inputs, "OF_ONE_VERB", {})
    general = {*inputs.INPUTS, *inputs.SETTINGS}
    for verb in VERBS:
        page = read(f"docs/{verb}.md")
        table = explained(page.partition("\n## Inputs\n")[2].partition("\n## ")[0])
        assert sorted(table - general - set(of_one.get(verb, ()))) == [], verb
        assert set(of_one.get(verb, ())) <= table, verb
    assert explained(read("docs/failover.md").partition("\n## Inputs\n")[2].partition("\n## ")[0]) == general


def test_the_readme_is_short_and_names_what_there_is() -> None:
    readme = read("README.md")
    assert len(readme.splitlines()) <= 155
    for wanted_word in ("make drill", "make test", "make help", "ansible-doc -t role", "ansible-doc -t inventory"):
        assert wanted_word in readme
    modules = {path.stem for path in (PLUGINS / "modules").glob("*.py")} - {"__init__"}
    assert sorted(modules - set(re.findall(r"`([a-z0-9_]+)`", readme))) == []
    for kind, names in {"roles": [p.name for p in (TOP / "roles").iterdir() if p.is_dir()], "docs": VERBS}.items():
        assert sorted(name for name in names if f"({kind}/{name}" not in readme) == []


def test_the_readmes_plan_is_a_plan() -> None:
    plan = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", read("README.md"), re.DOTALL)[1])
    assert schema.schema_findings(plan) + rules.plan_findings(plan) == []
    plan["sites"]["dc1"]["use"] = "recovery"
    assert rules.plan_findings(plan) != []


@pytest.mark.parametrize("role", sorted(path.name for path in (TOP / "roles").iterdir() if path.is_dir()))
def test_a_role_is_shown_in_use(role: str) -> None:
    readme = read(f"roles/{role}/README.md")
    assert len(readme.splitlines()) <= 60
    assert f"ansible-doc -t role continuity.dr.{role}" in readme
    example = yaml.safe_load(re.search(r"```yaml\n(.*?)```", readme, re.DOTALL)[1])
    assert isinstance(example, list)
    assert {"hosts", "ansible.builtin.import_playbook"} & set(example[0])


def test_the_guide_of_roles_has_each_with_its_entry_points() -> None:
    rows = re.findall(r"\]\(\.\./roles/(\w+)/README\.md\)[^|]*\| ([^|]+) \|$", read("docs/one_role.md"), re.MULTILINE)
    told = {role: set(CODE_WORD.findall(cell)) for role, cell in rows}
    assert told == {role.name: set(specs(role)) for role in roles(TOP)}


def test_playbooks_for_roles_alone_are_parsed_by_ansible(tmp_path: Path, run_ansible: Run) -> None:
    """Those of the guide and of each role's README, as somebody who copies them would begin."""
    (tmp_path / "hosts.yml").write_text("all: {hosts: {db1: , db2: , app1: , gw1: }}", encoding="utf-8")
    files = []
    for page in ("docs/one_role.md", *(f"roles/{role.name}/README.md" for role in roles(TOP))):
        for block in blocks(read(page), "yaml"):
            parsed = yaml.safe_load(block)
            if isinstance(parsed, list) and {"hosts", "ansible.builtin.import_playbook"} & set(parsed[0]):
                files.append(f"playbook{len(files)}.yml")
                (tmp_path / files[-1]).write_text(block, encoding="utf-8")
    assert len(files) > len(roles(TOP)) + 3
    done = run_ansible("playbook", "-i", "hosts.yml", "--syntax-check", *files)
    assert done.returncode == 0, done.stdout
    (tmp_path / files[0]).write_text(read("docs/one_role.md").replace("tasks_from: fence", ""), encoding="utf-8")
    assert run_ansible("playbook", "-i", "hosts.yml", "--syntax-check", files[0]).returncode != 0


def test_the_sudoers_lines_are_those_that_are_needed() -> None:
    plan = yaml.safe_load(read("inventories/lab/plan.yml"))
    plan["services"] = {"payments-db": {**plan["services"]["payments-db"], "depends_on": []}}
    del plan["services"]["payments-db"]["backup"]  # its lines are many, and of one kind
    plan["functions"] = {"payments": {**plan["functions"]["payments"], "depends_on": []}}
    shown = SUDOERS.findall(read("docs/rights.md"))
    assert shown == lines_of(files_of(plan, "continuity")["db1.sudoers"])
    plan["services"]["payments-db"]["engine"]["port"] = 5499
    assert shown != lines_of(files_of(plan, "continuity")["db1.sudoers"])
