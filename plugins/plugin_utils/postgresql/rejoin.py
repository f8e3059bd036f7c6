# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a member that is not in replication comes back to it: the decision table, and the script of each method."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, guarded
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import RUN_AS
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.sql import position_bytes, position_text

Method = Literal["none", "follow", "rewind", "clone"]


@dataclass(frozen=True)
class Branch:
    """Where the new primary stands: its timeline, its position, and where each earlier timeline ended."""

    system_id: str
    timeline: int
    position: int
    ends: Mapping[int, int]

    @classmethod
    def from_server(cls, server: Mapping[str, Any]) -> Branch:
        """Read what sql.HISTORY returned; a line of the history is ``<timeline> <position> <reason>``.

        Raises ValueError when it is not what ``state: settled`` returned.
        """
        missing = [key for key in ("system_id", "timeline", "position", "history") if key not in server]
        if missing:
            raise ValueError(f"history has no {', '.join(missing)}: give the branch that state=settled returned")
        ends = {}
        for line in str(server["history"]).splitlines():
            fields = line.split()
            if len(fields) >= 2 and fields[0].isdigit():
                ends[int(fields[0])] = position_bytes(fields[1])
        return cls(str(server["system_id"]), int(server["timeline"]), int(server["position"]), ends)


def method(old: Observation, branch: Branch, upstream: Upstream) -> Method | Refusal:
    """Decide how ``old`` follows again, or refuse.

    | observed on the old member                          | method |
    |-----------------------------------------------------|--------|
    | streams from the new primary already                | none   |
    | runs as a primary, or does not answer and may be one| refuse |
    | other system identifier                             | refuse |
    | a rewind or copy was cut off, or no usable data     | clone  |
    | the primary's data was replaced by a restore        | clone  |
    | same timeline, not ahead                            | follow |
    | same timeline, ahead; or a higher timeline          | refuse |
    | older timeline, stopped cleanly at or before its end| follow |
    | older timeline, past its end, or not cleanly stopped| rewind |
    """
    if old.is_primary:
        return _refuse("running_as_primary", old, "running as a primary", "stopped and fenced", "fence it first")
    if not old.reachable or not (old.running is False or old.is_replica or old.engine.get("standby_signal")):
        return _refuse("not_stopped", old, "does not answer", "stopped, or a replica", "fence it first")
    if old.system_id not in (None, branch.system_id):
        return _refuse(
            "other_cluster", old, str(old.system_id), branch.system_id, "clone it by hand if it really belongs here"
        )
    if old.system_id is None or old.timeline is None or old.engine.get("rejoining"):
        return "clone"
    if _replaced(old, branch):
        return "clone"
    if old.timeline > branch.timeline:
        return _refuse(
            "timeline_ahead",
            old,
            str(old.timeline),
            f"{branch.timeline} or lower",
            "find out which member was promoted last: the wrong one may be primary",
        )
    if old.is_replica and old.receiving and old.upstream == f"{upstream.host}:{upstream.port}":
        return "none"
    return _by_position(old, branch)


def _replaced(old: Observation, branch: Branch) -> bool:
    """A restore was put in place, and this member follows what it replaced.

    pg_rewind sees no need where nothing beyond the fork has reached the member's data files yet, but the log that it
    holds leads past the fork all the same.
    """
    record = old.promotion or {}
    return bool(record.get("restored")) and record.get("timeline") == branch.timeline != old.timeline


def _by_position(old: Observation, branch: Branch) -> Method | Refusal:
    position, timeline = old.position, old.timeline
    if timeline == branch.timeline:
        if position is not None and position > branch.position:
            return _refuse(
                "position_ahead",
                old,
                position_text(position),
                position_text(branch.position),
                "a rewind cannot help on the same timeline: find out which member is right",
            )
        # Not cleanly stopped on the same timeline: a standby that crashed simply recovers and follows
        return "follow" if old.is_replica or old.engine.get("standby_signal") or position is not None else "rewind"
    end = branch.ends.get(timeline or 0)
    clean = old.is_replica or position is not None
    # The position of a clean stop is where its last record begins: before the end means not past it
    return "follow" if clean and end is not None and position is not None and position < end else "rewind"


def _refuse(rule: str, old: Observation, measured: str, limit: str, hint: str) -> Refusal:
    return Refusal(rule, measured, limit, f"{old.member} cannot become a replica", hint)


