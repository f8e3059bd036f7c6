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

#: Bound of an observation, the connection included: a dead machine must not hold up the others.
OBSERVE_SECONDS = 3.0
#: Bound of the question to a server; a frozen one accepts the connection and never answers.
ASK_SECONDS = 1.5
#: So many clusters of a machine are asked at the same time. Fifty at once make each other so slow that none is answered
#: within its bound, and a machine that serves well would count as lost.
AT_ONCE = 10


#: What systemd says of a unit file that is to start when the machine boots, or is not. Debian's generator enables the
#: instance of each cluster with `auto` in its start.conf below /run, at each boot anew. Every other state (static,
#: indirect, generated, ...) tells nothing of that: what starts such a unit is written elsewhere.
_AT_BOOT = {"enabled": True, "enabled-runtime": True, "disabled": False, "masked": False}


@dataclass(frozen=True)
class Question:
    """One cluster to ask about, and the peers whose replication login is to be tried from here."""

    service: str
    cluster: Cluster
    peers: Sequence[Upstream] = field(default_factory=tuple)


def bound(clusters: int) -> float:
    """Seconds that an observation of so many clusters may take, the same for each batch: a slow machine with fifty that
    serve must not count as lost. A new connection to a dead one ends after its own timeout, however many it carries.

    >>> [bound(clusters) for clusters in (1, 10, 11, 50)]
    [3.0, 3.0, 6.0, 15.0]
    """
    return OBSERVE_SECONDS * (1 + (clusters - 1) // AT_ONCE)


def script(questions: Sequence[Question]) -> str:
    """Ask the clusters of a batch at the same time, so a frozen server costs its bound once and no other waits."""
    functions = [f"ask_{n}() {{\n{_ask(question)}\n}}" for n, question in enumerate(questions)]
    start = "\n".join(
        f'ask_{n} > "$answers/{n}" 2>&1 &' + ("\nwait" if (n + 1) % AT_ONCE == 0 else "") for n in range(len(questions))
    )
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

#: The control group of the server that answered, which names its unit. Where none did: what the plan's unit runs.
_UNIT_OF_THE_SERVER = r"""pid=${said##*'"pid"'}; pid=${pid#*:}; pid=${pid# }; pid=${pid%%[!0-9]*}
main=${unit##*MainPID=}; main=${main%%[!0-9]*}
[ $rc != 0 ] || { echo @@cgroup; cat "/proc/$pid/cgroup"; } 2>/dev/null"""
#: After `pg_ctl status`: a main process that has ended since it was asked for is none.
_MAIN = '{ read -r comm < "/proc/$main/comm" && echo "@@main $comm"; } 2>/dev/null'


def _ask(question: Question) -> str:
    cluster = question.cluster
    unit, long_unit = shlex.quote(cluster.unit), shlex.quote(cluster.long_unit())
    statements = sql.observe(cluster.data_directory)
    ask = f"timeout -k 0.5 {ASK_SECONDS:g} {cluster.as_user(cluster.psql())}"
    lines = [
        lease.variables(question.service),
        f"echo {shlex.quote('@@service ' + question.service)}",
        f"echo @@unit; unit=$(systemctl show -p Id -p ActiveState -p LoadState -p UnitFileState -p MainPID {unit})",
        "printf '%s\\n' \"$unit\"",
        'echo @@state; continuity_epoch; cat "$state/promotion" 2>/dev/null; echo; '
        '[ -e "$state/rejoining" ] && echo @@rejoining',
        _PROMOTING,
        lease.OBSERVE,
        f'[ ! -e "$state/lease" ] || case $(systemctl show -p ActiveState --value {long_unit}) in '
        "active|activating) echo @@long_work ;; esac",
        f"echo @@psql; said=$({ask} <<'CONTINUITY_SQL'\n{statements}\nCONTINUITY_SQL\n); rc=$?",
        'printf \'%s\\n\' "$said"; echo "@@psql_rc $rc"',
        _UNIT_OF_THE_SERVER,
        f'[ $rc = 0 ] || {{ echo @@status; {cluster.as_user(cluster.status())} </dev/null; echo "@@status_rc $?"; '
        f"{_MAIN}; "
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
    #: a copy or a rewind runs, whose controller may be gone
    long_work: bool = False
    #: seconds since a promotion was sent whose end is not known
    promoting_seconds: float | None = None
    #: the plan's unit, its main process (0: none), and the name of what that runs, asked where the server was silent
    unit: str = ""
    main_pid: int = 0
    main_program: str = ""
    #: the plan's unit starts when the machine boots; None where its state does not tell
    starts_at_boot: bool | None = None
    #: how psql ended
    psql_rc: int | None = None
    #: the control groups of the server that answered: each path's parts
    cgroup: frozenset[str] = frozenset()

    @property
    def idle_unit(self) -> str:
        """The plan's unit, where systemd says that nothing runs in it."""
        return self.unit if self.active in ("inactive", "failed") else ""


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
        long_work="long_work" in sections,
        promoting_seconds=_age(sections.get("promoting", [])),
        unit=unit.get("Id", ""),
        main_pid=_number([unit.get("MainPID", "")]) or 0,
        starts_at_boot=_AT_BOOT.get(unit.get("UnitFileState", "")),
        psql_rc=psql_rc,
        main_program="".join(sections.get("main", [])[:1]),
        cgroup=frozenset(part for line in sections.get("cgroup", []) for part in line.split("/")),
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
