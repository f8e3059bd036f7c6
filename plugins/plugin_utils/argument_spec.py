# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module's documentation as its argument spec, so that the two cannot drift apart."""

from __future__ import annotations

import ast
import difflib
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_PLUGINS = Path(__file__).resolve().parent.parent
_COPIED = ("type", "required", "default", "choices", "elements", "aliases")
_KINDS = {"int": "a whole number", "float": "a number"}
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
    for name, own in (document.get("options") or {}).items():  # merged as Ansible does: the fragment fills the gaps
        options[name] = {**options.get(name, {}), **own}
    return _spec(options, secrets)


def unknown_options(given: Iterable[str | Sequence[str]], spec: Mapping[str, Any]) -> list[str]:
    """One message for each option that the spec does not know: its path, the nearest known one, and all of them.

    ``given`` is what Ansible's validator calls unsupported: names, or for suboptions their path. It lists the known
    ones of one level only, and never says which of them was meant.
    """
    paths = sorted([option] if isinstance(option, str) else list(option) for option in given)
    return [_unknown_option(path, spec) for path in paths]


def misread_numbers(args: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """One message for each truth value where a number belongs: Ansible's validator takes ``true`` for 1."""
    return [
        f"{name}: {str(value).lower()} is not a number; allowed: {_KINDS[spec[name]['type']]}"
        for name, value in args.items()
        if isinstance(value, bool) and spec.get(name, {}).get("type") in _KINDS
    ]


def _unknown_option(path: Sequence[str], spec: Mapping[str, Any]) -> str:
    known = spec
    for name in path[:-1]:
        known = known[name]["options"]
    close = difflib.get_close_matches(path[-1], known, n=1)
    guess = f' (did you mean "{close[0]}"?)' if close else ""
    return f"{'.'.join(path)}: unknown option{guess}; allowed: {', '.join(sorted(known))}"


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
