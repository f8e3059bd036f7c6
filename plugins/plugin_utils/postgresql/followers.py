# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who follows a server and how, and whether that proves anything: PostgreSQL's own word "sync" does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import SYNCHRONOUS

#: A standby that is called synchronous, of which no commit, or not every one, waits for a confirmation.
COMMITS_DO_NOT_WAIT = "commits do not wait"
#: What `synchronous_commit` may be for a commit to wait for a standby, in all spellings that the server takes. With
#: `remote_write` the standby may not have it on its disk yet: a running one, which alone is promoted, still has it.
WAITING = ("on", "true", "yes", "1", "remote_apply", "remote_write")
#: Where the server has a setting from that is not one of the role or the database that asks.
SERVERS_OWN = ("default", "environment variable", "configuration file", "command line")
#: More than these are counted, not named.
NAMED = 3


def followers(server: Mapping[str, Any]) -> dict[str, str]:
    """By name, how each one is attached; after a comma, why a synchronous one proves nothing.

    >>> followers({"followers": [{"name": "db2", "state": "streaming", "sync": "sync"}],
    ...            "commits": {"setting": "local", "source": "default", "overrides": []}})
    {'db2': 'sync, commits do not wait (synchronous_commit = local)'}
    """
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for follower in server["followers"]:
        by_name.setdefault(follower["name"], []).append(follower)
    unawaited = list(_unawaited(server["commits"]))
    why = [f"{COMMITS_DO_NOT_WAIT} ({_short(unawaited)})"] if unawaited else []
    return {name: _mode(ones, why) for name, ones in by_name.items()}


def _mode(ones: list[Mapping[str, Any]], why: list[str]) -> str:
    """How those of one name are attached. Of several any may have confirmed what another one lacks.

    One of them may be the member's own broken connection, until the server gives it up (`wal_sender_timeout`).
    """
    modes = [one["sync"] if one["state"] == "streaming" else one["state"] for one in ones]
    synchronous = [mode for mode in modes if mode in SYNCHRONOUS]
    if not synchronous:
        return str(modes[-1])
    addresses = ", ".join(str(one.get("address") or "a local socket") for one in ones)
    several = [f"one of {len(ones)} with this name ({addresses})"] if len(ones) > 1 else []
    return ", ".join([synchronous[0], *several, *why])


def _unawaited(commits: Mapping[str, Any]) -> Iterator[str]:
    """Every setting in the cluster with which a commit does not wait; a client's own cannot be seen."""
    if commits["setting"] not in WAITING:
        yield f"synchronous_commit = {commits['setting']}"
    elif commits["source"] not in SERVERS_OWN:
        yield f"synchronous_commit is set for this login ({commits['source']}), which hides the server's own"
    for override in commits["overrides"]:
        if str(override["setting"]).lower() not in WAITING:
            yield f"{_whose(override)}: synchronous_commit = {override['setting']}"


def _whose(override: Mapping[str, Any]) -> str:
    role, database = override.get("role"), override.get("database")
    whose = f"role {role}" if role else "" if database else "all roles"
    return " in ".join(filter(None, [whose, f"database {database}" if database else ""]))


def _short(reasons: list[str]) -> str:
    more = len(reasons) - NAMED
    return "; ".join([*reasons[:NAMED], *([f"{more} more"] if more > 0 else [])])
