# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is documented of a module is what its action accepts, and what its action reads is documented."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.continuity.dr.plugins.plugin_utils.argument_spec import argument_spec

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))
COMPARED = ("type", "required", "default", "choices", "elements", "aliases")


def test_there_are_modules_to_look_at():
    assert {"decide", "postgresql_member", "dns_switch", "systemd_fence"} <= set(MODULES)


_DOCUMENTED: dict[str, dict] = {}


@pytest.fixture
def documented(run_ansible):
    """What ansible-doc shows of each module's options, fragments included; asked once for all."""
    if not _DOCUMENTED:
        names = [f"continuity.dr.{module}" for module in MODULES]
        output = run_ansible("doc", "-t", "module", "-j", *names).stdout
        shown = json.loads(output[output.index("{") :])
        _DOCUMENTED.update(
            {name.rpartition(".")[2]: entry["doc"].get("options") or {} for name, entry in shown.items()}
        )
    return _DOCUMENTED


def essence(options: dict) -> dict:
    """Of documentation or of a spec: what decides which arguments are accepted."""
    found = {}
    for name, option in options.items():
        kept = {key: option[key] for key in COMPARED if option.get(key) is not None and option.get(key) != []}
        kept.setdefault("type", "str")
        if not kept.get("required"):
            kept.pop("required", None)
        inner = option.get("suboptions") or option.get("options")
        found[name] = {**kept, "inner": essence(inner)} if inner else kept
    return found


@pytest.mark.parametrize("module", MODULES)
def test_the_spec_is_the_documentation(module, documented):
    def without_empty_defaults(options: dict) -> dict:
        return {
            name: {k: v for k, v in option.items() if (k, v) != ("default", [])} for name, option in options.items()
        }

    shown = essence(documented[module])
    assert shown
    assert without_empty_defaults(essence(argument_spec(module))) == without_empty_defaults(shown)


def each_option(options: dict, path: str = ""):
    for name, option in options.items():
        yield f"{path}{name}", option
        yield from each_option(option.get("options") or {}, f"{path}{name}.")


OPTIONS = [
    pytest.param(module, *found, id=f"{module}-{found[0]}")
    for module in MODULES
    for found in each_option(argument_spec(module))
]

DEFAULTS = [parameters for parameters in OPTIONS if "default" in parameters.values[2]]


@pytest.mark.parametrize(("module", "path", "option"), DEFAULTS)
def test_a_default_is_a_value_that_the_option_itself_accepts(module, path, option):
    assert not option.get("required"), "a required option has no use for a default"
    name = path.rpartition(".")[2]
    checked = ArgumentSpecValidator({name: {**option}}).validate({name: option["default"]})
    assert checked.error_messages == []
    assert checked.validated_parameters[name] == option["default"], "the default is of another type than it says"


def test_a_default_outside_its_choices_would_be_found():
    with pytest.raises(AssertionError):
        test_a_default_is_a_value_that_the_option_itself_accepts(
            "x", "x", {"type": "str", "choices": ["a"], "default": "b"}
        )
    with pytest.raises(AssertionError):
        test_a_default_is_a_value_that_the_option_itself_accepts("x", "x", {"type": "int", "default": "3"})


def read_by(source: str) -> set[str]:
    """The names that code reads of `args`, by args["name"] and args.get("name")."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "args":
            found |= {node.slice.value} if isinstance(node.slice, ast.Constant) else set()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            owner = ast.unparse(node.func.value)
            if owner in ("args", "self._task.args") and node.args and isinstance(node.args[0], ast.Constant):
                found.add(node.args[0].value)
    return found


#: Where an action hands its arguments on as they are
ALSO = {"postgresql_member": ["plugin_utils/postgresql/member.py"]}


@pytest.mark.parametrize("module", MODULES)
def test_what_an_action_reads_is_documented(module):
    files = [f"action/{module}.py", *ALSO.get(module, [])]
    for file in files:
        unknown = read_by((PLUGINS / file).read_text(encoding="utf-8")) - set(argument_spec(module))
        assert not unknown, f"{file} reads {unknown}"


def test_reading_is_seen():
    assert read_by('args["a"] + args.get("b") + self._task.args.get("c") + other["d"] + args[key]') == {"a", "b", "c"}
    assert "proof_position" in read_by((PLUGINS / "plugin_utils/postgresql/member.py").read_text(encoding="utf-8"))


CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("action", "plugin_utils")
    for path in sorted((PLUGINS / folder).rglob("*.py"))
)


@pytest.mark.parametrize(("module", "path", "option"), OPTIONS)
def test_no_option_is_documented_that_nothing_reads(module, path, option):
    name = path.rpartition(".")[2]
    assert f'"{name}"' in CODE or f"'{name}'" in CODE


def test_secrets_are_marked_wherever_they_stand():
    spec = argument_spec("dns_switch", ("key.secret",))
    assert spec["key"]["options"]["secret"]["no_log"] is True
    assert "no_log" not in spec["key"] and "no_log" not in spec["key"]["options"]["name"]
    assert "no_log" not in argument_spec("dns_switch")["key"]["options"]["secret"]
    assert argument_spec("dns_switch", ("zone",))["zone"]["no_log"] is True


def test_a_module_that_does_not_exist_has_no_spec():
    with pytest.raises(FileNotFoundError):
        argument_spec("no_such_module")
