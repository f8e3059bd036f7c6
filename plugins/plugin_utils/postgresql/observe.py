# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The script that asks one member about all of its clusters at once, and the parsing of what it prints."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import sql
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream

#: Rights: the login's own when it is root, else exactly one literal sudo command each (Cluster has the list).
RUN_AS = r"""
as="sudo -n"; root="sudo -n"
[ "$(id -u)" != 0 ] || { as=runuser; root=; }
"""

#: Bound of a whole observation, the connection included: a dead machine must not hold up the others.
OBSERVE_SECONDS = 3.0
#: Bound of the question to a server; a frozen one accepts the connection and never answers.
ASK_SECONDS = 1.5


@dataclass(frozen=True)
class Question:
    """One cluster to ask about, and the peers whose replication login is to be tried from here."""

    service: str
    cluster: Cluster
    peers: Sequence[Upstream] = field(default_factory=tuple)


def script(questions: Sequence[Question]) -> str:
    """Ask all clusters at the same time, so a frozen server costs its bound once and no other waits."""
    functions = [f"ask_{n}() {{\n{_ask(question)}\n}}" for n, question in enumerate(questions)]
    start = "\n".join(f'ask_{n} > "$answers/{n}" 2>&1 &' for n in range(len(questions)))
    show = "\n".join(f'cat "$answers/{n}"' for n in range(len(questions)))
    return (
        lease.FUNCTIONS
        + RUN_AS
        + "\n".join(functions)
        + "\nanswers=$(mktemp -d) || exit 1\ntrap 'rm -rf \"$answers\"' EXIT\n"
        + f"{start}\nwait\n{show}\n"
    )


#: A promotion that was sent and of which nobody heard: when, and the time now, on this boot's clock.
_PROMOTING = """if read -r boot up < "$state/promoting" && read -r here < /proc/sys/kernel/random/boot_id; then
  [ "$boot" != "$here" ] || { read -r now _ < /proc/uptime; echo "@@promoting $up $now"; }
fi 2>/dev/null"""


def _ask(question: Question) -> str:
    cluster = question.cluster
    unit = shlex.quote(cluster.unit)
    ask = f"timeout -k 0.5 {ASK_SECONDS:g} {cluster.as_user(cluster.psql())}"
    lines = [
        lease.variables(question.service),
        f"echo {shlex.quote('@@service ' + question.service)}",
        f"echo @@unit; systemctl show -p Id -p ActiveState -p LoadState {unit}",
        'echo @@state; continuity_epoch; cat "$state/promotion" 2>/dev/null; echo; '
        '[ -e "$state/rejoining" ] && echo @@rejoining',
        _PROMOTING,
        lease.OBSERVE,
        f"echo @@psql; {ask} <<'CONTINUITY_SQL'\n{sql.OBSERVE}\nCONTINUITY_SQL\nrc=$?; echo; echo \"@@psql_rc $rc\"",
        f'[ $rc = 0 ] || {{ echo @@status; {cluster.as_user(cluster.status())} </dev/null; echo "@@status_rc $?"; '
        f"echo @@controldata; {cluster.as_user(cluster.controldata())} </dev/null; "
        f"{cluster.as_user(['/usr/bin/test', '-e', cluster.standby_signal()])} </dev/null && echo @@standby_signal; }}",
    ]
    # All at once: each peer that is down costs the whole bound of its login
    for peer in question.peers:
        login = cluster.as_user(cluster.replication_login(peer))
        name = shlex.quote(f"{peer.host}:{peer.port}")
        lines.append(f"[ $rc != 0 ] || printf '@@login %s %s\\n' {name} \"$({login} </dev/null 2>&1 | tail -n 1)\" &")
    return "\n".join([*lines, "wait"])


@dataclass(frozen=True)
class Answer:
    """What one member printed about one cluster, split but not yet judged."""

    server: dict[str, Any] | None
    running: bool | None
    masked: bool
    active: str
    epoch: int | None
    promotion: dict[str, Any] | None
    control: dict[str, str]
    standby_signal: bool
    rejoining: bool
    error: str
    logins: dict[str, str]
    #: who holds the lease here, as `lease.observed` reads it
    lease: dict[str, Any] | None = None
    #: seconds since a promotion was sent whose end is not known
    promoting_seconds: float | None = None
    #: the plan's unit, where systemd says that nothing runs in it
    idle_unit: str = ""


def parse(stdout: str) -> dict[str, Answer]:
    """Split the script's output into an Answer for each service."""
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in stdout.splitlines():
        if line.startswith("@@service "):
            current = parts.setdefault(line.removeprefix("@@service "), [])
        else:
            current.append(line)
    return {service: _answer(lines) for service, lines in parts.items()}


def _answer(lines: list[str]) -> Answer:
    sections: dict[str, list[str]] = {}
    section = ""
    for line in lines:
        if line.startswith("@@"):
            section, _space, rest = line.removeprefix("@@").partition(" ")
            sections.setdefault(section, []).extend([rest] if rest else [])
        else:
            sections.setdefault(section, []).append(line)
    unit = dict(line.split("=", 1) for line in sections.get("unit", []) if "=" in line)
    state = [line for line in sections.get("state", []) if line]
    psql_rc = _number(sections.get("psql_rc"))
    status_rc = _number(sections.get("status_rc"))
    return Answer(
        server=_json(sections.get("psql", [])) if psql_rc == 0 else None,
        # pg_ctl status: 0 runs (but did not answer: frozen, starting or full), 3 does not run, 4 no data
        running=True if psql_rc == 0 else {3: False, 4: False}.get(status_rc if status_rc is not None else -1),
        masked=unit.get("LoadState") == "masked",
        active=unit.get("ActiveState", "unknown"),
        epoch=_number(state[:1]),
        promotion=_json(state[1:]),
        control=_control(sections.get("controldata", [])),
        standby_signal="standby_signal" in sections,
        rejoining="rejoining" in sections,
        error=" ".join(sections.get("psql", []))[:300] if psql_rc != 0 else "",
        logins=dict(_login(line) for line in sections.get("login", [])),
        lease=lease.observed(sections.get("lease", [])),
        promoting_seconds=_age(sections.get("promoting", [])),
        idle_unit=unit.get("Id", "") if unit.get("ActiveState") in ("inactive", "failed") else "",
    )


def _age(lines: list[str]) -> float | None:
    try:
        sent, now = (float(word) for word in lines[0].split())
    except (IndexError, ValueError):
        return None
    return now - sent


def _number(lines: list[str] | None) -> int | None:
    return int(lines[0]) if lines and lines[0].lstrip("-").isdigit() else None


def _json(lines: list[str]) -> dict[str, Any] | None:
    for line in lines:
        if line.startswith("{"):
            try:
                return dict(json.loads(line))
            except ValueError:  # cut off: the session was lost while it printed
                return None
    return None


def _login(line: str) -> tuple[str, str]:
    peer, _space, answer = line.partition(" ")
    return peer, answer


def _control(lines: list[str]) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}
