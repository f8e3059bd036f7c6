# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one run of this process.

The lookup `continuity.dr.whole_run` begins it in Ansible's main process, before workers are forked, so every action
finds it with `current()`. Outside a verb (a foreign playbook that uses single modules) there is none.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

RUNS_DIRECTORY = "runs"
#: Beside the runs: the last sight of every primary. No run.
LAST_SEEN = "last_seen"
RUN_ID_ALLOWED = "1 to 64 letters, digits, dots, hyphens and underscores, beginning with a letter or digit"

_MADE = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}", re.ASCII)
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Run:
    """One execution of a verb. Every field is set once, at its beginning."""

    run_id: str
    """`20261122T031500Z-3f9a`: file names and DNS text carry it, so it is a slug."""
    verb: str
    directory: str
    """Absolute path `<runs directory>/<run_id>`; nobody has created it yet."""
    started: float
    """Seconds since 1970 (`time.time()`)."""
    started_monotonic_ns: int
    check_mode: bool
    operator: str
    """`user@host` of the controller."""
    inputs: Mapping[str, Any]
    """The validated inputs, all keys always there: scope, target_site, source_site, reason (each str or None),
    accept_data_loss_seconds (float or None), waive (tuple of str), confirm and break_lease (a run id or None),
    prepare (bool), outage_started (seconds since 1970 or None)."""
    plan: Mapping[str, Any]
    services: Mapping[str, Mapping[str, Any]]
    """The services in scope by name, in wave order: `continuity_service` without secrets, with `site`, `address` and
    `replication_address` on every member."""
    allow_degraded: tuple[str, ...] = ()
    """Degradations, or services, that the operator accepts by name (`continuity_outcome_allow_degraded`)."""
    inventory: tuple[str, ...] = ()
    """The inventory sources as the next commands name them."""
    options: tuple[str, ...] = ()
    """What the next commands need besides, word by word: where the runs are kept, and what opens the vault."""


class RunConflict(ValueError):
    """A second verb, or a bad run id, in a process that has a run already."""


_current: Run | None = None


def current() -> Run | None:
    """The run of this process, or None outside a verb."""
    return _current


def begin(
    *,
    verb: str,
    inputs: Mapping[str, Any],
    plan: Mapping[str, Any],
    services: Mapping[str, Mapping[str, Any]],
    check_mode: bool = False,
    run_id: str | None = None,
    runs_directory: str | None = None,
    allow_degraded: Iterable[str] = (),
    inventory: Sequence[str] = (),
    vault: Sequence[str] = (),
) -> Run:
    """Begin the run of this process, or return the one already begun by an earlier play of the same verb.

    `run_id` is the operator's (`-e continuity_run_id=...`), None makes one. `runs_directory` None means `./runs`.
    `vault`: the options of the command line that open the vault, word by word.
    Raises RunConflict when this process already runs another verb, and ValueError when `run_id` is no slug.
    """
    global _current
    if _current is not None:
        if _current.verb != verb:
            raise RunConflict(
                f"this ansible-playbook already runs '{_current.verb}' as {_current.run_id}; "
                f"start '{verb}' with an ansible-playbook of its own"
            )
        return _current
    started = time.time()
    chosen = new_run_id(started) if run_id is None else checked_run_id(run_id)
    runs = os.path.abspath(os.path.expanduser(runs_directory or RUNS_DIRECTORY))
    _current = Run(
        run_id=chosen,
        verb=verb,
        directory=os.path.join(runs, chosen),
        started=started,
        started_monotonic_ns=time.monotonic_ns(),
        check_mode=check_mode,
        operator=operator(),
        inputs=inputs,
        plan=plan,
        services=services,
        allow_degraded=tuple(allow_degraded),
        inventory=tuple(as_typed(inventory)),
        options=(*vault, *(["-e", extra_variable("continuity_runs_dir", runs)] if runs_directory else [])),
    )
    return _current


def extra_variable(name: str, value: str | list[str]) -> str:
    """A word for `-e`; Ansible itself splits `name=value` at spaces and reads quotes in it, so such a value is JSON."""
    plain = isinstance(value, str) and re.fullmatch(r"[\w@%+:,./-]*", value)
    return f"{name}={value}" if plain else json.dumps({name: value})


def as_typed(sources: Iterable[str]) -> list[str]:
    """Inventory sources, relative where they lie below the current directory: a command with them can be copied."""
    here = os.getcwd() + os.sep
    return [os.path.relpath(each) if each.startswith(here) else each for each in map(str, sources)]


def new_run_id(now: float) -> str:
    """A run id that sorts by time and does not collide: `20261122T031500Z-3f9a`. `now`: seconds since 1970."""
    return datetime.fromtimestamp(now, tz=UTC).strftime("%Y%m%dT%H%M%SZ-") + secrets.token_hex(2)


def is_made(run_id: str) -> bool:
    """Whether it has the form of `new_run_id`; nobody names a run so."""
    return _MADE.fullmatch(run_id) is not None


def checked_run_id(run_id: str) -> str:
    """`run_id` itself, if it can be a file name and a word in a DNS text; else ValueError with what is allowed."""
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(f'continuity_run_id "{run_id}": is not a run id; allowed: {RUN_ID_ALLOWED}')
    return run_id


def operator() -> str:
    """Who runs this, as `user@host`; a process without a user name is named by its number (`uid1000@host`)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an arbitrary uid, as in a container: KeyError until Python 3.12, OSError since
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def forget() -> None:
    """Forget the run of this process. For tests."""
    global _current
    _current = None
