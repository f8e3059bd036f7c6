# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of Ansible under which a run would lie or tell secrets: they are refused before anything is contacted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding

SERVICE_CONNECTION = "continuity.dr.service"
OLDEST_ANSIBLE = (2, 19)  # as meta/runtime.yml says; a test compares
YES_OR_NO = frozenset({"true", "false", "yes", "no", "on", "off", "1", "0"})


def version_findings(version: str) -> Iterator[str]:
    """Ansible itself only warns about a version that a collection was not made for."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_ANSIBLE:
        oldest = ".".join(map(str, OLDEST_ANSIBLE))
        yield finding(
            "ansible-core", f'"{version}" is too old', f"{oldest} or later, pip install 'ansible-core>={oldest}'"
        )


def cache_findings(plugin: str) -> Iterator[str]:
    """Facts that outlive a run would be taken for what this one observed, where it could observe nothing."""
    if plugin not in ("memory", "ansible.builtin.memory"):
        wrong = f'"{plugin}" brings facts of earlier runs into this one'
        yield finding("fact_caching", wrong, "memory, as with ANSIBLE_CACHE_PLUGIN=memory before the command")


def banner_findings(arguments_shown: bool) -> Iterator[str]:
    """Ansible prints the arguments as they were given, before the task runs: no step could mask the keys among them."""
    if arguments_shown:
        wrong = '"true" prints keys and passwords above the tasks that use them'
        allowed = "false, as with ANSIBLE_DISPLAY_ARGS_TO_STDOUT=false before the command"
        yield finding("display_args_to_stdout", wrong, allowed)


def progress_findings(extra: Mapping[str, Any]) -> Iterator[str]:
    """A slip of the pen would silently leave the lines out, or in."""
    shown = str(extra.get("continuity_progress", True))
    if shown.lower() not in YES_OR_NO:
        yield finding("continuity_progress", f'"{shown}" is neither true nor false', "true, false")


def connection_findings(
    services: Iterable[str], members: Iterable[str], connections: Mapping[str, str]
) -> Iterator[str]:
    """A service that commands could run on, and machines that are all this one. `connections`: by host."""
    for name in services:
        if connections.get(name) != SERVICE_CONNECTION:
            wrong = f'"{connections.get(name)}", from host_vars or a later source, would run commands on a service'
            yield finding(f"{name}.ansible_connection", wrong, SERVICE_CONNECTION)
    local = [host for host in members if connections.get(host) in ("local", "ansible.builtin.local")]
    if len(local) > 1:
        wrong = f"{' and '.join(local)} are all this controller, by the connection local"
        yield finding("ansible_connection", wrong, "one that reaches each machine, in the inventory of the machines")
