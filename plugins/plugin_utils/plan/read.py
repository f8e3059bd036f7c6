# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text of a plan as plain data.

Built from the parser's events, not with `yaml.load`: that takes three times as long for a plan of thousands of
services, keeps the last of two equal keys without a word, and turns dates into objects.
"""

from __future__ import annotations

from typing import Any

import yaml
from yaml import events

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import path_of

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's parser, where it was built in
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_PLAIN_TAGS = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_MERGE = "<<"
_NO_KEY = object()


class Sealed(str):
    """The ciphertext of a `!vault` value. It is text, so the schema can judge it; only Ansible can open it."""

    __slots__ = ()


class PlanReadError(ValueError):
    """The text is not readable YAML; `str()` says where and why."""


def read_plan(text: str) -> tuple[Any, list[str]]:
    """The data of a plan's text, and the errors that do not keep it from being read (keys given twice).

    Raises PlanReadError for text that is no YAML, with the line and column.
    """
    try:
        # bytes, because libyaml refuses the subclasses of str that Ansible hands out
        builder = _Builder(text.encode())
        return builder.document(), builder.repeated
    except (yaml.YAMLError, ValueError) as error:
        raise PlanReadError(f"is not readable YAML: {_one_line(error)}") from None


class _Words(_Base):
    """The parser, and what a plain word means (number, truth, nothing, text). Dates stay text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


class _Open:
    """A mapping or list whose end has not been read yet."""

    __slots__ = ("anchor", "collection", "key", "merged")

    def __init__(self, collection: Any, anchor: str | None) -> None:
        self.collection = collection
        self.anchor = anchor
        self.key: Any = _NO_KEY  # of a mapping: the key that waits for its value
        self.merged: dict[Any, Any] = {}  # of a mapping: what `<<` brings, weaker than its own keys


class _Builder:
    """Puts a document together, one event at a time."""

    def __init__(self, data: bytes) -> None:
        self.repeated: list[str] = []
        self._loader = _Words(data)
        self._known_words: dict[str, Any] = {}
        self._anchored: dict[str, Any] = {}
        self._stack: list[_Open] = []
        self._document: Any = None
        self._documents = 0

    def document(self) -> Any:
        """Everything up to the end of the text."""
        while True:
            event = self._loader.get_event()
            kind = type(event)
            if kind is events.ScalarEvent:
                self._put(self._scalar(event), event)
            elif kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
                self._open({} if kind is events.MappingStartEvent else [], event)
            elif kind is events.MappingEndEvent or kind is events.SequenceEndEvent:
                self._close(event)
            elif kind is events.AliasEvent:
                self._put(self._alias(event), event)
            elif kind is events.DocumentStartEvent:
                self._documents += 1
                if self._documents > 1:
                    raise _at(event, "a second document begins here")
            elif kind is events.StreamEndEvent:
                return self._document

    def _scalar(self, event: Any) -> Any:
        value: Any = event.value
        if event.tag is None and event.implicit[0]:
            if value not in self._known_words:
                tag = self._loader.resolve(yaml.ScalarNode, value, (True, False))
                self._known_words[value] = value if value == _MERGE else self._constructed(tag, event)
            value = self._known_words[value]
        elif event.tag == "!vault":
            value = Sealed(value)
        elif event.tag not in _PLAIN_TAGS:
            value = self._constructed(event.tag, event)
        if event.anchor:
            self._anchored[event.anchor] = value
        return value

    def _constructed(self, tag: str, event: Any) -> Any:
        return self._loader.construct_object(yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark))

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchored:
            raise _at(event, f'"*{event.anchor}" stands before the end of what it refers to')
        return self._anchored[event.anchor]

    def _open(self, collection: Any, event: Any) -> None:
        if event.tag not in _PLAIN_TAGS:
            raise _at(event, f'the tag "{event.tag}" has no meaning here')
        self._stack.append(_Open(collection, event.anchor))

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        value = {**done.merged, **done.collection} if done.merged else done.collection
        if done.anchor:
            self._anchored[done.anchor] = value
        self._put(value, event)

    def _put(self, value: Any, event: Any) -> None:
        """Where a finished value belongs: the document, an item, a key, or the value of the key before."""
        if not self._stack:
            self._document = value
            return
        top = self._stack[-1]
        if isinstance(top.collection, list):
            top.collection.append(value)
        elif top.key is _NO_KEY:
            top.key = self._checked_key(value, event)
        elif top.key == _MERGE:
            self._merge(top, value, event)
            top.key = _NO_KEY
        else:
            top.collection[top.key] = value
            top.key = _NO_KEY

    def _checked_key(self, key: Any, event: Any) -> Any:
        if isinstance(key, (dict, list)):
            raise _at(event, "a key must be a word, not a collection")
        if key in self._stack[-1].collection:
            above = [
                len(holder.collection) if isinstance(holder.collection, list) else holder.key
                for holder in self._stack[:-1]
            ]
            line = event.start_mark.line + 1
            self.repeated.append(f"{path_of([*above, str(key)])}: is given a second time in line {line}; allowed: once")
        return key

    @staticmethod
    def _merge(top: _Open, value: Any, event: Any) -> None:
        """`<<: *common` or `<<: [*first, *second]`; of several the first wins."""
        for other in value if isinstance(value, list) else [value]:
            if not isinstance(other, dict):
                raise _at(event, '"<<" takes a mapping or a list of them')
            top.merged = {**other, **top.merged}


def _at(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)
