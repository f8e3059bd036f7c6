# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the administrators of examples/consumer do, on the lab's machines: login, rights, a third cluster, a TSIG key.

consumer.py secrets PROJECT   the project's own keys and passwords
consumer.py up PROJECT        machines, database, name server, with the files of PROJECT/rights; always from nothing
consumer.py down              all of it away; the lab is as it was
"""

from __future__ import annotations

import base64
import os
import secrets as chance
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import containers
import docker
import engine
from docker.models.containers import Container
from say import LabError, alone, step, wait
from topology import HERE, STATE, machine

SCRIPTS = HERE / "consumer"
FOLDER = "/opt/continuity-consumer"
PORT = 6543
#: Its names of the machines -> the lab's; the first is the primary at the start.
MEMBERS = {"pg-north-1": "db1", "pg-south-1": "db2"}


def secrets(project: Path) -> None:
    """An SSH key, passwords and a TSIG key that nothing else in the lab knows; the host keys are the lab's."""
    folder = project / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "dbops", "-f", str(folder / "id_ed25519")]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=30)
    for name in ("canary", "replication"):
        (folder / name).write_text(chance.token_urlsafe(18))
    (folder / "tsig").write_text(base64.b64encode(os.urandom(32)).decode())
    shutil.copy(STATE / "known_hosts", folder / "known_hosts")


def up(client: docker.DockerClient, project: Path) -> None:
    """Everything anew, so it does not matter what an earlier run left."""
    boxes = containers.existing(client)
    primary, standby = MEMBERS
    _each_member(boxes, lambda box, name: _prepare_member(box, name, project))
    step(f"orders: {primary} becomes the primary, {standby} clones it")
    containers.run(boxes[MEMBERS[primary]], f"sh {FOLDER}/primary.sh")
    upstream = machine(MEMBERS[primary]).addresses["link"]
    containers.run(boxes[MEMBERS[standby]], f"sh {FOLDER}/standby.sh {standby} {upstream}")
    step("orders: the name server")
    files = {"update-policy": _text(project / "rights/shop.example.update-policy")}
    containers.put(boxes["ns0"], FOLDER, {**_scripts(), **files, "tsig": _text(project / "secrets/tsig")})
    containers.run(boxes["ns0"], f"sh {FOLDER}/nameserver.sh {machine(MEMBERS[primary]).address}")
    wait(f"{standby} streams", lambda: _streams(boxes[MEMBERS[primary]]), 30)


def down(client: docker.DockerClient) -> None:
    """Everything away; what is not there is no error, a lab that is not there neither."""
    boxes = containers.existing(client)
    if not boxes:
        return
    for lab in (*MEMBERS.values(), "ns0"):
        containers.put(boxes[lab], FOLDER, _scripts())
    _each_member(boxes, lambda box, _name: containers.run(box, f"sh {FOLDER}/remove_member.sh && rm -r {FOLDER}"))
    containers.run(boxes["ns0"], f"sh {FOLDER}/nameserver.sh remove && rm -r {FOLDER}")
    step("orders: removed")


def _prepare_member(box: Container, name: str, project: Path) -> None:
    step(f"orders: preparing {name}")
    files = {
        "sudoers": _text(project / f"rights/{name}.sudoers"),
        "pg_hba.conf": _text(project / "rights/orders-db.pg_hba.conf"),
        "roles.sql": _text(project / "rights/orders-db.sql"),
        "authorized_keys": _text(project / "secrets/id_ed25519.pub"),
        "password": _text(project / "secrets/replication"),
        "canary": _text(project / "secrets/canary"),
    }
    containers.put(box, FOLDER, {**_scripts(), **files})
    containers.run(box, f"sh {FOLDER}/member.sh {name}")


def _each_member(boxes: dict[str, Container], work: object) -> None:
    """Both at the same time."""
    assert callable(work)
    with ThreadPoolExecutor(len(MEMBERS)) as pool:
        for job in [pool.submit(work, boxes[lab], name) for name, lab in MEMBERS.items()]:
            job.result()


def _streams(box: Container) -> bool:
    query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
    psql = f'runuser -u postgres -- /usr/lib/postgresql/15/bin/psql -XAqt -p {PORT} -d postgres -c "{query}"'
    return containers.run(box, psql, check=False)[1] == "1"


def _scripts() -> dict[str, str]:
    return {path.name: _text(path) for path in SCRIPTS.glob("*.sh")}


def _text(path: Path) -> str:
    if not path.is_file():
        raise LabError(f"{path} is missing; the project's README says which command writes it")
    return path.read_text(encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run one command; the process's exit status."""
    if arguments[:1] not in (["secrets"], ["up"], ["down"]) or len(arguments) != (1 if arguments == ["down"] else 2):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if arguments[0] == "secrets":
            secrets(Path(arguments[1]))
            return 0
        with alone():
            client = engine.connect(start=False)
            up(client, Path(arguments[1])) if arguments[0] == "up" else down(client)
        return 0
    except (LabError, docker.errors.DockerException) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
