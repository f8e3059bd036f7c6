# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shape of a plan: `docs/plan.schema.json` applied, its errors told in the plan's own words."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import (
    ALLOWED,
    DurationError,
    parse_duration,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.fits import Check, check_of
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import (
    NOT_SHOWN,
    finding,
    foreign_letters,
    hint,
    is_secret,
    listed,
    path_of,
    visible,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import Sealed

_MISSING = "the Python library jsonschema is missing ({}): pip install 'jsonschema>=4.21'"
#: The library is imported only where there is something to tell: a correct plan's failover does not wait for it.
MISSING_LIBRARY = None if importlib.util.find_spec("jsonschema") else _MISSING.format("no module of that name")

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "docs" / "plan.schema.json"
LONGEST_SHOWN = 80  # characters of a value in an error

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def schema_findings(plan: object) -> list[str]:
    """Every place where `plan` (as read from YAML) differs from the schema, in the order of the plan."""
    if _fits()(plan):
        return []
    try:
        validator = _validator()
    except ImportError as error:
        return [_MISSING.format(error)]
    errors = sorted(validator.iter_errors(plan), key=lambda error: _position(error, plan))
    return [text for error in errors for text in _told(error)]


def known_keys(definition: str) -> list[str]:
    """The keys that the schema names for one of its `$defs`, for example `endpoint`."""
    return list(_schema()["$defs"][definition]["properties"])


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return loaded


@lru_cache(maxsize=1)
def _fits() -> Check:
    return check_of(_inlined(_schema(), _schema()["$defs"]), _matches)


@lru_cache(maxsize=1)
def _validator() -> Any:
    import jsonschema

    def pattern_errors(_validator: Any, pattern: str, instance: object, schema: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not _matches(pattern, instance, schema):
            yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")

    base = jsonschema.Draft202012Validator
    # for JSON Schema 5432.0 is a whole number and 1e400 is one, and .nan lies between any limits; in a plan they do not
    types = base.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _checker, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _checker, value: base.TYPE_CHECKER.is_type(value, "number") and not _is_nan(value),
        }
    )
    ours = jsonschema.validators.extend(base, {"pattern": pattern_errors}, type_checker=types)
    return ours(_inlined(_schema(), _schema()["$defs"]))


def _inlined(part: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema without `$ref`: following them costs more than all checks of a large plan together."""
    if isinstance(part, list):
        return [_inlined(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    own = {key: _inlined(value, definitions) for key, value in part.items() if key not in {"$ref", "$defs"}}
    if "$ref" not in part:
        return own
    return {**_inlined(definitions[part["$ref"].rsplit("/", 1)[1]], definitions), **own}


def _matches(pattern: str, text: str, schema: Mapping[str, Any]) -> bool:
    """`pattern` as JSON Schema means it: Python's `$` alone would also accept a line break at the end.

    A duration is whatever the parser takes. A vaulted value may be any text, so only a name is judged.
    """
    title = schema.get("title")
    if isinstance(text, Sealed) and title == "text":
        return True
    if title == "duration":
        return not _is_no_duration(text)
    return not text.endswith("\n") and re.search(pattern, text) is not None


@lru_cache(maxsize=1000)
def _is_no_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except DurationError:
        return True
    return False


def _position(error: Any, plan: Any) -> list[int]:
    """Where in the plan an error stands: of every level, which entry. The library follows the schema instead."""
    place, part = [], plan
    for step in error.absolute_path:
        place.append(step if isinstance(part, list) else list(part).index(step))
        part = part[step]
    return place


def _told(error: Any) -> Iterator[str]:
    """One error of the library as findings (an object with three unknown keys gives three)."""
    parts = list(error.absolute_path)
    teller = _TELLERS.get(error.validator)
    if "propertyNames" in error.absolute_schema_path:
        name = str(error.instance)
        yield finding(path_of([*parts, name]), f"is no name{foreign_letters(name)}", _allowed(error.schema))
    elif teller is not None:
        yield from teller(error, parts)
    elif error.schema.get("title") == "duration":
        yield _duration(error.instance, parts)
    else:
        yield finding(path_of(parts), _wrong(error, parts), _allowed(error.schema))


def _wrong(error: Any, parts: Sequence[object]) -> str:
    shown = _shown(error.instance, parts)
    if error.validator == "type":
        return f"{shown} is not {_type_words(error.validator_value)}"
    if error.validator in {"minItems", "minProperties", "minLength"}:
        return "is empty"
    if error.validator == "uniqueItems":
        twice = next(item for item in error.instance if error.instance.count(item) > 1)
        return f"{_shown(twice, parts)} is given twice"
    return f"{shown} is not possible{foreign_letters(error.instance) if shown != NOT_SHOWN else ''}"


def _shown(value: object, parts: Sequence[object]) -> str:
    """A value as an error shows it. What may be a secret, and whole structures, never appear."""
    if is_secret(parts) or isinstance(value, Sealed):
        return NOT_SHOWN
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else visible(str(value))
    return f'"{text[:LONGEST_SHOWN]}..."' if len(text) > LONGEST_SHOWN else f'"{text}"'


def _allowed(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return listed([str(value) for value in schema["enum"]])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "object":
        required = schema.get("required", [])
        return "a mapping" + (f" with {', '.join(required)}" if required else "")
    return str(schema.get("description") or _type_words(schema.get("type", "")))


def _type_words(names: str | Sequence[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in ([names] if isinstance(names, str) else names))


def _duration(value: object, parts: Sequence[object]) -> str:
    problem = f"is not possible; allowed: {ALLOWED}"  # cannot happen while both allow the same
    try:
        parse_duration(value)
    except DurationError as error:
        problem = error.problem
    colon = ":" if isinstance(value, (str, int, float)) else ""  # "nothing is not a duration", "30": give a unit
    return visible(f"{path_of(parts)}: {_shown(value, parts)}{colon} {problem}")


def _unknown_keys(error: Any, parts: list[object]) -> Iterator[str]:
    known: Collection[str] = error.schema.get("properties", {})
    for key in error.instance:
        if key not in known:
            yield finding(path_of([*parts, str(key)]), f"unknown key{hint(key, known)}", listed(known))


def _missing_keys(error: Any, parts: list[object]) -> Iterator[str]:
    # the library reports each missing key on its own, and names it only inside its message
    for key in error.validator_value:
        if key not in error.instance and error.message.startswith(repr(key)):
            part = error.schema.get("properties", {}).get(key, {})
            yield finding(path_of([*parts, key]), "is missing", _allowed(part))


def _choice(error: Any, parts: list[object]) -> Iterator[str]:
    allowed = [str(value) for value in error.schema.get("enum") or [error.schema["const"]]]
    guess = hint(error.instance, allowed) if isinstance(error.instance, str) else ""
    yield finding(path_of(parts), f"{_shown(error.instance, parts)} is not possible{guess}", listed(allowed))


_TELLERS: Mapping[str, Callable[[Any, list[object]], Iterator[str]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "enum": _choice,
    "const": _choice,
}


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
