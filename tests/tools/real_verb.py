# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An inventory, a plan and a connection: a verb works on a primary of this machine, without SSH and Docker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from connection_plugin import FOLDER, install
from real_primary import Primary

#: Reaches db1, which is the caller's own server, with its stand-ins of sudo and systemd; db2 is a site that is gone
ANSWER = """
if self._play_context.remote_addr != "127.0.0.2":
    raise AnsibleConnectionFailure("no route")
script = (in_data or b"").replace(b"/var/lib/continuity/", os.environ["TEST_STATE"].encode() + b"/")
env = {"PATH": os.environ["TEST_BIN"] + ":/usr/bin:/bin", "HOME": os.environ["TEST_HOME"]}
done = subprocess.run(["/bin/sh", "-c", cmd], input=script, env=env, capture_output=True, cwd="/", check=False)
return done.returncode, done.stdout, done.stderr
"""
HOSTS = {
    "dc1": {"hosts": {"db1": {"ansible_host": "127.0.0.2", "ansible_connection": "here"}}},
    "dc2": {"hosts": {"db2": {"ansible_host": "127.0.0.3", "ansible_connection": "here"}}},
}


def inventory(world: Primary, folder: Path, members: Sequence[str], **backup: Any) -> list[str]:
    """Write it all below this folder; returns the options that name it."""
    install(folder, "here", ANSWER)
    (folder / "hosts.yml").write_text(yaml.safe_dump(HOSTS))
    (folder / "plan.yml").write_text(yaml.safe_dump(plan_of(world, members, **backup)))
    return ["-i", str(folder / "hosts.yml"), "-i", str(folder / "plan.yml")]


def environment(world: Primary, folder: Path) -> dict[str, str]:
    """What Ansible and the connection need to know."""
    return {
        "ANSIBLE_CONNECTION_PLUGINS": str(folder / FOLDER),
        "TEST_STATE": str(world.state),
        "TEST_BIN": str(world.bin),
        "TEST_HOME": str(world.home),
    }


def plan_of(world: Primary, members: Sequence[str], **backup: Any) -> dict[str, Any]:
    """One service on that server; `backup` is more of its backup, or less of it (None)."""
    places = ("bin_directory", "data_directory", "socket_directory")
    own: dict[str, Any] = {key: value for key, value in world.member().items() if key in places}
    own |= {"port": world.port, "config_file": str(world.home / "postgresql.conf")}
    given = {"rpo": "1h", **backup}
    return {
        "plugin": "continuity.dr.plan",
        "plan": {"id": "shop", "environment": "drill"},
        "sites": {"dc1": {"use": "preferred"}, "dc2": {"use": "recovery"}},
        "functions": {"sales": {"tier": 1, "objectives": {"rto": "1h", "rpo": "5m"}}},
        "services": {
            "shop": {
                "function": "sales",
                "engine": {"role": "continuity.dr.engine_postgresql", "cluster": "15/main", **own},
                "members": list(members),
                "backup": {
                    "role": "continuity.dr.backup_pgbackrest",
                    "stanza": "shop",
                    "repositories": world.planned_repositories(),
                    "incr_every": "1d",
                    "verify_every": "7d",
                    "config": str(world.config),
                    "log_path": str(world.home / "log"),
                    "restore_directory": str(world.home / "restored"),
                    **{key: value for key, value in given.items() if value is not None},
                },
            }
        },
    }
