# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan's ``backup`` as the values that the steps work with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.prove import Canary, Check
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.restore import Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import parse_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import target_of

FULL_EVERY = 7 * 86400.0


def schedule_of(backup: Mapping[str, Any]) -> Schedule:
    """The intervals, written as durations or handed on in seconds. Raises ValueError with the field that is wrong."""
    full, diff, incr = (_interval(backup, f"{kind}_every") for kind in ("full", "diff", "incr"))
    return Schedule(
        full_every=full or FULL_EVERY,
        diff_every=diff,
        incr_every=incr if incr is not None else _interval(backup, "every"),
        verify_every=_interval(backup, "verify_every"),
        rpo=_interval(backup, "rpo", zero=True),
    )


def _interval(backup: Mapping[str, Any], name: str, zero: bool = False) -> float | None:
    written, seconds = backup.get(name), backup.get(f"{name}_seconds")
    if written is None and seconds is None:
        return None
    value = float(seconds) if seconds is not None else parse_duration(written, name)
    if value <= 0 and not zero:
        raise ValueError(f"{name} {written or seconds}: give more than 0s")
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
