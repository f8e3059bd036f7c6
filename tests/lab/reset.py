# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Back to the healthy start in seconds: faults healed, data as it was kept when the lab was made, names put back."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import names
import provision
from containers import run
from docker.models.containers import Container
from say import step
from topology import CLUSTERS, HERE, MACHINES, members, name_servers


def reset(boxes: Mapping[str, Container]) -> None:
    """Undo everything that faults and procedures did; the machines must be running. The canary's rows go as well."""
    step("healing the link, stopping the clusters, bringing back their data")
    _isolate_nobody()
    scripts = {known.name: f"sh {provision.INPUTS}/pristine.sh restore" for known in members()}
    scripts |= {known.name: "iptables -F" for known in MACHINES if known.kind != "member"}
    for known in name_servers():
        own = HERE / "nameserver" / known.settings["PROGRAM"] / "reset.sh"
        scripts[known.name] += f"\n{own.read_text()}"
    with ThreadPoolExecutor(len(scripts)) as pool:
        for job in [pool.submit(run, boxes[name], script) for name, script in scripts.items()]:
            job.result()
    # Only now does nobody write into them any more
    run(boxes[provision.PRIMARY], f"sh {provision.INPUTS}/backups.sh restore")
    step("putting the names back")
    names.restore()
    step("starting the clusters")
    provision.start_databases(boxes)


def _isolate_nobody() -> None:
    """Delete what fence_network set on the controller, which is the lab's gateway; others' tables stay."""
    for cluster in CLUSTERS:
        for known in members():
            table = ["nft", "delete", "table", "inet", f"continuity-{cluster.service}-{known.name}"]
            try:
                subprocess.run(table, capture_output=True, check=False)  # mostly there is none
            except OSError:  # no nft: nothing was set with it
                return
