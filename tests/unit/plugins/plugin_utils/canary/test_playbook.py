# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role and the step as a playbook uses them, with a real ansible-playbook and a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.record import in_use, read

from .conftest import until

COLLECTIONS = Path(__file__).resolve().parents[5] / "build" / "collections"
SECRET = "kept-from-everyone-41"


class Playbook:
    """Plays tasks on localhost with the variables of a service that has a canary."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.ledger = folder / "canary" / "payments-db.jsonl"
        self.variables = {
            "canary": {"database": "postgres", "role": "canary", "password": SECRET, "rate": 100},
            "canary_service": "payments-db",
            "canary_endpoint": "127.0.0.1",
            "canary_ports": {"127.0.0.1": port},
            "canary_run_id": "run-1",
            "canary_directory": str(folder / "canary"),
            "canary_stage": "maintenance",
        }

    def command(self, tasks: list[dict], *options: str, **variables: object) -> tuple[list[str], dict[str, str]]:
        play = {"hosts": "localhost", "gather_facts": False, "vars": {**self.variables, **variables}, "tasks": tasks}
        book = self.folder / "play.yml"
        book.write_text(yaml.safe_dump([play]))
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_LOCALHOST_WARNING": "False"}
        environment |= {"ANSIBLE_NOCOLOR": "1", "HOME": str(self.folder)}
        return [sys.executable, "-m", "ansible", "playbook", str(book), *options], environment

    def play(self, tasks: list[dict], *options: str, **variables: object) -> subprocess.CompletedProcess[str]:
        command, environment = self.command(tasks, *options, **variables)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def role(entry: str) -> dict:
    return {"ansible.builtin.include_role": {"name": "continuity.dr.canary", "tasks_from": entry}}


@pytest.fixture
def playbook(server, tmp_path):
    (server.data / "pg_hba.conf").write_text("host all postgres all trust\nhost all all all scram-sha-256\n")
    server.sql("SELECT pg_reload_conf()")
    return Playbook(tmp_path, server.port)


def test_a_maintenance_is_watched_from_start_to_stop(playbook, server) -> None:
    server.sql("DROP TABLE continuity_canary")
    owner = {"canary_owner": "postgres"}
    done = playbook.play([role(one) for one in ("set_up", "start", "measure", "stop")], "-vvv", **owner)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = json.loads(playbook.ledger.with_suffix(".json").read_text())["measurements"]
    assert [(one["stage"], one["lost"], one["stable"]) for one in kept] == [("maintenance", 0, True)]
    assert kept[0]["acknowledged"] >= 100 and kept[0]["outage_seconds"] < 1
    assert read(playbook.ledger).ended[-1]["reason"] == "sigterm"
    files = [path for path in playbook.folder.rglob("*") if path.is_file() and path.name != "play.yml"]
    assert SECRET not in done.stdout + done.stderr
    assert all(SECRET.encode() not in path.read_bytes() for path in files)


def test_check_mode_touches_nothing(playbook, server) -> None:
    server.sql("DROP TABLE continuity_canary")
    owner = {"canary_owner": "postgres"}
    done = playbook.play([role(one) for one in ("set_up", "start", "measure", "stop")], "--check", **owner)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=2" in done.stdout, "set_up and start would change something"
    assert not playbook.ledger.parent.exists()
    assert server.sql("SELECT to_regclass('continuity_canary')") == [(None,)]


def test_without_a_canary_nothing_happens(playbook) -> None:
    tasks = [role(one) for one in ("set_up", "start", "measure", "stop")]
    done = playbook.play(tasks, canary=None)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout and "skipped=4" in done.stdout
    assert not playbook.ledger.parent.exists()


def test_half_a_canary_is_refused_without_its_password(playbook) -> None:
    done = playbook.play([role("start")], "-vvv", canary={"database": "postgres", "password": SECRET})
    assert done.returncode == 2
    assert "missing required arguments: role found in canary" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_a_killed_playbook_takes_its_canary_with_it(playbook) -> None:
    pause = {"ansible.builtin.wait_for": {"timeout": 60}}
    command, environment = playbook.command([role("start"), pause])
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        until(lambda: playbook.ledger.exists() and read(playbook.ledger).last_seq > 20, "writing", 30)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        until(lambda: not in_use(playbook.ledger), "stopped by itself", 3)
    assert read(playbook.ledger).ended[-1]["reason"] == "controller_gone"


def test_a_canary_that_cannot_write_fails_the_play_with_the_reason(playbook, server) -> None:
    server.sql("DROP TABLE continuity_canary")
    task = {
        "continuity.dr.canary": {
            "state": "started",
            "service": "payments-db",
            "endpoint": "127.0.0.1",
            "port": server.port,
            "database": "postgres",
            "role": "canary",
            "password": SECRET,
            "run_id": "run-1",
            "directory": str(playbook.ledger.parent),
            "timeout_seconds": 1,
        }
    }
    done = playbook.play([task])
    assert done.returncode == 2
    assert '"reason": "canary_cannot_write"' in done.stdout and "entry point set_up" in done.stdout
    assert not in_use(playbook.ledger)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rat": 3}, 'canary: rat: unknown option (did you mean "rate"?)'),
        ({"database": "shop", "role": "canary", "run_id": "x"}, "state started needs the option directory"),
        ({"database": "shop", "run_id": "x", "directory": "/tmp/x"}, "state started needs the option role"),
        ({"state": "running"}, "value of state must be one of: set_up, started, measured, stopped, got: running"),
    ],
)
def test_wrong_options_are_refused(playbook, options, message) -> None:
    base = {"state": "started", "service": "payments-db", "endpoint": "127.0.0.1"}
    done = playbook.play([{"continuity.dr.canary": {**base, **options}}])
    assert done.returncode == 2
    assert any(one in done.stdout + done.stderr for one in message.split("|")), done.stdout + done.stderr
