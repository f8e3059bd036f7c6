# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A service that has replicas and no backup is refused: a replica repeats a mistake at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def test_each_run_says_that_a_replica_is_no_backup(said: Mapping[str, Any]) -> None:
    for mode, result in said.items():
        assert result.rc == 2, mode
        assert "no_backup_planned" in result.output and "a replica or a RAID is none" in result.output, mode
