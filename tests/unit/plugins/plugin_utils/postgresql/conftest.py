# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One PostgreSQL member of stand-ins, and what its server answers."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from fake_member import FakeMember

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster

PRIMARY: dict[str, Any] = {
    "recovery": False, "system_id": "7301", "timeline": 1, "version": "15.7 (Debian 15.7-0)", "data_directory": "/data",
    "current": 4096, "received": None, "replayed": None, "replay_paused": False, "apply_delay": "0",
    "last_commit": None, "now": 1000.0, "read_only": False, "receiver": None,
    "followers": [{"name": "db2", "address": "203.0.113.132", "state": "streaming", "sync": "sync", "flushed": 4096}],
    "settings": {
        "full_page_writes": "on", "wal_log_hints": "on", "data_checksums": "off", "synchronous_standby_names": '"db2"',
        "synchronous_commit": "on", "max_connections": "100", "max_worker_processes": "8", "max_wal_senders": "10",
        "max_prepared_transactions": "0", "max_locks_per_transaction": "64", "archive_mode": "off",
    },
    "archiver": {"failing": False}, "ready": 0, "base_backups": 0, "sessions": 3,
}  # fmt: skip
REPLICA: dict[str, Any] = {
    **PRIMARY, "recovery": True, "current": None, "received": 4096, "replayed": 4000, "last_commit": 990.0,
    "followers": [],
    "receiver": {
        "status": "streaming", "host": "203.0.113.131", "port": 5432, "last_message": 999.5, "latest_end": 4096,
    },
}  # fmt: skip
CONTROLDATA = """pg_control version number:            1300
Database system identifier:           7301
Database cluster state:               {state}
Latest checkpoint location:           0/1000
Latest checkpoint's TimeLineID:       1
Minimum recovery ending location:     {minimum}
"""


@pytest.fixture
def server():
    """`server("primary", timeline=2)`: what the server of that role says of itself."""

    def say(role: str, **changes: Any) -> dict[str, Any]:
        return copy.deepcopy(PRIMARY if role == "primary" else REPLICA) | changes

    return say


class Machine(FakeMember):
    """A fake member whose PostgreSQL says what a test wants."""

    @property
    def cluster(self) -> Cluster:
        return Cluster.from_member(self.member())

    def says(self, answer: object, rc: int = 0, seconds: float = 0) -> None:
        """psql prints this (a dict as JSON, a text as it is), after `seconds`; what it was asked is kept in psql.sql."""
        text = json.dumps(answer) if isinstance(answer, dict) else str(answer)
        (self.home / "psql.answer").write_text(text + "\n")
        self.program("psql", f"cat > @HOME@/psql.sql; [ {seconds} = 0 ] || exec sleep {seconds}; cat @HOME@/psql.answer; exit {rc}")

    def status(self, rc: int) -> None:
        """pg_ctl status ends with 0 (a postmaster runs), 3 (none runs) or 4 (no data); other verbs are noted only."""
        self.program("pg_ctl", f'[ "$1" = status ] && exit {rc}; exit 0')

    def control(self, state: str = "in production", rc: int = 0, minimum: str = "0/0") -> None:
        (self.home / "control").write_text(CONTROLDATA.format(state=state, minimum=minimum))
        self.program("pg_controldata", f"cat @HOME@/control; exit {rc}")

    @property
    def asked(self) -> str:
        return (self.home / "psql.sql").read_text()

    def ran(self, program: str) -> list[list[str]]:
        """The arguments of every call of a program with other rights, its path cut off."""
        return [argv[1:] for _user, argv in self.commands if argv[0].rpartition("/")[2] == program]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    made = Machine(tmp_path)
    monkeypatch.setattr(lease, "STATE_DIRECTORY", str(made.state))
    made.status(3)
    made.control()
    return made
