# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab: two sites, a witness and a link between them, as containers on this machine. docs/lab.md describes it.

lab.py up                                 bring it up; what is already as it should be is left alone
lab.py status                             roles, replication and names, asked from outside Ansible
lab.py fault primary_crashed --member db1 --service payments-db
lab.py heal link_cut --site dc1
lab.py reset                              back to the healthy start in seconds
lab.py down                               remove everything but the image
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence

import containers
import credentials
import docker
import engine
import image
import provision
import reset
import status
from docker.models.containers import Container
from say import LabError, alone, step
from topology import CHECKOUT, CLUSTERS, HERE, MACHINES, STATE

FAULTS = sorted(path.stem for path in (HERE / "faults").glob("*.yml"))


def up(options: argparse.Namespace) -> int:
    """Bring the lab up; a second time changes nothing."""
    changes = _ensure(engine.connect())
    what = ", ".join(changes) if len(changes) <= 8 else f"{len(changes)} things, from {changes[0]} to {changes[-1]}"
    step(f"the lab is up; {f'changed: {what}' if changes else 'nothing changed'}")
    return 0


def _ensure(client: docker.DockerClient) -> list[str]:
    """Everything that must be there, in the order in which it is needed; what was changed."""
    changes = ["the image"] if image.ensure(client) else []
    changes += ["keys and passwords"] if credentials.ensure() else []
    changes += containers.ensure_networks(client)
    changes += containers.ensure_volumes(client)
    changes += containers.ensure_containers(client, image.tag())
    changes += [f"removed {name}" for name in image.remove(client, keep=image.tag())]
    changes += provision.ensure(client)
    return changes


def down(options: argparse.Namespace) -> int:
    """Remove containers, networks and build/lab, and stop the engine where the lab started it."""
    if shutil.which("docker") or shutil.which("dockerd"):
        # An engine that was killed keeps the lab's containers on disk: only an engine can remove them.
        client = engine.connect()
        removed = containers.remove_all(client)
        if options.images:
            removed += image.remove(client)
        step(f"removed: {', '.join(removed) or 'nothing was there'}")
        engine.stop_ours(client)
    shutil.rmtree(STATE, ignore_errors=True)
    return 0


def back(options: argparse.Namespace) -> int:
    """Back to the healthy start."""
    client = engine.connect()
    _ensure(client)
    reset.reset(_boxes(client))
    step("the lab is back at its start")
    return 0


def show(options: argparse.Namespace) -> int:
    """Print what the lab looks like; exit 1 while something is wrong."""
    client = engine.connect(start=False)
    _must_exist(client)
    state = status.collect(_boxes(client))
    print(json.dumps(state, indent=2) if options.json else status.render(state))
    return 1 if state["problems"] else 0


def fault(options: argparse.Namespace) -> int:
    """Inject or heal one fault by its task file, as a drill does."""
    _must_exist(engine.connect(start=False))
    tasks = (HERE / "faults" / f"{options.fault}.yml").read_text()
    missing = [
        name for name in ("member", "service", "site") if f"fault_{name}" in tasks and not getattr(options, name)
    ]
    if missing:
        raise LabError(f"The fault {options.fault} needs {' and '.join(f'--{name}' for name in missing)}.")
    facts = {"fault_name": options.fault, "fault_action": options.command.replace("fault", "inject")}
    facts |= {f"fault_{name}": value for name in ("member", "service", "site") if (value := getattr(options, name))}
    command = [sys.executable, "-m", "ansible", "playbook", str(HERE / "fault.yml")]
    command += ["--inventory", str(CHECKOUT / "inventories" / "lab" / "hosts.yml"), "--extra-vars", json.dumps(facts)]
    return subprocess.run(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, check=False).returncode


def _boxes(client: docker.DockerClient) -> dict[str, Container]:
    """Machine name -> container, for those that exist."""
    return containers.existing(client)


def _must_exist(client: docker.DockerClient) -> None:
    missing = [known.name for known in MACHINES if known.name not in _boxes(client)]
    if missing:
        raise LabError(f"The lab is not there (missing: {', '.join(missing)}). Run `make lab` first.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="command", required=True, metavar="up|down|reset|status|fault|heal")
    verbs.add_parser("up", help="bring the lab up; idempotent").set_defaults(verb=up)
    verb = verbs.add_parser("down", help="remove containers, networks and build/lab")
    verb.add_argument("--images", action="store_true", help="remove the image too; the next `up` builds it again")
    verb.set_defaults(verb=down)
    verbs.add_parser("reset", help="back to the healthy start, in seconds").set_defaults(verb=back)
    verb = verbs.add_parser("status", help="what the lab looks like; exit 1 when something is wrong")
    verb.add_argument("--json", action="store_true", help="for programs")
    verb.set_defaults(verb=show)
    for name, text in (("fault", "inject a fault"), ("heal", "take a fault back")):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("fault", choices=FAULTS)
        verb.add_argument("--member", choices=[known.name for known in MACHINES], help="the machine that is hit")
        verb.add_argument("--service", choices=[one.service for one in CLUSTERS], help="the service that is hit")
        verb.add_argument("--site", choices=["dc1", "dc2"], help="the site that is hit")
        verb.set_defaults(verb=fault)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command of the lab; the process's exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.verb in (up, down, back):
            with alone():
                return int(options.verb(options))
        return int(options.verb(options))
    except (LabError, docker.errors.DockerException) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
