# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a member printed to an Observation in neutral words, and every problem that stands in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Problem
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import Answer
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.sql import position_bytes

PLANNED = ("switchover",)
ANY = ("switchover", "failover")

#: What else of the server's own answer later steps read
KEPT = ("settings", "data_directory", "sessions", "last_commit", "now", "replayed")

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
    if answer is None:
        return Observation(member=member, site=site, address=address)
    if answer.server is None:
        return _silent(member, site, address, answer, _handles(cluster))
    server = answer.server
    recovery = bool(server["recovery"])
    receiver = server.get("receiver") or {}
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
        lag_seconds=_lag_seconds(server, receiver),
        upstream=f"{receiver['host']}:{receiver['port']}" if receiver.get("host") else None,
        last_contact=receiver.get("last_message"),
        system_id=server["system_id"],
        timeline=server["timeline"],
        epoch=answer.epoch,
        version=str(server["version"]).split(".", 1)[0],
        fenced=False,
        followers={f["name"]: f["sync"] if f["state"] == "streaming" else f["state"] for f in server["followers"]},
        receiving=receiver.get("status") == "streaming" if recovery else None,
        promotion=_promotion(answer),
        lease=answer.lease,
        capacities={name: int(server["settings"][name]) for name in AT_LEAST_PRIMARY},
        problems=tuple(_problems(server, answer)),
        engine={key: server[key] for key in KEPT} | _handles(cluster),
    )


def _handles(cluster: Cluster | None) -> dict[str, Any]:
    """What a fence needs to hold on to: the units to stop and the ports to find closed."""
    return {} if cluster is None else {"units": [cluster.unit], "ports": [cluster.port]}


def _silent(member: str, site: str, address: str, answer: Answer, handles: Mapping[str, Any]) -> Observation:
    """The server gave no answer: it is down, or it runs and hangs. The control file still tells a lot."""
    control = answer.control
    state = control.get("Database cluster state", "")
    stopped = answer.running is False and answer.active not in ("active", "activating", "deactivating")
    problems = (
        [
            _problem(
                "rejoin_unfinished",
                "a rewind or a copy was cut off",
                "a finished one",
                "its data directory is not usable",
                ANY,
                "run rejoin again",
            )
        ]
        if answer.rejoining
        else []
    )
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
        comes_back_as=("replica" if answer.standby_signal else "primary") if stopped else None,
        promotion=_promotion(answer),
        lease=answer.lease,
        problems=tuple(problems),
        engine={
            **handles,
            "control_state": state,
            # What it would come back as: a clean stop of a primary leaves "shut down" and no standby.signal
            "stopped_cleanly": state == "shut down" and stopped,
            "standby_signal": answer.standby_signal,
            "rejoining": answer.rejoining,
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


def _lag_seconds(server: Mapping[str, Any], receiver: Mapping[str, Any]) -> float | None:
    """How old the newest thing is that the upstream is known to have said; an upper bound of what is missing.

    With everything held that was announced, it is the age of the last word from upstream: a link that drops
    packets looks like an idle one. Else it is the age of the newest commit, and an idle service ages although
    nothing is missing.
    """
    if not server["recovery"]:
        return None
    if _lag_bytes(server, receiver) == 0 and receiver.get("last_message") is not None:
        return max(0.0, float(server["now"]) - float(receiver["last_message"]))
    if server["last_commit"] is None:
        return None
    return max(0.0, float(server["now"]) - float(server["last_commit"]))


def _problem(rule: str, measured: str, limit: str, message: str, blocks: tuple[str, ...], hint: str) -> Problem:
    return Problem(rule=rule, measured=measured, limit=limit, message=message, blocks=blocks, hint=hint)


def _problems(server: Mapping[str, Any], answer: Answer) -> Iterator[Problem]:
    settings = server["settings"]
    if server["recovery"]:
        if server["replay_paused"]:
            yield _problem(
                "replay_paused",
                "paused",
                "running",
                "the standby does not replay what it receives",
                ANY,
                "SELECT pg_wal_replay_resume() on it",
            )
        if str(server["apply_delay"]) not in ("0", "None"):
            yield _problem(
                "apply_delay",
                f"{server['apply_delay']} ms",
                "0 ms",
                "the standby replays late on purpose",
                ANY,
                "set recovery_min_apply_delay = 0 on it",
            )
    else:
        yield from _primary_problems(server, settings)
    if settings["full_page_writes"] != "on" or "on" not in (settings["wal_log_hints"], settings["data_checksums"]):
        measured = (
            f"full_page_writes={settings['full_page_writes']}, wal_log_hints={settings['wal_log_hints']}, "
            f"data_checksums={settings['data_checksums']}"
        )
        yield _problem(
            "rewind_impossible",
            measured,
            "full_page_writes=on and one of the others on",
            "an old primary could not be rewound",
            PLANNED,
            "set wal_log_hints = on and restart",
        )
    for peer, said in sorted(answer.logins.items()):
        if not said.split("|")[0].isdigit():
            yield _problem(
                "replication_login",
                said or "no answer",
                "a replication connection",
                f"it cannot follow {peer} after the switch",
                PLANNED,
                "check pg_hba.conf and the password file",
            )


def _primary_problems(server: Mapping[str, Any], settings: Mapping[str, str]) -> Iterator[Problem]:
    if server["ready"] and (server["archiver"]["failing"] or int(server["ready"]) > 16):
        yield _problem(
            "archiver_backlog",
            f"{server['ready']} segments wait",
            "16, and no failure since the last success",
            "PostgreSQL does not stop before they are archived",
            PLANNED,
            "mend archive_command",
        )
    if server["base_backups"]:
        yield _problem(
            "base_backup_running",
            str(server["base_backups"]),
            "0",
            "a base backup would be cut off",
            PLANNED,
            "wait for it to end",
        )
