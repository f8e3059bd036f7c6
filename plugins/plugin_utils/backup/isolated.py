# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The server on restored data: nobody can reach it, and it runs only to recover and to be asked what it holds."""

from __future__ import annotations

import shlex
import time
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import observe, prove, read
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.directory import write_beside
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.machine import Machine, pause
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.act import psql
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError

#: What a server in recovery needs at least as large as its primary had it, by its name in the control file
CAPACITIES = {
    "max_connections setting": "max_connections",
    "max_worker_processes setting": "max_worker_processes",
    "max_wal_senders setting": "max_wal_senders",
    "max_prepared_xacts setting": "max_prepared_transactions",
    "max_locks_per_xact setting": "max_locks_per_transaction",
    "track_commit_timestamp setting": "track_commit_timestamp",
}


class IsolatedServer:
    """The restored server of one member. ``machine`` runs the scripts."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.stanza = machine.stanza
        self.cluster = machine.cluster

    @property
    def log(self) -> str:
        """Where it logs."""
        return f"{self.stanza.run_directory}/postgresql.log"

    def recovered(self, note: str) -> read.Recovery:
        """Start it and wait until it is at the target, or has ended; what its log says of that.

        ``note``: shell text that is run right before the start.
        """
        settings = self._stopped()
        before = note + write_beside(self.stanza, "postgresql.conf", settings)
        before += f"{self.cluster.as_user(['/usr/bin/rm', '-f', self.log])} </dev/null\n"
        self.machine.begin("restored", self.stanza.serve(), before)
        began = time.monotonic()
        while not self._at_rest():
            pause(began)
        return read.recovery(self.machine.read(self.log))

    def _stopped(self) -> str:
        """Stop it; the settings that its primary had, without which it would not start to recover."""
        asked = f"LC_ALL=C; export LC_ALL\n{self.cluster.as_user(self.stanza.restored.controldata())} </dev/null || :\n"
        said = self.machine.act(self._stop() + asked, 90)
        return "".join(
            f"{CAPACITIES[name.strip()]} = {value.strip()}\n"
            for name, _colon, value in (line.partition(":") for line in said.splitlines())
            if name.strip() in CAPACITIES
        )

    def _at_rest(self) -> bool:
        """It waits at the target, was promoted, has ended, or ends every connection."""
        unit = shlex.quote(self.stanza.unit("restored"))
        ask = psql(self.stanza.restored, prove.STATE, 5, redirect="2>/dev/null ")
        output = self.machine.look(f"echo unit=$(systemctl show -p SubState --value {unit})\n{ask}\n")
        state = observe.json_of(output.stdout)
        if state is not None:
            return bool(not state["recovery"] or state["paused"])
        ended = "unit=running" not in output.stdout.splitlines()
        return ended or bool(read.recovery(self.machine.read(self.log)).fatal)

    def readable(self) -> dict[str, Any]:
        """Its state, once all of its tables can be read.

        The target may lie within a transaction that empties or drops a table: paused before its commit, recovery would
        hold that table's lock for ever. Then recovery is ended, which takes such a transaction back.
        """
        state = self._state()
        if state["locked"]:
            self.machine.look(psql(self.stanza.restored, "select pg_wal_replay_resume();", 10))
            began = time.monotonic()
            while (state := self._state())["recovery"]:
                pause(began)
        return state

    def _state(self) -> dict[str, Any]:
        output = self.machine.look(f"{psql(self.stanza.restored, prove.STATE, 10)}")
        state = observe.json_of(output.stdout)
        if state is None:
            raise MemberError(f"the restored server does not answer: {output.stderr.strip()[-300:]}", "not_proven")
        return state

    def stop(self) -> None:
        """Stop it if it runs; nothing else can be running on the directory."""
        self.machine.act(self._stop(), 90)

    def _stop(self) -> str:
        stop = self.cluster.as_user(self.stanza.stop_restored())
        status = self.cluster.as_user(self.stanza.restored.status())
        # pgBackRest may still fetch ahead, into a directory that is deleted next
        rest = self.cluster.as_root(["/usr/bin/systemctl", "stop", self.stanza.unit("restored")])
        return (
            f"if {status} >/dev/null 2>&1 </dev/null; then {stop} >/dev/null 2>&1 </dev/null || "
            f'{{ echo "@@failed stop_restored"; exit 1; }}; fi\n{rest} >/dev/null 2>&1 </dev/null || :\n'
        )
