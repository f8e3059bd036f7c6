# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab looks like from outside: units, roles, replication, names. Asked of the machines, not of Ansible."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import names
from containers import run
from docker.models.containers import Container
from topology import CLUSTERS, MACHINES, Cluster, Machine, members

#: The unit of a member that runs and does not answer.
SILENT = "does not say"

# Words of key=value. The server is asked only while it runs; a masked or failed unit still says so. The last word: all
# of it was said.
SCRIPT = """
unit=@UNIT@
printf 'unit=%s enabled=%s' "$(systemctl is-active $unit)" "$(systemctl is-enabled $unit 2>/dev/null)"
echo
runuser -u postgres -- timeout 3 /usr/lib/postgresql/15/bin/psql -XAqt -p @PORT@ -d postgres 2>/dev/null <<'SQL' || true
SELECT 'role=' || CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END
    || ' timeline=' || CASE WHEN pg_is_in_recovery()
       THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), timeline_id)
       ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END
    || ' system_id=' || system_identifier
    || ' receiver=' || coalesce((SELECT status FROM pg_stat_wal_receiver), '-')
    || ' standbys=' || coalesce((SELECT string_agg(application_name || ':' || state || ':' || sync_state, ',')
                                 FROM pg_stat_replication), '-')
    || ' synchronous=' || coalesce(nullif(current_setting('synchronous_standby_names'), ''), '-')
  FROM pg_control_checkpoint(), pg_control_system();
SQL
echo end=reached
"""


def heard(box: Container, script: str, whole: Callable[[str], bool]) -> str | None:
    """What a script in a container says. On a busy machine one now and then ends without a word: it is asked again."""
    said = (run(box, script, check=False)[1] for _try in range(3))
    return next((text for text in said if whole(text)), None)


def collect(boxes: Mapping[str, Container]) -> dict[str, Any]:
    """Machines, services and problems as plain data; C(problems) is empty where everything serves and is redundant."""
    with ThreadPoolExecutor(8) as pool:
        machines = {known.name: pool.submit(_machine, known, boxes.get(known.name)) for known in MACHINES}
        copies = {
            (one.service, known.name): pool.submit(_copy, one, known, boxes.get(known.name))
            for one in CLUSTERS
            for known in members()
        }
        answers = {one.service: pool.submit(_answers, one) for one in CLUSTERS}
        state: dict[str, Any] = {"machines": {name: job.result() for name, job in machines.items()}, "services": {}}
        for one in CLUSTERS:
            carried = {known.name: copies[one.service, known.name].result() for known in members()}
            state["services"][one.service] = {"members": carried, "names": answers[one.service].result()}
    state["problems"] = _problems(state)
    return state


def _machine(known: Machine, box: Container | None) -> str:
    """C(reachable), or what stands in the way."""
    if box is None or box.status != "running":
        return "missing" if box is None else str(box.status)
    try:
        with socket.create_connection((known.address, 22), timeout=2) as connection:
            sshd = connection.recv(4) == b"SSH-"
    except OSError:
        sshd = False
    if not sshd:
        return "without sshd"
    drops = heard(box, "iptables -w 2 -S | grep -c DROP", str.isdigit)
    return {"0": "reachable", None: "does not say what it drops"}.get(drops, "dropping packets (a fault is not healed)")


def _copy(one: Cluster, known: Machine, box: Container | None) -> dict[str, str]:
    """What one member says of one cluster."""
    if box is None or box.status != "running":
        return {"unit": "unknown"}
    script = SCRIPT.replace("@UNIT@", one.unit).replace("@PORT@", str(one.ports[known.name]))
    said = heard(box, script, lambda text: text.endswith("end=reached"))
    if said is None:
        return {"unit": SILENT}
    words = dict(word.split("=", 1) for word in said.split() if "=" in word)
    return {key: value for key, value in words.items() if key != "end"}


def _answers(one: Cluster) -> dict[str, dict[str, str]]:
    return {
        server: {"A": names.ask(server, one.record, "A"), "TXT": names.ask(server, one.guard, "TXT")}
        for server in names.SERVERS
    }


def _problems(state: Mapping[str, Any]) -> list[str]:
    """What keeps the lab from serving with redundancy. Which member is primary does not matter here."""
    found = [f"{name} is {how}" for name, how in state["machines"].items() if how != "reachable"]
    for one in CLUSTERS:
        service = state["services"][one.service]
        primaries = [name for name, copy in service["members"].items() if copy.get("role") == "primary"]
        if len(primaries) != 1:
            found.append(f"{one.service} has {len(primaries)} primaries: {' '.join(primaries) or 'none'}")
            continue
        wanted = "sync" if one.synchronous else "async"
        if f":streaming:{wanted}" not in service["members"][primaries[0]].get("standbys", ""):
            found.append(f"{one.service} has no standby that streams ({wanted})")
        address = next(known.address for known in members() if known.name == primaries[0])
        for server, answer in service["names"].items():
            if answer["A"] != address:
                found.append(f"{server} answers {answer['A']} for {one.record}, the primary is {address}")
    return found


def render(state: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = ["machines     " + "  ".join(f"{name}: {how}" for name, how in state["machines"].items())]
    for service, facts in state["services"].items():
        lines.append(service)
        for member, copy in facts["members"].items():
            words = " ".join(f"{key}={value}" for key, value in copy.items() if key != "system_id")
            lines.append(f"  {member:10} {words}")
        for server, answer in facts["names"].items():
            lines.append(f"  {server:10} A {answer['A']}  guard {answer['TXT']}")
    lines += [f"problem: {text}" for text in state["problems"]] or [
        "healthy: every service has one primary, a streaming standby, and names that agree"
    ]
    return "\n".join(lines)
