# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The copy of the other site was lost: it gets a full backup, and within the interval nothing more is made."""

from __future__ import annotations

import json
from collections.abc import Callable


def backups(by_hand: Callable[..., str]) -> list[tuple[int, str]]:
    """Repository and kind of every backup."""
    said = by_hand("db1", "runuser -u postgres -- pgbackrest --stanza=payments --output=json info")
    return sorted((each["database"]["repo-key"], each["type"]) for each in json.loads(said)[0]["backup"])


def test_each_copy_holds_one_full_backup_after_two_runs(by_hand: Callable[..., str]) -> None:
    assert backups(by_hand) == [(1, "full"), (2, "full")]


def test_the_primary_archives_into_both(by_hand: Callable[..., str]) -> None:
    said = by_hand("db1", "runuser -u postgres -- pgbackrest --stanza=payments --log-level-console=info check")
    assert all(f"successfully archived to '/srv/backup/dc{key}" in said for key in (1, 2)), said
