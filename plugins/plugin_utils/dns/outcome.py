# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The outcome of a switch, as data and as a diff."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import GUARD_TTL_SECONDS, timestamp
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import Purpose, Seen, Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.values import ttl_warnings, zone_line

STATUS: Mapping[Purpose, str] = {"move": "switched", "lower": "prepared", "restore": "restored"}


@dataclass(frozen=True)
class Outcome:
    """A switch that reached its goal: what stood before and what stands now, and when it was applied (Unix seconds)."""

    status: Literal["switched", "already"]
    changed: bool
    before: Seen
    after: Seen
    applied_at: float | None


def describe(outcome: Outcome, target: Target, rtype: str, wanted: Wanted) -> dict[str, Any]:
    """The result of a switch for its user: values before and after, when clients are safe, and how to go back."""
    held = None if outcome.applied_at is None else outcome.before.held_seconds(outcome.applied_at)
    safe_at = None if outcome.applied_at is None or held is None else math.ceil(outcome.applied_at) + held
    if wanted.purpose == "lower" and outcome.status == "already" and outcome.after.guard:
        safe_at = outcome.after.guard.cached or None  # by the server's clock: whoever lowered it has noted it so
    warnings = ttl_warnings(wanted.ttl) if wanted.ttl else []
    if outcome.applied_at is not None and wanted.ttl not in (None, outcome.after.ttl):
        warnings.append(f"asked for a ttl of {wanted.ttl} s, the server holds {outcome.after.ttl} s")
    return {
        "changed": outcome.changed,
        "status": outcome.status if outcome.status == "already" else STATUS[wanted.purpose],
        "zone": target.zone,
        "name": target.name,
        "type": rtype,
        "before": view(outcome.before),
        "after": view(outcome.after),
        "serial_before": outcome.before.serial,
        "serial_after": outcome.after.serial,
        "epoch": wanted.epoch,
        "run_id": wanted.run_id,
        "applied_at": None if outcome.applied_at is None else timestamp(outcome.applied_at),
        "held_seconds": held,
        "clients_safe_at": None if safe_at is None else timestamp(safe_at),
        "rollback": {"expected": list(outcome.after.values), "value": list(outcome.before.values)},
        "warnings": warnings,
    }


def diff(outcome: Outcome, target: Target, rtype: str) -> dict[str, str]:
    """Zone lines before and after, record and guard."""
    return {
        "before_header": f"{target.zone} before",
        "after_header": f"{target.zone} after",
        "before": _lines(outcome.before, target, rtype),
        "after": _lines(outcome.after, target, rtype),
    }


def view(seen: Seen) -> dict[str, Any]:
    """What stands in the zone, as plain data."""
    return {"value": list(seen.values), "ttl": seen.ttl, "guard": seen.guard.text() if seen.guard else None}


def _lines(seen: Seen, target: Target, rtype: str) -> str:
    lines = [zone_line(target.name, seen.ttl, rtype, value) for value in seen.values]
    if seen.guard:
        lines.append(zone_line(target.guard_name, GUARD_TTL_SECONDS, "TXT", seen.guard.text()))
    return "".join(f"{line}\n" for line in lines)
