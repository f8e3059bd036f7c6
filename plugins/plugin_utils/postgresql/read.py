# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a member printed to an Observation in neutral words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.followers import followers
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import Answer
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.problems import of_a_server, of_a_silent_server
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.sql import position_bytes

#: What else of the server's own answer later steps read
KEPT = ("settings", "data_directory", "sessions", "last_commit", "now", "replayed")

#: More than clocks that are kept in step differ by.
CLOCKS_DIFFER_SECONDS = 1.0

#: A standby that has fewer of these than its primary stops replaying (PostgreSQL's own rule).
AT_LEAST_PRIMARY = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)


def observation(
    member: str, site: str, address: str, answer: Answer | None, cluster: Cluster | None = None
) -> Observation:
    """Judge one answer; None is a member that could not be reached.

    Example: ``observation("db1", "dc1", "198.51.100.11", parse(stdout)["payments-db"])``.
    """
    if answer is None:  # what holds its database is in the plan: a fence needs it when the machine comes back
        return Observation(member=member, site=site, address=address, engine=_handles(cluster))
    if answer.server is None:
        return _silent(member, site, address, answer, cluster)
    server = answer.server
    recovery = bool(server["recovery"])
    receiver = server.get("receiver") or {}
    lag_seconds, committed = _newest(server, receiver)
    return Observation(
        member=member,
        site=site,
        address=address,
        reachable=True,
        running=True,
        role="replica" if recovery else "primary",
        writable=not recovery and not server["read_only"],
        position=_position(server),
        lag_bytes=_lag_bytes(server, receiver),
        lag_seconds=lag_seconds,
        committed=committed,
        upstream=f"{receiver['host']}:{receiver['port']}" if receiver.get("host") else None,
        last_contact=receiver.get("last_message"),
        system_id=server["system_id"],
        timeline=server["timeline"],
        epoch=answer.epoch,
        version=str(server["version"]).split(".", 1)[0],
        fenced=False,
        starts_at_boot=answer.starts_at_boot,
        followers=followers(server),
        receiving=receiver.get("status") == "streaming" if recovery else None,
        promotion=_promotion(answer),
        lease=answer.lease,
        clock=float(server["now"]),
        capacities={name: int(server["settings"][name]) for name in AT_LEAST_PRIMARY},
        problems=tuple(of_a_server(server, answer, cluster)),
        engine={key: server[key] for key in KEPT}
        | _handles(cluster)
        | {"promoting": _promoting(server, answer), "long_work": answer.long_work},
    )


def _promoting(server: Mapping[str, Any], answer: Answer) -> bool:
    """A promotion was sent to this very server, still in recovery, and may yet come: it ends only with the server."""
    sent = answer.promoting_seconds
    return bool(server["recovery"]) and sent is not None and sent <= float(server.get("up_seconds") or 0.0) + 1.0


def _handles(cluster: Cluster | None) -> dict[str, Any]:
    """What a fence needs to hold on to: the units to stop and the ports to find closed."""
    return {} if cluster is None else {"units": [cluster.unit], "ports": [cluster.port]}


def _silent(member: str, site: str, address: str, answer: Answer, cluster: Cluster | None) -> Observation:
    """The server gave no answer: it is down, or it runs and hangs. The control file still tells a lot."""
    control = answer.control
    state = control.get("Database cluster state", "")
    stopped = answer.running is False and answer.active not in ("active", "activating", "deactivating")
    return Observation(
        member=member,
        site=site,
        address=address,
        reachable=True,
        running=False if stopped else None,
        role="none" if stopped else "unknown",
        writable=False if stopped else None,
        position=_checkpoint(control) if stopped and state.startswith("shut down") else None,
        system_id=control.get("Database system identifier"),
        timeline=_integer(control.get("Latest checkpoint's TimeLineID")),
        epoch=answer.epoch,
        fenced=stopped and answer.masked,
        starts_at_boot=answer.starts_at_boot,
        comes_back_as=("replica" if answer.standby_signal else "primary") if stopped else None,
        promotion=_promotion(answer),
        lease=answer.lease,
        problems=tuple(of_a_silent_server(answer, cluster)),
        engine={
            **_handles(cluster),
            "control_state": state,
            # What it would come back as: a clean stop of a primary leaves "shut down" and no standby.signal
            "stopped_cleanly": state == "shut down" and stopped,
            "standby_signal": answer.standby_signal,
            "rejoining": answer.rejoining,
            "long_work": answer.long_work,
            "masked": answer.masked,
            "error": answer.error,
        },
    )


def _promotion(answer: Answer) -> Mapping[str, Any] | None:
    """The record beside the lease, flat: who was promoted by which run, and where the new timeline began."""
    record, server = (answer.promotion or {}).get("record"), (answer.promotion or {}).get("server")
    if not isinstance(record, dict):
        return None
    began = server if isinstance(server, dict) else {}
    return {**record, **{key: began[key] for key in ("timeline", "position", "system_id") if key in began}}


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _checkpoint(control: Mapping[str, str]) -> int | None:
    """Where a clean stop left it; a standby's own last checkpoint is behind what it has replayed."""
    standby = control.get("Database cluster state") == "shut down in recovery"
    text = control.get("Minimum recovery ending location" if standby else "Latest checkpoint location")
    return position_bytes(text) if text and "/" in text else None


def _position(server: Mapping[str, Any]) -> int | None:
    if not server["recovery"]:
        return int(server["current"])
    known = [int(server[key]) for key in ("received", "replayed") if server[key] is not None]
    return max(known) if known else None


def _lag_bytes(server: Mapping[str, Any], receiver: Mapping[str, Any]) -> int | None:
    """Behind what the upstream last announced; unknown without a live upstream."""
    position = _position(server)
    if receiver.get("status") != "streaming" or receiver.get("latest_end") is None or position is None:
        return None
    return max(0, int(receiver["latest_end"]) - position)


def _newest(server: Mapping[str, Any], receiver: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """How old the newest thing is that the upstream is known to have said, and the commit that it is, if it is one.

    With everything held that was announced, it is the last word from upstream: a link that drops packets looks like an
    idle one. Its age is one clock's, this member's. Else it is the newest commit, and an idle service ages although
    nothing is missing. A commit has the time of the primary's clock: one from the future tells that the two clocks
    differ, and no age. One from the past tells nothing of them, so whoever bounds a loss needs its time, too.
    """
    if not server["recovery"]:
        return None, None
    if _lag_bytes(server, receiver) == 0 and receiver.get("last_message") is not None:
        since = float(server["now"]) - float(receiver["last_message"])
        # Heard later than now: the clock was set back since, and nobody knows by how much
        if since >= -CLOCKS_DIFFER_SECONDS:
            return max(0.0, since), None
    if server["last_commit"] is None:
        return None, None
    committed = float(server["last_commit"])
    age = float(server["now"]) - committed
    return None if age < -CLOCKS_DIFFER_SECONDS else max(0.0, age), committed
