# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every case, one file a peer. A new peer is a new file here and its name in this list."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.cases import (
    ansible,
    continuity,
    floor,
    large,
    patroni,
    pg_auto_failover,
    playbook,
    repmgr,
    scale,
)
from benchmarks.peer import Peer, PeerCase

ALL: dict[str, Case] = {
    case.name: case
    for module in (floor, continuity, playbook, repmgr, patroni, pg_auto_failover, ansible, large, scale)
    for case in module.CASES
}
#: Without these there is nothing to compare with, and the benchmark fails.
NEEDED_PEERS = ("repmgr", "patroni")


def peers(names: tuple[str, ...] | list[str]) -> dict[str, Peer]:
    """The products that these cases need, by name."""
    return {case.peer: case.product for name in names if isinstance(case := ALL[name], PeerCase)}
