# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The catalogue, read from catalogue.yml beside this file."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
HOW = ("procedure", "nodes", "program", "missing")


@dataclass(frozen=True)
class Fault:
    """One row; catalogue.yml tells what each field is."""

    id: str
    title: str
    verb: str
    injected: str
    expected: str
    procedure: Callable[..., Any] | None = None
    nodes: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    missing: str = ""
    refused: bool = False
    service: str = "accounts-db"
    core: bool = False
    before: Callable[[], None] | None = None
    once: str = ""
    rc_again: int | None = None


def function(name: str) -> Callable[..., Any]:
    """The procedure with this name, `<file>.<function>`."""
    file, _dot, word = name.partition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(f"tests.faults.procedures.{file}"), word)
    return found


def fault(row: Mapping[str, Any]) -> Fault:
    """One row of the file. ValueError that names the row, the field and what is allowed."""
    unknown = sorted(set(row) - {each.name for each in fields(Fault)})
    if unknown:
        raise ValueError(f"{row.get('id')}: unknown {', '.join(unknown)}")
    if len([how for how in HOW if row.get(how)]) != 1:
        raise ValueError(f"{row.get('id')}: exactly one of {', '.join(HOW)} says how it is tried")
    values: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in row.items()}
    values |= {name: function(row[name]) for name in ("procedure", "before") if name in row}
    return Fault(**values)


def read(part: str = "faults", path: Path = HERE / "catalogue.yml") -> tuple[Fault, ...]:
    """All rows of a part: faults or controls."""
    return tuple(map(fault, yaml.safe_load(path.read_text(encoding="utf-8"))[part]))
