# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a value fits a JSON Schema, yes or no.

A plan is nearly always correct. To see that takes a tenth of the time in which the library also prepares to tell what
is wrong, and spares a run the import of it. Only the keywords of the plan's schema are known here; a value is said to
fit only where the library would find nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]
#: Whether a text matches a pattern of a schema (which is given too).
Matches = Callable[[str, str, Mapping[str, Any]], bool]

_TOLD_ONLY = frozenset({"$schema", "$id", "title", "description", "then"})  # `then` is read with its `if`


class _Unsure(Exception):
    """Only the library can tell."""


def check_of(schema: Any, matches: Matches) -> Check:
    """A function that says whether a value fits C(schema), which holds no references."""
    try:
        check = _compiled(schema, matches)
    except _Unsure:
        return lambda value: False

    def fits(value: Any) -> bool:
        try:
            return check(value)
        except _Unsure:
            return False

    return fits


def _compiled(schema: Any, matches: Matches) -> Check:
    if isinstance(schema, bool):
        return lambda value: schema
    checks = [_keyword(key, schema, matches) for key in schema if key not in _TOLD_ONLY]
    if len(checks) == 1:
        return checks[0]
    return lambda value: all(check(value) for check in checks)


def _keyword(key: str, schema: Mapping[str, Any], matches: Matches) -> Check:
    wanted = schema[key]
    if key in _OF_A_KIND:
        kind, build = _OF_A_KIND[key]
        concerned, holds = _is_one_of(kind), build(wanted)
        return lambda value: not concerned(value) or holds(value)
    if key in ("properties", "additionalProperties", "propertyNames", "items"):
        return _inside(key, schema, matches)
    if key == "type":
        return _is_one_of(*([wanted] if isinstance(wanted, str) else wanted))
    if key in ("enum", "const"):
        allowed = wanted if key == "enum" else [wanted]
        if all(isinstance(each, str) for each in allowed):  # 1, 1.0 and true are told apart by the library
            return lambda value: value in allowed
    if key == "pattern":
        return lambda value: not isinstance(value, str) or matches(wanted, value, schema)
    if key == "if" and "else" not in schema:
        applies, then = _compiled(wanted, matches), _compiled(schema.get("then", True), matches)
        return lambda value: not applies(value) or then(value)
    raise _Unsure


def _inside(key: str, schema: Mapping[str, Any], matches: Matches) -> Check:
    """What a keyword asks of the entries of a mapping or list."""
    if key == "properties":
        known = {name: _compiled(part, matches) for name, part in schema[key].items()}

        def properties(value: Any) -> bool:
            return not isinstance(value, dict) or all(
                known[name](item) for name, item in value.items() if name in known
            )

        return properties
    check = _compiled(schema[key], matches)
    if key == "items":
        return lambda value: not isinstance(value, list) or all(map(check, value))
    if key == "propertyNames":
        return lambda value: not isinstance(value, dict) or all(map(check, value))
    named = frozenset(schema.get("properties", ()))
    return lambda value: (
        not isinstance(value, dict) or all(check(item) for name, item in value.items() if name not in named)
    )


def _is_one_of(*kinds: str) -> Check:
    types = tuple(_TYPES[kind] for kind in kinds)
    if "boolean" in kinds:
        return lambda value: isinstance(value, types)
    return lambda value: isinstance(value, types) and not isinstance(value, bool)  # for Python, true is a number


def _all_different(wanted: bool) -> Check:
    def different(value: list[Any]) -> bool:
        if not all(isinstance(item, str) for item in value):
            raise _Unsure
        return not wanted or len(set(value)) == len(value)

    return different


_TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
}
_OF_A_KIND: Mapping[str, tuple[str, Callable[[Any], Check]]] = {
    "required": ("object", lambda names: lambda value: all(name in value for name in names)),
    "minProperties": ("object", lambda least: lambda value: len(value) >= least),
    "minItems": ("array", lambda least: lambda value: len(value) >= least),
    "uniqueItems": ("array", _all_different),
    "minLength": ("string", lambda least: lambda value: len(value) >= least),
    "minimum": ("number", lambda least: lambda value: value >= least),  # .nan is not
    "maximum": ("number", lambda most: lambda value: value <= most),
}
