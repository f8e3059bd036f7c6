# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was observed of each copy, as plain values for a result, a report or a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Repository, Schedule, due, gaps


def copies(repositories: Sequence[Repository], plan: Schedule, now: float) -> list[dict[str, Any]]:
    """One entry for each copy; what is not known is None."""
    return [_copy(each, plan, now) for each in repositories]


def _copy(copy: Repository, plan: Schedule, now: float) -> dict[str, Any]:
    newest, archive = copy.newest, copy.archive
    missing = None
    if newest is not None and archive is not None and archive.segments:
        missing = len(gaps(archive, newest.wal_start, archive.newest_timeline or newest.timeline))
    return {
        "key": copy.key,
        "site": copy.site,
        "reachable": copy.reachable,
        "message": copy.message,
        "backups": len(copy.backups),
        "usable": len(copy.usable),
        "newest": newest.label if newest else None,
        "kind": newest.kind if newest else None,
        "age_seconds": max(now - newest.stopped, 0.0) if newest else None,
        "size_bytes": newest.size if newest else None,
        "repository_size_bytes": newest.repository_size if newest else None,
        "timeline": newest.timeline if newest else None,
        "archive_age_seconds": _since(archive.newest if archive else None, now),
        "archived_until": archive.newest if archive else None,
        "archive_missing_segments": missing,
        "due": due(copy, plan, now) if copy.reachable else None,
        "restore_proven_seconds_ago": _since(copy.proven, now),
        "verified_seconds_ago": _since(copy.verified, now),
    }


def _since(then: float | None, now: float) -> float | None:
    return max(now - then, 0.0) if then is not None else None
