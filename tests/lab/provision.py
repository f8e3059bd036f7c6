# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens inside a booted machine: shell scripts through the engine, since members have no Python.

Every step leaves a digest of its inputs in the machine; where that did not change, the step is not run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import credentials
import docker
import names
from containers import put, run
from docker.models.containers import Container
from say import LabError, step, wait
from topology import CLUSTERS, HERE, MACHINES, PRIMARY, STANDBY, ZONE, Machine, machine, members, name_servers

INPUTS = "/opt/continuity-lab"
STAMPS = "/etc/continuity-lab"
#: What starts backups without anybody, as continuity.dr.rights writes it for the lab's plan
BACKUP_UNITS = tuple(f"continuity-backup-payments{suffix}" for suffix in ("", ".service", ".timer"))


@dataclass(frozen=True)
class Work:
    """One script to run on a machine, with the files it reads beside it."""

    name: str
    script: str
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Changes with everything that the script depends on."""
        return hashlib.sha256(json.dumps([self.script, self.files], sort_keys=True).encode()).hexdigest()[:16]


def ensure(client: docker.DockerClient) -> list[str]:
    """Provision every machine; what was changed. The standby clones the primary, so the members' data comes last."""
    boxes = {known.name: client.containers.get(known.container) for known in MACHINES}
    with ThreadPoolExecutor(len(boxes)) as pool:
        jobs = [pool.submit(_apply, boxes[known.name], _basics(known)) for known in MACHINES]
        changes = [change for job in jobs for change in job.result()]
    if any(change.endswith(": zone") for change in changes):
        _have_zones(boxes)
    wanted = {known.name: data_work(known) for known in members()}
    if any(wanted[name].digest != _stamps(boxes[name]).get("data") for name in wanted):
        _make_data(boxes, wanted)
        changes.append("both members' databases")
    return changes


def _basics(known: Machine) -> list[Work]:
    """The steps that machines take independently of each other."""
    files = {
        "authorized_keys": credentials.login_key_public(),
        "ssh_host_key": credentials.host_key(known.name).read_text(),
    }
    steps = [Work("common", _read("common/setup.sh"), files)]
    if known.kind == "member":
        sudoers = _read(f"member/{known.name}.sudoers")  # as continuity.dr.rights writes it for the lab's plan
        units = {name: _read(f"member/{name}") for name in BACKUP_UNITS}  # the same on both members
        steps.append(Work("login", _read("member/login.sh"), {"sudoers": sudoers, **units}))
    if known.kind == "nameserver":
        role, folder = known.settings["ROLE"], f"nameserver/{known.settings['PROGRAM']}"
        config = _read(f"{folder}/{role}.conf")
        for key in credentials.TSIG_KEYS:
            config = config.replace(f"@tsig_{key}@", credentials.secret(f"tsig_{key}"))
        zone = {"shop.example.zone": _read("nameserver/shop.example.zone")}
        files = {f"{role}.conf": config, **(zone if role == "primary" else {})}
        steps.append(Work("zone", _read(f"{folder}/setup.sh").replace("$1", role), files))
    return steps


def _have_zones(boxes: Mapping[str, Container]) -> None:
    """Have every secondary transfer the zone: one that asked before its primary ran asks again after a minute only."""
    for known in name_servers():
        if not _serves(known.name):
            run(boxes[known.name], _read(f"nameserver/{known.settings['PROGRAM']}/reset.sh"))
    wait("all name servers serve the zone", lambda: all(_serves(known.name) for known in name_servers()), 20)


def _serves(server: str) -> bool:
    """It answers with the zone's SOA, which is many words; an error is one or two."""
    return len(names.ask(server, ZONE, "SOA").split()) > 2


def data_work(known: Machine) -> Work:
    """The members' clusters: emptied, configured, then filled by primary.sh or standby.sh."""
    peer = machine(STANDBY if known.name == PRIMARY else PRIMARY)
    lines = [
        f"{one.name} {one.ports[known.name]} {one.data_directories[known.name]} {one.database}"
        f" {peer.addresses['link']} {one.ports[peer.name]} {one.stanza or '-'}\n"
        for one in CLUSTERS
    ]
    inputs = ("postgresql.conf", "archive.conf", "pgbackrest.conf", "pg_hba.conf")
    inputs += ("primary.sh", "standby.sh", "pristine.sh", "backups.sh")
    files = {name: _read(f"member/{name}") for name in inputs}
    files |= {name: credentials.secret(name) for name in credentials.PASSWORDS}
    return Work("data", _read("member/clusters.sh"), {**files, "clusters": "".join(lines)})


