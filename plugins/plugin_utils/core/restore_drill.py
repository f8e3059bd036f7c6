# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore drill shows against the promises of the plan, and of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import format_duration


def findings(
    restores: Sequence[Mapping[str, Any]],
    controls: Sequence[Mapping[str, Any]],
    rto_seconds: float | None = None,
    rpo_seconds: float | None = None,
) -> list[str]:
    """Every sentence that stands against it; none: the backups can be relied on, and so can the drill.

    >>> findings([{"copy": 1, "seconds": 9.0, "newest_row_age_seconds": 2.0}], [], 5.0, 60.0)
    ['objective_missed: the restore of copy 1 took 9s, the RTO is 5s', 'no control was tried on copy 1']
    >>> findings([], [{"name": "flipped_byte", "copy": 2, "expected": "restore_failed", "seen": "restored"}])
    ['nothing was restored', 'control_not_met: flipped_byte of copy 2 ended with restored, not with restore_failed']
    """
    found = [] if restores else ["nothing was restored"]
    for each in restores:
        name, took, age = f"copy {each['copy']}", each.get("seconds"), each.get("newest_row_age_seconds")
        if took is None:
            found.append(f"no restore of {name} was timed")
        elif rto_seconds is not None and took > rto_seconds:
            limit = format_duration(rto_seconds)
            found.append(f"objective_missed: the restore of {name} took {format_duration(took)}, the RTO is {limit}")
        if age is None and rpo_seconds is not None:
            limit = format_duration(rpo_seconds)
            hint = "give the service a canary, which writes a row again and again"
            found.append(f"not_measured: nobody knows how old the newest row of {name} is, the RPO is {limit}; {hint}")
        elif age is not None and rpo_seconds is not None and age > rpo_seconds:
            limit = format_duration(rpo_seconds)
            old = format_duration(age)
            found.append(f"objective_missed: the newest row of {name} is {old} old, the RPO is {limit}")
    tried = {each["copy"] for each in controls}
    found += [f"no control was tried on copy {each['copy']}" for each in restores if each["copy"] not in tried]
    for each in controls:
        if each["seen"] != each["expected"]:
            what = f"{each['name']} of copy {each['copy']}"
            found.append(f"control_not_met: {what} ended with {each['seen']}, not with {each['expected']}")
    return found
