# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows of the canary in several segments of the log, all archived: what a restore in the lab is measured by.

heartbeat.py [SEGMENTS]     on whichever member is primary
"""

from __future__ import annotations

import sys

import provision
from containers import existing
from docker.models.containers import Container
from engine import connect
from say import LabError, wait
from topology import CLUSTERS, Cluster, members

ROW = "INSERT INTO continuity_canary (run_id, seq) SELECT 'heartbeat', coalesce(max(seq), 0) + 1 FROM continuity_canary"


def primary_of(one: Cluster) -> tuple[Container, int]:
    """The primary's machine and port."""
    boxes = existing(connect(start=False))
    for known in members():
        port = one.ports[known.name]
        if provision.psql(boxes[known.name], port, "SELECT pg_is_in_recovery()") == "f":
            return boxes[known.name], port
    raise LabError(f"no primary of {one.service} runs")


def beat(one: Cluster, segments: int) -> None:
    """A row in each of so many segments; ends when the last one is in the archive."""
    box, port = primary_of(one)
    for _number in range(segments):
        provision.psql(box, port, ROW, one.database)
        segment = provision.psql(box, port, "SELECT pg_walfile_name(pg_switch_wal())")
    archived = f"SELECT coalesce(last_archived_wal >= '{segment}', false) FROM pg_stat_archiver"
    wait(f"{segment} is archived", lambda: provision.psql(box, port, archived) == "t", 30)


if __name__ == "__main__":
    for cluster in CLUSTERS:
        if cluster.stanza:
            beat(cluster, int(sys.argv[1]) if len(sys.argv) > 1 else 4)