def _make_data(boxes: Mapping[str, Container], wanted: Mapping[str, Work]) -> None:
    """Both members from nothing: a primary, its clone, and at last the demand for synchronous commits."""
    step("databases: making the clusters")
    with ThreadPoolExecutor(len(wanted)) as pool:
        for job in [pool.submit(_run, boxes[name], work) for name, work in wanted.items()]:
            job.result()
    step(f"databases: {PRIMARY} becomes the primary")
    run(boxes[PRIMARY], f"sh {INPUTS}/primary.sh")
    step(f"databases: {STANDBY} clones it")
    run(boxes[STANDBY], f"sh {INPUTS}/standby.sh")
    for one in CLUSTERS:
        if one.synchronous:  # after the clone, which would copy it, and before it could make a statement above hang
            psql(boxes[PRIMARY], one.ports[PRIMARY], f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
            # As careful users have it, the standby names the primary: unless a promotion lifts that, no commit ends.
            psql(boxes[STANDBY], one.ports[STANDBY], f"ALTER SYSTEM SET synchronous_standby_names = '{PRIMARY}'")
            psql(boxes[STANDBY], one.ports[STANDBY], "SELECT pg_reload_conf()")
            psql(boxes[PRIMARY], one.ports[PRIMARY], "SELECT pg_reload_conf()")
    wait_replicated(boxes[PRIMARY])
    step("databases: a first backup in each repository")
    run(boxes[PRIMARY], f"sh {INPUTS}/backups.sh make")
    step("databases: keeping a copy for reset")
    for name in (PRIMARY, STANDBY):  # in this order the standby has received the primary's last word
        run(boxes[name], f"sh {INPUTS}/pristine.sh save")
    run(boxes[PRIMARY], f"sh {INPUTS}/backups.sh save")
    for name in wanted:
        run(boxes[name], "systemctl reset-failed && systemctl start continuity-backup-payments.timer")
    start_databases(boxes)
    for name, work in wanted.items():
        _stamp(boxes[name], work)


def start_databases(boxes: Mapping[str, Container]) -> None:
    """Start both members' clusters and wait until the standby streams as a healthy lab has it."""
    units = " ".join(one.unit for one in CLUSTERS)
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(run, boxes[name], f"systemctl start {units}") for name in (PRIMARY, STANDBY)]:
            job.result()
    wait_replicated(boxes[PRIMARY])


def wait_replicated(primary: Container) -> None:
    """Wait until the standby streams every cluster, synchronously where that is asked for."""
    for one in CLUSTERS:
        state = "sync" if one.synchronous else "async"
        wait(f"{STANDBY} streams {one.name} ({state})", _streams(primary, one.ports[PRIMARY], state), 60)


def _streams(primary: Container, port: int, state: str) -> Callable[[], bool]:
    query = f"SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '{state}'"
    return lambda: psql(primary, port, query) == "1"


def psql(container: Container, port: int, statement: str, database: str = "postgres") -> str:
    """The unaligned result of one statement, asked as C(postgres) inside the machine; never waits for a standby."""
    client = f"timeout 10 /usr/lib/postgresql/15/bin/psql -XAqt -p {port} -d {database}"
    command = f"PGOPTIONS='-c synchronous_commit=local' {client}"
    code, output = run(container, f"runuser -u postgres -- sh -c \"{command}\" <<'SQL'\n{statement};\nSQL", check=False)
    if code != 0:
        raise LabError(f"{container.name}: `{statement}` failed: {output}")
    return output


def _apply(container: Container, steps: list[Work]) -> list[str]:
    """Run the steps whose inputs changed; their names."""
    done = _stamps(container)
    changes = []
    for work in steps:
        if done.get(work.name) == work.digest:
            continue
        step(f"{container.name}: {work.name}")
        _run(container, work)
        _stamp(container, work)
        changes.append(f"{container.name}: {work.name}")
    return changes


def _run(container: Container, work: Work) -> None:
    put(container, INPUTS, {**work.files, f"{work.name}.sh": work.script})
    run(container, f"sh {INPUTS}/{work.name}.sh")


def _stamp(container: Container, work: Work) -> None:
    run(container, f"mkdir -p {STAMPS} && echo {work.digest} > {STAMPS}/{work.name}")


def _stamps(container: Container) -> dict[str, str]:
    """Step -> digest of what was done in this machine. LabError where it does not say.

    On a busy machine a command in a container now and then ends without a word: that is no machine in which nothing was
    done. A name server made anew would begin its zone at serial 1, which secondaries that hold a later one never take.
    """
    for _try in range(5):
        _rc, output = run(container, f"cd {STAMPS} 2>/dev/null && grep -H . *; echo told:all", check=False)
        said = dict(line.split(":", 1) for line in output.splitlines() if ":" in line)
        if said.pop("told", "") == "all":
            return said
    raise LabError(f"{container.name} does not say what was done in it. Run the command again.")


def _read(path: str) -> str:
    return (HERE / path).read_text()
