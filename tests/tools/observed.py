# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an observation of a member shows, where tests need the same one."""

from __future__ import annotations

from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation

GONE = Observation("db1", "dc1", address="198.51.100.11")


def left_behind(**changes: Any) -> Observation:
    """The replica db2 in dc2, whose primary db1 is `GONE`: it runs, and has received nothing for a second."""
    seen: dict[str, Any] = {
        "reachable": True,
        "running": True,
        "role": "replica",
        "writable": False,
        "position": 1000,
        "lag_seconds": 1.0,
        "upstream": "db1:5432",
        "receiving": False,
        "system_id": "7",
        "timeline": 1,
        "epoch": 0,
        "address": "203.0.113.11",
    }
    return Observation("db2", "dc2", **{**seen, **changes})