def rewind(service: str, lease: Lease | None, cluster: Cluster, upstream: Upstream) -> str:
    """Take the old member back to where the timelines parted. The marker tells of one that was cut off."""
    return guarded(
        lease,
        service,
        f"""{RUN_AS}
{_stopped(cluster)}
: > "$state/rejoining"; sync "$state/rejoining"
{cluster.as_user(["/usr/bin/rm", "-f", cluster.standby_signal()])} </dev/null
{_long(cluster, cluster.rewind(upstream))}
""",
    )


def clone(service: str, lease: Lease | None, cluster: Cluster, upstream: Upstream) -> str:
    """Copy the new primary beside the old data."""
    return guarded(
        lease,
        service,
        f"""{RUN_AS}
{_stopped(cluster)}
if {cluster.as_user(["/usr/bin/test", "-e", cluster.kept_directory])} </dev/null; then
  continuity_refuse kept_data_present {shlex.quote(cluster.kept_directory)}
fi
{cluster.as_user(["/usr/bin/rm", "-rf", cluster.new_directory])} </dev/null
{_long(cluster, cluster.clone(upstream))}
""",
    )


def swap_in(service: str, lease: Lease | None, cluster: Cluster) -> str:
    """Put the finished copy in place of the old data, which is kept and not deleted. It may be gone, with its disk."""
    there = cluster.as_user(["/usr/bin/test", "-e", cluster.data_directory])
    keep = cluster.as_user(["/usr/bin/mv", "-T", cluster.data_directory, cluster.kept_directory])
    swap = cluster.as_user(["/usr/bin/mv", "-T", cluster.new_directory, cluster.data_directory])
    return guarded(
        lease,
        service,
        f"""{RUN_AS}
{_stopped(cluster)}
! {there} </dev/null || {keep} </dev/null || {{ echo "@@failed keep"; exit 1; }}
{swap} </dev/null || {{ echo "@@failed swap"; exit 1; }}
""",
    )


def progress(cluster: Cluster) -> str:
    """Ask whether the long work still runs, and how it ended."""
    unit = shlex.quote(cluster.long_unit())
    return f"systemctl show -p ActiveState -p Result -p ExecMainStatus {unit}\n"


def start(service: str, lease: Lease | None, cluster: Cluster, upstream: Upstream, seconds: float) -> str:
    """Start the data directory as a replica and wait until it streams.

    It is unmasked only here, after it was made a standby: a reboot in between must not bring back a primary.
    """
    streams = (
        "do $c$ begin for i in 1.." + str(int(seconds * 20)) + " loop exit when exists "
        "(select from pg_stat_wal_receiver where status = 'streaming'); perform pg_sleep(0.05); end loop; end $c$;\n"
        "select json_build_object('recovery', pg_is_in_recovery(), 'streaming', exists "
        "(select from pg_stat_wal_receiver where status = 'streaming'));"
    )
    begin = cluster.as_root(["/usr/bin/systemctl", "start", cluster.unit])
    return guarded(
        lease,
        service,
        f"""{RUN_AS}
{_stopped(cluster)}
{act.follow(cluster, upstream)}
rm -f "$state/rejoining"
{cluster.as_root(["/usr/bin/systemctl", "unmask", cluster.unit])} >/dev/null 2>&1
echo @@changed
timeout -k 1 60 {begin} </dev/null || {{ echo "@@failed start"; exit 1; }}
{act.psql(cluster, streams, seconds + 5, "streaming")}
""",
    )


def _stopped(cluster: Cluster) -> str:
    """The unit's state and the server's must agree: a unit that systemd believes active would not start again."""
    stop = cluster.as_root(["/usr/bin/systemctl", "stop", cluster.unit])
    return f'{stop} </dev/null; ! {act.running(cluster)} || {{ echo "@@failed stop"; exit 1; }}'


def _long(cluster: Cluster, command: list[str]) -> str:
    """Run as a transient unit: it goes on when the controller dies, and the next run finds it by its name."""
    # A failed unit of an earlier try stays, so that its result can be read, until it is cleared here
    clear = cluster.as_root(["/usr/bin/systemctl", "reset-failed", cluster.long_unit()])
    begin = cluster.as_root(cluster.long_run(command))
    return f'{clear} </dev/null 2>/dev/null\n{begin} </dev/null || {{ echo "@@failed begin"; exit 1; }}\necho @@began'
