# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One PostgreSQL member of stand-ins, and what its server answers."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from fake_member import FakeMember, Output

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import member as members
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member

PRIMARY: dict[str, Any] = {
    "recovery": False,
    "system_id": "7301",
    "timeline": 1,
    "version": "15.7 (Debian 15.7-0)",
    "data_directory": "/data",
    "current": 4096,
    "received": None,
    "replayed": None,
    "replay_paused": False,
    "apply_delay": "0",
    "last_commit": None,
    "now": 1000.0,
    "read_only": False,
    "receiver": None,
    "followers": [{"name": "db2", "address": "203.0.113.132", "state": "streaming", "sync": "sync", "flushed": 4096}],
    "commits": {"setting": "on", "source": "default", "overrides": []},
    "settings": {
        "full_page_writes": "on",
        "wal_log_hints": "on",
        "data_checksums": "off",
        "synchronous_standby_names": '"db2"',
        "max_connections": "100",
        "max_worker_processes": "8",
        "max_wal_senders": "10",
        "max_prepared_transactions": "0",
        "max_locks_per_transaction": "64",
        "archive_mode": "off",
    },
    "archiver": {"failing": False},
    "ready": 0,
    "base_backups": 0,
    "sessions": 3,
}
REPLICA: dict[str, Any] = {
    **PRIMARY,
    "recovery": True,
    "current": None,
    "received": 4096,
    "replayed": 4000,
    "last_commit": 990.0,
    "followers": [],
    "receiver": {
        "status": "streaming",
        "host": "203.0.113.131",
        "port": 5432,
        "last_message": 999.5,
        "latest_end": 4096,
    },
}
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
        """psql prints this (a dict as JSON, a text as it is) after `seconds`; what it was asked stays in psql.sql."""
        text = json.dumps(answer) if isinstance(answer, dict) else str(answer)
        (self.home / "psql.answer").write_text(text + "\n")
        self.program(
            "psql",
            f"cat > @HOME@/psql.sql; [ {seconds} = 0 ] || exec sleep {seconds}; cat @HOME@/psql.answer; exit {rc}",
        )

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


@pytest.fixture
def seen():
    """`seen(server(...))` or `seen(state="in production")`: what the observation's script prints of a member."""

    def say(server=None, state="shut down", status=3, standby=False, minimum="0/0") -> str:
        text = "@@service shop\n@@unit\nActiveState=inactive\nLoadState=loaded\n@@state\n0\n\n@@psql\n"
        if server:
            return f"{text}{json.dumps(server)}\n@@psql_rc 0\n"
        control = CONTROLDATA.format(state=state, minimum=minimum)
        signal = "@@standby_signal\n" if standby else ""
        return f"{text}@@psql_rc 2\n@@status\n@@status_rc {status}\n@@controldata\n{control}{signal}"

    return say


@pytest.fixture
def made(monkeypatch):
    """`made(answers..., check_mode=False)`: a member that gives these answers, one a script; `.scripts` keeps those."""
    monkeypatch.setattr(members, "LONG_WORK_POLL_SECONDS", 0.0)

    def make(*answers, lease=None, check_mode=False):
        given = [answer if isinstance(answer, Output) else Output(0, answer, "") for answer in answers]

        def execute(script, seconds):
            assert seconds > 0
            one.scripts.append(script)
            return given.pop(0)

        one = Member(
            "shop", Cluster.from_member({"host": "db1", "cluster": "15/main"}), lease, execute, check_mode=check_mode
        )
        one.scripts, one.left = [], given
        return one

    return make
