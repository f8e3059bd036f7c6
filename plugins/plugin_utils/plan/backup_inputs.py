# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operator may give to the verbs backup and restore alone, checked before the run begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import KINDS
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import target_of
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import cut, finding, hint, listed, visible

MODES = ("aside", "in_place", "rebuild", "discard", "release", "drill")
_CHOICES = {"backup_type": KINDS, "restore_mode": MODES}
_NUMBERS = {"repository": "the number of a repository in the plan", "timeline": "the number of a timeline"}


def backup_findings(extra: Mapping[str, Any], verb: str) -> list[str]:
    """Every wrong value; none for another verb."""
    return [*_choices(extra), *_numbers(extra), *_target(extra)] if verb in ("backup", "restore") else []


def _choices(extra: Mapping[str, Any]) -> Iterator[str]:
    for name, allowed in _CHOICES.items():
        value = extra.get(name)
        if value is not None and value not in allowed:
            yield finding(name, f'"{cut(value)}" is not possible{hint(str(value), allowed)}', listed(allowed))


def _numbers(extra: Mapping[str, Any]) -> Iterator[str]:
    for name, allowed in _NUMBERS.items():
        value = extra.get(name)
        text = str(value)
        if value is not None and (isinstance(value, bool) or not (text.isascii() and text.isdigit() and int(text) > 0)):
            yield finding(name, f'"{cut(value)}" is no number', f"{allowed}, from 1")


def _target(extra: Mapping[str, Any]) -> Iterator[str]:
    if extra.get("restore_to") is not None:
        try:
            target_of(extra["restore_to"])
        except ValueError as error:
            yield visible(f"restore_to: {error}")
