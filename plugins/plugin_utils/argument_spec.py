# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module's documentation as its argument spec, so that the two cannot drift apart."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_PLUGINS = Path(__file__).resolve().parent.parent
_COPIED = ("type", "required", "default", "choices", "elements", "aliases")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.cache
def argument_spec(module: str, secrets: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return Ansible's argument spec for ``plugins/modules/<module>.py``, options of its fragments included."""
    options: dict[str, Any] = {}
    document = _literal(_PLUGINS / "modules" / f"{module}.py", "DOCUMENTATION")
    fragments = document.get("extends_documentation_fragment", [])
    for fragment in [fragments] if isinstance(fragments, str) else fragments:
        if fragment.startswith("continuity.dr."):
            options.update(_fragment(fragment.removeprefix("continuity.dr.")))
    options.update(document.get("options") or {})
    return _spec(options, secrets)


def _fragment(name: str) -> dict[str, Any]:
    file, _dot, attribute = name.partition(".")
    return (
        _literal(_PLUGINS / "doc_fragments" / f"{file}.py", (attribute or "DOCUMENTATION").upper()).get("options") or {}
    )


def _literal(path: Path, name: str) -> dict[str, Any]:
    """Read one YAML string constant of a Python file without importing it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            # The loader is a safe one: CSafeLoader, or SafeLoader where libyaml is missing.
            return dict(yaml.load(ast.literal_eval(node.value), Loader=_Loader) or {})
    return {}


def _spec(options: Mapping[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    for name, option in options.items():
        entry = {key: option[key] for key in _COPIED if key in option}
        if option.get("suboptions"):
            inner = tuple(path.partition(".")[2] for path in secrets if path.startswith(f"{name}."))
            entry["options"] = _spec(option["suboptions"], inner)
        if name in secrets:
            entry["no_log"] = True
        spec[name] = entry
    return spec
