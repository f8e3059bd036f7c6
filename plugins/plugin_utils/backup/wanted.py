# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore is asked for, and whether what a member notes of an earlier one answers that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.observe import Answer
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.prove import Canary, Check
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import Choice, Target, choose

#: Phases of a restore of which the proof is made: it lies aside, is being put in place, or serves
PROVEN = ("proven", "swapping", "swapped")


@dataclass(frozen=True)
class Wanted:
    """What is to be restored, and by what it is judged."""

    target: Target
    timeline: int | None = None
    repository: int | None = None
    checks: tuple[Check, ...] = ()
    canary: Canary | None = None


def request_of(wanted: Wanted) -> dict[str, Any]:
    """The words that a member notes of what it was asked for."""
    return {"target": str(wanted.target), "repository": wanted.repository, "wanted_timeline": wanted.timeline}


def same_request(noted: Mapping[str, Any], wanted: Wanted) -> bool:
    """What is noted on the member was asked for in the same words."""
    return all(noted.get(key) == value for key, value in request_of(wanted).items())


def outdated(noted: Mapping[str, Any], wanted: Wanted, answer: Answer) -> bool:
    """More was archived since the latest was proven: put in place as it is, it would take that away."""
    if wanted.target.kind != "latest" or noted["phase"] != "proven":
        return False
    found = choose(answer.repositories, wanted.target, wanted.timeline, wanted.repository)
    had = noted.get("timeline", 0), noted.get("last_segment", -1)
    return isinstance(found, Choice) and (found.timeline, found.last_segment) > had
