# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands in the project's pages: their code blocks, the commands in them, and the tasks of their examples."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from copy_tree import wanted

TOP = Path(__file__).resolve().parents[2]
SHELL = frozenset({"sh", "console", "bash", "shell"})

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_PROMPT = re.compile(r"^\$ ", re.MULTILINE)
_COMMENT = re.compile(r"\s+#\s.*$", re.MULTILINE)


@dataclass(frozen=True)
class Playbook:
    """One `ansible-playbook continuity.dr.<verb>` as a page shows it."""

    verb: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


def names() -> list[str]:
    """Every Markdown file of the tree, committed or about to be."""
    return sorted(name for name in wanted(TOP) if name.endswith(".md"))


def read(name: str) -> str:
    return (TOP / name).read_text(encoding="utf-8")


def blocks(page: str, *kinds: str) -> list[str]:
    """The contents of the fenced blocks of these languages; all without any."""
    return [text for _indent, kind, text in _BLOCK.findall(page) if not kinds or kind in kinds]


def code(page: str) -> Iterator[str]:
    """Every line of shell and every piece of code in a sentence, without prompts, comments and line continuations."""
    for block in blocks(page, *SHELL):
        text = _COMMENT.sub("", _PROMPT.sub("", block)).replace("\\\n", " ")
        yield from (line.strip() for line in text.splitlines() if line.strip())
    for piece in _INLINE.findall(_BLOCK.sub("", page)):
        yield " ".join(piece.split())
    for block in blocks(page, "yaml"):
        yield from re.findall(r"\bansible-playbook .*", block)


def playbooks(page: str) -> list[Playbook]:
    """Every command that runs a playbook of the collection."""
    found = []
    for line in code(page):
        if not re.match(r"(\S+=\S+ )*ansible-playbook\b", line):
            continue
        words = shlex.split(line)
        verb = next((word for word in words if word.startswith("continuity.dr.")), None)
        if verb is None:  # the program's name in a sentence, or a playbook of the reader's own
            continue
        found.append(Playbook(verb.removeprefix("continuity.dr."), _inputs(words), tuple(_after(words, "-i"))))
    return found


def loose_inputs(page: str) -> set[str]:
    """The names of all `-e name=...` of a page, whatever command they belong to."""
    found = set()
    for line in code(page):
        if line.count("'") % 2 == 0 and line.count('"') % 2 == 0:
            found |= set(_inputs(shlex.split(line)))
    return found


def _inputs(words: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in _after(words, "-e"):
        if text.startswith("{"):
            given |= {name: str(value) for name, value in yaml.safe_load(text).items()}
        else:
            given |= dict(part.partition("=")[::2] for part in shlex.split(text) if "=" in part)
    return given


def _after(words: list[str], option: str) -> list[str]:
    return [value for name, value in zip(words, words[1:], strict=False) if name == option]


def mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping inside parsed YAML, the outer ones first."""
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from mappings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mappings(inner)
