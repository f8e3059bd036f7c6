# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands in the way of a move, read from a server's own answer; for people: docs/engine_postgresql.md."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import EVERY_VERB, HALF_FENCED, TOLD, Problem
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import Answer

PLANNED = ("switchover",)
ANY = ("switchover", "failover")
EVERY = (EVERY_VERB,)

#: Exit codes of psql that is there and may be run: 0 it did, 2 no server let it in. The others are those of `timeout`
#: that ended it, where the server hangs.
SAID_BY_PSQL = (0, 2, 124, 137, None)

#: More than this is not replayed within the moments in which nobody serves (one segment of the log).
REPLAY_BACKLOG_BYTES = 16 * 1024 * 1024


def of_a_silent_server(answer: Answer, cluster: Cluster | None = None) -> Iterator[Problem]:
    """The server gives no answer: what its machine tells."""
    if answer.running and answer.masked:
        yield _half_fenced(answer, cluster, comes_back_as_replica=False)
    if answer.psql_rc not in SAID_BY_PSQL:
        yield _problem(
            "cannot_ask",
            answer.error.strip() or f"exit code {answer.psql_rc}",
            "an answer, or psql's own word that there is none",
            f"{cluster.psql()[0] if cluster else 'psql'} could not ask the server, which may run or not",
            (TOLD,),
            "install PostgreSQL's client there, correct cluster, bin_directory or user in the plan, or give the login "
            "its rights (the verb rights writes them)",
        )
    if answer.rejoining:
        yield _problem(
            "rejoin_unfinished",
            "a rewind or a copy was cut off",
            "a finished one",
            "its data directory is not usable",
            ANY,
            "run rejoin again",
        )
    if answer.running is False and answer.active == "active" and answer.main_program in ("postgres", "postmaster"):
        yield _other_server(f"{answer.unit} runs a server (process {answer.main_pid}) on another data directory")


def of_a_server(server: Mapping[str, Any], answer: Answer, cluster: Cluster | None = None) -> Iterator[Problem]:
    """The server answers: whether it is the plan's, its role, its settings, its logins to the others."""
    settings = server["settings"]
    yield from _another_one(server, answer, cluster)
    comes_back_as_replica = bool(cluster and server.get("standby_signal") and not server["recovery"])
    if answer.masked or comes_back_as_replica:
        yield _half_fenced(answer, cluster, comes_back_as_replica)
    if server["recovery"]:
        yield from _replay_problems(server)
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


def _half_fenced(answer: Answer, cluster: Cluster | None, comes_back_as_replica: bool) -> Problem:
    """What a fence, or a freeze, does before its stop is done, and the server runs."""
    unit, found, by_hand = cluster.unit if cluster else answer.unit, [], []
    if answer.masked:
        found, by_hand = [f"{unit} is masked"], [f"sudo systemctl unmask {shlex.quote(unit)}"]
    if cluster and comes_back_as_replica:
        found.append("standby.signal is there")
        by_hand.insert(0, f"sudo -u {cluster.user} rm -f {cluster.standby_signal()}")
    would = "come back as a replica" if comes_back_as_replica else "not start again"
    return _problem(
        HALF_FENCED,
        ", ".join(found),
        "a running server that starts again",
        f"after a reboot it would {would}: a run is at work there, or was cut off before it stopped the server",
        (TOLD,),
        f"run the verb that was cut off again, or rejoin; by hand: {'; '.join(by_hand)}",
    )


def _another_one(server: Mapping[str, Any], answer: Answer, cluster: Cluster | None) -> Iterator[Problem]:
    """What the plan's port leads to is not what runs on its data directory, or as its unit."""
    if cluster and server.get("started") != server.get("started_there"):
        yield _problem(
            "other_directory",
            f"the server on port {cluster.port} runs on {server['data_directory']}",
            f"{cluster.data_directory}, as in the plan",
            "port and data directory are those of two servers: one would be asked, and the other one stopped",
            EVERY,
            "correct cluster, port or data_directory of this member in the plan",
        )
    if answer.idle_unit:
        yield _problem(
            "other_unit",
            f"nothing runs in {answer.idle_unit}",
            "the unit that runs the server",
            "the server runs and not as this unit: masking it would not keep the server down after a reboot",
            PLANNED,
            "correct cluster or unit in the plan, or start the server by its unit",
        )
    elif _runs_elsewhere(server.get("pid"), answer):
        runs = f"runs process {answer.main_pid}" if answer.main_pid else "does not run it"
        yield _other_server(f"{answer.unit} {runs}, the server is process {server['pid']}")


def _runs_elsewhere(pid: int | None, answer: Answer) -> bool:
    """The unit's main process is not the server, and the server is not below the unit either.

    A main process may be another program that starts the server. Where no control group can be read, the main process
    alone tells, once the unit has begun.
    """
    if pid is None or not answer.unit or pid == answer.main_pid or answer.unit in answer.cgroup:
        return False
    return answer.active == "active" or any(part.endswith((".service", ".scope")) for part in answer.cgroup)


def _other_server(measured: str) -> Problem:
    return _problem(
        "other_unit",
        measured,
        "the unit that runs the server",
        "stopping and masking this unit would take another server down, and leave this one",
        EVERY,
        "correct cluster or unit in the plan, or start the server by its unit",
    )


def _replay_problems(server: Mapping[str, Any]) -> Iterator[Problem]:
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
    behind = (
        0 if None in (server["received"], server["replayed"]) else int(server["received"]) - int(server["replayed"])
    )
    if behind > REPLAY_BACKLOG_BYTES:
        yield _problem(
            "replay_backlog",
            f"{behind} bytes",
            f"{REPLAY_BACKLOG_BYTES} bytes",
            "it would replay what it has received during the outage",
            PLANNED,
            "wait until it has caught up, or end what holds its replay back",
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


def _problem(rule: str, measured: str, limit: str, message: str, blocks: tuple[str, ...], hint: str) -> Problem:
    return Problem(rule=rule, measured=measured, limit=limit, message=message, blocks=blocks, hint=hint)
