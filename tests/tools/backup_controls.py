# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Negative controls of a restore: what is done to a copy of a repository, or asked of it, and how it must be met.

A drill that only ever sees good backups proves nothing. Each damage is shell text for whoever holds the copy (`$copy`),
so that the same ones run against real servers on this machine and against the lab.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

DAMAGE = Path(__file__).resolve().parents[1] / "lab" / "restore_controls.yml"


@dataclass(frozen=True)
class Control:
    """One way in which a restore must not succeed."""

    name: str
    #: the rule that refuses it, or the reason it fails with
    expected: str
    #: shell that damages the copy below $copy
    damage: str = ""
    #: what is asked for: a restore target, or a function's name of the caller for one that needs its history
    restore_to: str = "latest"
    timeline: int | None = None
    #: what `verify` must fail with, where the damage lies in the files it reads
    verify: str = ""
    checks: tuple[str, ...] = ()


CONTROLS = (
    *(Control(**each) for each in yaml.safe_load(DAMAGE.read_text(encoding="utf-8"))["controls"]),
    # These the drill asks by itself, of any repository
    Control("wrong_timeline", "timeline_not_archived", timeline=7),
    Control("before_the_first_backup", "target_before_backup", restore_to="2020-01-01T00:00:00Z"),
    Control("after_the_archive", "target_not_archived", restore_to="2099-01-01T00:00:00Z"),
    Control("after_the_last_commit", "target_not_reached", restore_to="after_the_last_commit"),
    Control("query_not_as_expected", "not_proven", checks=("select count(*) = 201 from orders",)),
)
