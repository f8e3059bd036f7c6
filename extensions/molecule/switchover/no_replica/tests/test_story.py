# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Without a replica there is nothing to move to."""

from __future__ import annotations

from collections.abc import Callable


def test_the_stopped_member_is_named(refused: Callable[..., tuple[str, str]]) -> None:
    # that the primary could not follow it afterwards is measured and said too
    measured, limit = refused("no_replica", "accounts-db", "replication_login")
    assert (measured, limit) == ("db2 (dc2): stopped", "a running replica")
