# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text of a plan as plain data.

Built from the parser's events, not with `yaml.load`: that takes three times as long for a plan of thousands of
services, keeps the last of two equal keys without a word, turns dates into objects, and follows aliases and brackets
however many there are.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml import events

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import (
    NOT_SHOWN,
    finding,
    is_secret,
    path_of,
    visible,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.words import advice, badly_sealed, misread

LARGEST_BYTES = 50_000_000
MOST_VALUES = 5_000_000  # what aliases stand for counts each time: some lines of them can mean billions
DEEPEST = 32  # a plan needs 7 levels; Python's own limit would end the reading somewhere else

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's parser, where it was built in
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_PLAIN_TAGS = frozenset({None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str"))})
_MERGE = str(b"<<", "ascii")  # an object of its own: in quotes it is a key like any other
_NO_KEY = object()
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Sealed(str):
    """The ciphertext of a `!vault` value. It is text, so the schema can judge it; only Ansible can open it."""

    __slots__ = ()


class PlanReadError(ValueError):
    """The text is not readable YAML; `str()` says where and why."""


def read_plan(text: str | bytes) -> tuple[Any, list[str]]:
    """The data of a plan's text, and the errors that do not keep it from being read (keys given twice, misread words).

    Raises PlanReadError for text that is no YAML, with the line and column.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > LARGEST_BYTES:
        raise PlanReadError(f"has {len(data)} bytes; allowed: at most {LARGEST_BYTES}")
    checked_encoding(data)
    try:
        # bytes, because libyaml refuses the subclasses of str that Ansible hands out
        builder = _Builder(data)
        return builder.document(), builder.findings
    except (yaml.YAMLError, ValueError) as error:
        raise PlanReadError(f"is not readable YAML: {_one_line(error, data)}") from None


def checked_encoding(data: bytes) -> str:
    """The text of a plan's bytes. Raises PlanReadError for what is no UTF-8, or holds a control character."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        shown = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else f"byte 0x{data[error.start]:02x}"
        line = data.count(b"\n", 0, error.start) + 1
        raise PlanReadError(f"is not UTF-8 ({shown} in line {line}); allowed: the file saved as UTF-8") from None
    found = None if text.isascii() and text.isprintable() else _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise PlanReadError(f"holds the control character U+{ord(found[0]):04X} in line {line}; allowed: none")
    return text


class _Words(_Base):
    """The parser, and what a plain word means (number, truth, nothing, text). Dates stay text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


class _Open:
    """A mapping or list whose end has not been read yet."""

    __slots__ = ("anchor", "collection", "key", "merged", "values_before")

    def __init__(self, collection: Any, anchor: str | None, values_before: int) -> None:
        self.collection = collection
        self.anchor = anchor
        self.values_before = values_before
        self.key: Any = _NO_KEY  # of a mapping: the key that waits for its value
        self.merged: dict[Any, Any] = {}  # of a mapping: what `<<` brings, weaker than its own keys


class _Builder:
    """Puts a document together, one event at a time."""

    def __init__(self, data: bytes) -> None:
        self.findings: list[str] = []
        self._loader = _Words(data)
        self._known_words: dict[str, tuple[Any, str | None]] = {}
        self._anchored: dict[str, tuple[Any, int]] = {}
        self._values = 0
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
                    raise _at(event, "a second document begins here; allowed: one")
            elif kind is events.StreamEndEvent:
                return self._document

    def _scalar(self, event: Any) -> Any:
        self._values += 1
        value: Any = event.value
        wrong = None
        if event.tag is None and event.implicit[0]:
            if value not in self._known_words:
                self._known_words[value] = self._meaning(value, event)
            value, wrong = self._known_words[value]
        elif event.tag == "!vault":
            value, wrong = Sealed(value), badly_sealed(value, tagged=True)
        elif event.tag not in _PLAIN_TAGS:
            raise _meaningless_tag(event)
        elif "$" in value:
            wrong = badly_sealed(value, tagged=False)
        if wrong is not None:
            self._found(wrong, event.value)
        if event.anchor:
            self._anchored[event.anchor] = (value, 1)
        return value

    def _meaning(self, word: str, event: Any) -> tuple[Any, str | None]:
        """What a plain word stands for, and what is wrong with it."""
        if word == _MERGE:
            return _MERGE, None
        tag = self._loader.resolve(yaml.ScalarNode, word, (True, False))
        node = yaml.ScalarNode(tag, word, event.start_mark, event.end_mark)
        value = self._loader.construct_object(node)
        return value, misread(word, value) or (badly_sealed(word, tagged=False) if "$" in word else None)

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchored:
            open_ones = {holder.anchor for holder in self._stack}
            why = "stands inside of what it refers to" if event.anchor in open_ones else "refers to nothing before it"
            raise _at(event, f'"*{event.anchor}" {why}')
        value, values = self._anchored[event.anchor]
        self._count(values, event)
        return value

    def _count(self, values: int, event: Any) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise _at(event, f"up to here it holds more than {MOST_VALUES} values, those of aliases included")

    def _open(self, collection: Any, event: Any) -> None:
        if event.tag not in _PLAIN_TAGS:
            raise _meaningless_tag(event)
        if len(self._stack) == DEEPEST:
            raise _at(event, f"is nested deeper than {DEEPEST} levels")
        self._stack.append(_Open(collection, event.anchor, self._values))

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        value = {**done.merged, **done.collection} if done.merged else done.collection
        self._count(1, event)
        if done.anchor:
            self._anchored[done.anchor] = (value, self._values - done.values_before)
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
        elif top.key is _MERGE:
            self._merge(top, value, event)
            top.key = _NO_KEY
        else:
            top.collection[top.key] = value
            top.key = _NO_KEY

    def _found(self, wrong: str, word: str) -> None:
        """Keep a finding about the `word` that is being read: a value, or a key."""
        above = [
            len(holder.collection) if isinstance(holder.collection, list) else holder.key for holder in self._stack
        ]
        parts = [word if step is _NO_KEY else step for step in above]
        self.findings.append(
            finding(path_of(parts), wrong.replace(f'"{word}"', NOT_SHOWN) if is_secret(parts) else wrong)
        )

    def _checked_key(self, key: Any, event: Any) -> Any:
        if isinstance(key, (dict, list)):
            raise _at(event, "a key must be a word, not a collection")
        if key in self._stack[-1].collection:
            self._found(f"is given a second time in line {event.start_mark.line + 1}; allowed: once", str(key))
        return key

    @staticmethod
    def _merge(top: _Open, value: Any, event: Any) -> None:
        """`<<: *common` or `<<: [*first, *second]`; of several the first wins."""
        for other in value if isinstance(value, list) else [value]:
            if not isinstance(other, dict):
                raise _at(event, '"<<" takes a mapping or a list of them')
            top.merged = {**other, **top.merged}


def _meaningless_tag(event: Any) -> yaml.MarkedYAMLError:
    return _at(event, f'the tag "{event.tag}" has no meaning here; allowed: !vault, or quotes around text with "!"')


def _at(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _one_line(error: Exception, data: bytes) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if not mark:
        return visible(str(problem))
    lines = data.decode("utf-8").splitlines()
    # the loader's own errors are of classes derived from this one
    ours = error.__class__ is yaml.MarkedYAMLError
    todo = advice(problem, lines[mark.line], mark.column, ours) if mark.line < len(lines) else ""
    return visible(f"line {mark.line + 1}, column {mark.column + 1}: {problem}{todo}")
