# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may import whom. A rule is broken by an import anywhere in a file, also inside a function or a type check."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
OURS = "ansible_collections.continuity.dr.plugins."
# What the heart of the collection must not know: time, chance and the world outside are given to it.
OUTSIDE_WORLD = {
    "asyncio",
    "http",
    "multiprocessing",
    "os",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "urllib",
    "uuid",
}
UTILS = PLUGINS / "plugin_utils"
# The files of plugin_utils that know Ansible. Every other one is plain Python: a folder is an area of its own, a
# single file is shared by all areas.
DOORS = {"action", "dns_step", "member_step", "warm"}
AREAS = {path.name for path in UTILS.iterdir() if path.is_dir()} - {"core", "__pycache__"}
# a report is rendered from the journal, which also tells how a run ended that is confirmed; rights are those of
# what the other areas run
MAY_USE = {
    "spine": {"journal"},
    "report": {"journal"},
    "rights": {"backup", "canary", "dns", "fence", "postgresql"},
    "backup": {"postgresql"},  # pgBackRest knows PostgreSQL only
    "plan": {"postgresql"},  # what is wrong with a cluster is told when the plan is read, and is known there
}
SHARED = {path.stem for path in UTILS.glob("*.py")} - DOORS
FILES = sorted(PLUGINS.rglob("*.py"))


def imported(path, tree=None):
    """Every module that a file imports, absolute: `ansible.errors`, `ansible_collections...plugin_utils.core.model`."""
    for node in ast.walk(tree or ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield base
            yield from (f"{base}.{name.name}" for name in node.names)


def area_of(name):
    """`core` for anything below plugin_utils/core, `action` for plugin_utils/action.py, None outside plugin_utils."""
    inside = name.removeprefix(f"{OURS}plugin_utils.")
    return inside.split(".")[0] if inside != name else None


def broken_rules(path, names):
    folder, *below = path.relative_to(PLUGINS).with_suffix("").parts
    area = below[0] if folder == "plugin_utils" and below else None
    for name in names:
        if name.startswith("."):
            yield f"{name}: imports are absolute"
        if name.startswith((f"{OURS}action", f"{OURS}lookup", f"{OURS}inventory", f"{OURS}modules")):
            yield f"{name}: nothing imports a plugin"
        if area == "core":
            yield from _of_core(name)
        elif area in AREAS | SHARED:
            if name.split(".")[0] == "ansible" or area_of(name) in DOORS:
                yield f"{name}: {area} does not know Ansible"
            if area_of(name) in AREAS - {area} - MAY_USE.get(area, set()):
                yield f"{name}: {area} uses core and what all share, no other area"
        if folder == "modules" and not name.startswith(("__future__", "ansible.module_utils")):
            yield f"{name}: a module is documentation"


def _of_core(name):
    top = name.split(".")[0]
    if top not in sys.stdlib_module_names and area_of(name) != "core" and name != f"{OURS}plugin_utils":
        yield f"{name}: core imports the standard library and itself"
    if top in OUTSIDE_WORLD:
        yield f"{name}: core knows no clock, no chance and no world outside"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_imports_follow_the_rules(path):
    assert list(broken_rules(path, imported(path))) == []


def test_core_reads_no_clock():
    for path in (PLUGINS / "plugin_utils" / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in {"now", "utcnow", "today"}, f"{path}:{node.lineno} reads a clock"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("plugin_utils/core/x.py", "import socket"),
        ("plugin_utils/core/x.py", "def f():\n    from time import time"),
        ("plugin_utils/core/x.py", "import yaml"),
        ("plugin_utils/core/x.py", f"from {OURS}plugin_utils import run"),
        ("plugin_utils/core/x.py", f"from {OURS}plugin_utils.dns.answers import x"),
        ("plugin_utils/core/x.py", "from . import model"),
        ("plugin_utils/dns/x.py", "from ansible.errors import AnsibleError"),
        ("plugin_utils/dns/x.py", f"from {OURS}plugin_utils.postgresql import read"),
        ("plugin_utils/dns/x.py", f"from {OURS}plugin_utils.action import Step"),
        ("plugin_utils/dns/x.py", f"from {OURS}plugin_utils import postgresql"),
        ("plugin_utils/plan/x.py", f"from {OURS}plugin_utils import journal"),
        ("plugin_utils/run.py", f"from {OURS}plugin_utils.plan import load_plan"),
        ("plugin_utils/run.py", "import ansible"),
        ("action/x.py", f"from {OURS}action.dns_switch import ActionModule"),
        ("modules/x.py", "import dns"),
    ],
)
def test_a_broken_rule_is_found(path, source):
    assert list(broken_rules(PLUGINS / path, imported(None, ast.parse(source))))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("plugin_utils/core/x.py", f"import math\nfrom {OURS}plugin_utils.core.model import Step"),
        ("plugin_utils/dns/x.py", f"import socket, dns.query\nfrom {OURS}plugin_utils.core import model"),
        ("plugin_utils/plan/x.py", f"from {OURS}plugin_utils.run import checked_run_id"),
        ("action/x.py", f"from {OURS}plugin_utils.dns import switch\nfrom {OURS}plugin_utils.action import Step"),
        ("lookup/x.py", f"from ansible.errors import AnsibleError\nfrom {OURS}plugin_utils import run"),
    ],
)
def test_an_allowed_import_is_allowed(path, source):
    assert list(broken_rules(PLUGINS / path, imported(None, ast.parse(source)))) == []


def test_a_finding_of_the_type_checker_is_silenced_with_a_reason_and_only_where_it_runs():
    lines = [
        (path, line)
        for folder in ("plugins", "tests/unit")
        for path in (PLUGINS.parent / folder).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"# type: +?ignore", line)
    ]
    assert [str(path) for path, line in lines if PLUGINS not in path.parents] == []
    assert [line for _path, line in lines if not re.search(r"ignore\[[a-z, -]+\]  # \w", line)] == []
