# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan's ``backup`` as the values that the steps work with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.prove import Canary, Check
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.wanted import Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import parse_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import target_of

FULL_EVERY = 7 * 86400.0


def planned(backup: Mapping[str, Any], member: Mapping[str, Any]) -> tuple[Stanza, Schedule]:
    """Where a plan's backups are and how often they are made. Raises ValueError with the option that is wrong."""
    try:
        return Stanza.from_options(backup, member), schedule_of(backup)
    except ValueError as error:
        raise ValueError(f"backup: {error}") from None


def schedule_of(backup: Mapping[str, Any]) -> Schedule:
    """The intervals, written as durations or handed on in seconds. Raises ValueError with the field that is wrong."""
    every = backup.get("every_seconds")
    incr = _seconds(backup.get("incr_every"), "incr_every")
    if incr is None:  # a plan of one interval only; a verb hands it on in seconds
        incr = float(every) if every else _seconds(backup.get("every"), "every")
    return Schedule(
        full_every=_seconds(backup.get("full_every"), "full_every") or FULL_EVERY,
        diff_every=_seconds(backup.get("diff_every"), "diff_every"),
        incr_every=incr,
        verify_every=_seconds(backup.get("verify_every"), "verify_every"),
        rpo=_seconds(backup.get("rpo"), "rpo", zero=True),
    )


def _seconds(written: object, name: str, zero: bool = False) -> float | None:
    if written is None:
        return None
    value = parse_duration(written, name)
    if value <= 0 and not zero:
        raise ValueError(f"{name} {written}: give more than 0s")
    return value


def wanted_of(backup: Mapping[str, Any], args: Mapping[str, Any]) -> Wanted:
    """What a restore is asked for. Raises ValueError with the field that is wrong."""
    canary = args.get("canary") or {}
    try:
        target = target_of(args["restore_to"])
    except ValueError as error:
        raise ValueError(f"restore_to: {error}") from None
    return Wanted(
        target=target,
        timeline=args.get("timeline"),
        repository=args.get("repository"),
        checks=tuple(Check.from_options(backup.get("verification") or ())),
        canary=Canary(str(canary["database"]), str(canary["table"])) if canary.get("table") else None,
    )
