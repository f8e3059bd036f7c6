# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands in the way of a move, read from a server's own answer; for people: docs/engine_postgresql.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Problem
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import Answer

PLANNED = ("switchover",)
ANY = ("switchover", "failover")

#: More than this is not replayed within the moments in which nobody serves (one segment of the log).
REPLAY_BACKLOG_BYTES = 16 * 1024 * 1024


def of_a_silent_server(answer: Answer) -> Iterator[Problem]:
    """The server gives no answer: what its machine tells."""
    if answer.rejoining:
        yield _problem(
            "rejoin_unfinished",
            "a rewind or a copy was cut off",
            "a finished one",
            "its data directory is not usable",
            ANY,
            "run rejoin again",
        )


def of_a_server(server: Mapping[str, Any], answer: Answer) -> Iterator[Problem]:
    """The server answers: its role, its settings, its logins to the others."""
    settings = server["settings"]
    if answer.idle_unit:
        yield _problem(
            "other_unit",
            f"nothing runs in {answer.idle_unit}",
            "the unit that runs the server",
            "the server runs and not as this unit: masking it would not keep the server down after a reboot",
            PLANNED,
            "correct cluster or unit in the plan, or start the server by its unit",
        )
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
