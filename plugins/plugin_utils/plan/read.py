# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text of a plan as plain data."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times faster, where it was built in
_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class Sealed(str):
    """The ciphertext of a `!vault` value. It is text, so the schema can judge it; only Ansible can open it."""

    __slots__ = ()


class PlanReadError(ValueError):
    """The text is not readable YAML; `str()` says where and why."""


class _PlanLoader(_Base):
    """Safe YAML in which dates stay text and a key that is given twice is an error, not a silent last-one-wins."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.repeated: list[str] = []

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _value in node.value if key.tag != _MERGE and isinstance(key.value, str)]
        if len(set(keys)) < len(keys):
            self._report(node, keys)
        result: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return result

    def _report(self, node: Any, keys: list[str]) -> None:
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            lines = [part.start_mark.line + 1 for part, _value in node.value if part.value == key]
            places = " and ".join(str(line) for line in lines)
            self.repeated.append(f'lines {places}: the key "{key}" is given {len(lines)} times; allowed: once')


def _sealed(loader: Any, node: Any) -> Sealed:
    return Sealed(loader.construct_scalar(node))


_PlanLoader.add_constructor("!vault", _sealed)


def read_plan(text: str) -> tuple[Any, list[str]]:
    """The data of a plan's text, and the errors that do not keep it from being read (keys given twice).

    Raises PlanReadError for text that is no YAML, with the line and column.
    """
    loader = _PlanLoader(text.encode())  # bytes, because libyaml refuses the subclasses of str that Ansible hands out
    try:
        return loader.get_single_data(), loader.repeated
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PlanReadError(f"the plan is not readable YAML: {_one_line(error)}") from None
    finally:
        loader.dispose()


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)
