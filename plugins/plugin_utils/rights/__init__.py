# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a login, the database and a name server must allow for the services of a plan, as files to install.

Every role of the plan says it for itself, in a module named after it: ``plugins/plugin_utils/rights/<role>.py`` of the
role's own collection. So a new provider is a new file here, and one of a third party is found as well.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

Service = Mapping[str, Any]

_LOGIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)


@dataclass(frozen=True)
class Known:
    """What a provider may need to know beside its own part of the plan."""

    logins: Mapping[str, str]
    """Who logs in to each member."""
    units: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The systemd units that carry the service on each member, as the engine said."""


@dataclass(frozen=True)
class Rights:
    """What one part of a service needs."""

    sudo: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Lines of a sudoers file, by member."""
    units: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The units that carry the service, by member: a fence stops them."""
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Lines of any other file, by its name. Services that name the same file share it."""


class Provider(Protocol):
    """A module of a role that knows its rights."""

    def rights(self, service: Service, part: Mapping[str, Any], known: Known) -> Rights:
        """Say what the role needs for ``part`` of the service. Raises ValueError for what cannot be meant."""


@dataclass(frozen=True)
class Needs:
    """All files by their name, and the parts of the plan whose role says nothing of its rights."""

    files: Mapping[str, str]
    unknown: Sequence[str]


def gather(services: Mapping[str, Service], logins: Mapping[str, str]) -> Needs:
    """What all services need together. ``logins``: by member.

    Raises ValueError, all reasons at once, for a login or a part of the plan that no file can name.
    """
    problems = [
        f'login of {member}: "{login}" is no name; allowed: letters, digits, _ . -, beginning with a letter or _'
        for member, login in logins.items()
        if not _LOGIN.fullmatch(login)
    ]
    sudo: dict[str, list[str]] = {member: [] for member in logins}
    carried: dict[str, list[str]] = {member: [] for member in logins}
    files: dict[str, list[str]] = {}
    unknown: list[str] = []
    for name, service in services.items():
        for member in service["members"]:
            carried[member["host"]].append(name)
        try:
            for found in _of_service(name, service, logins, unknown):
                for member, lines in found.sudo.items():
                    sudo[member] += lines
                for file, lines in found.files.items():
                    known = files.setdefault(file, [])
                    known += [line for line in lines if line not in known]
        except ValueError as error:
            problems.append(f"services.{name}: {error}")
    if problems:
        raise ValueError("\n  ".join(problems))
    texts = {f"{member}.sudoers": _sudoers(member, logins[member], carried[member], sudo[member]) for member in logins}
    return Needs({**texts, **{file: "\n".join(lines) + "\n" for file, lines in files.items()}}, unknown)


def _of_service(name: str, service: Service, logins: Mapping[str, str], unknown: list[str]) -> Iterator[Rights]:
    """The rights of engine, fence, endpoints and backup; the engine first, since it knows the units."""
    known = Known(logins)
    parts = [("engine", service["engine"])]
    parts += [(f"fence {fence.get('name') or fence['role']}", fence) for fence in service.get("fences") or ()]
    parts += [(f"endpoints[{number}]", endpoint) for number, endpoint in enumerate(service.get("endpoints") or ())]
    parts.append(("backup", service.get("backup") or {}))
    for path, part in parts:
        if not part:
            continue
        provider = provider_of(part["role"])
        if provider is None:
            unknown.append(f"services.{name}.{path}: the role {part['role']} does not say; see its README")
            continue
        found = provider.rights(service, part, known)
        known = Known(logins, {**known.units, **found.units})
        yield found


def provider_of(role: str) -> Provider | None:
    """The module in which a role says what it needs, or None."""
    namespace, _dot, rest = role.partition(".")
    collection, _dot, name = rest.partition(".")
    path = f"ansible_collections.{namespace}.{collection}.plugins.plugin_utils.rights.{name}"
    try:
        return cast(Provider, importlib.import_module(path))
    except ModuleNotFoundError as error:
        if error.name and (path == error.name or path.startswith(f"{error.name}.")):
            return None
        raise


def _sudoers(member: str, login: str, services: Sequence[str], lines: Sequence[str]) -> str:
    """One file for one member, whoever installs it needs nothing else."""
    what = ", ".join(sorted(services))
    head = f"# What {login} may run with other rights on {member}, for {what}, and nothing else.\n"
    if login == "root":
        return f"{head}# The login is root, which needs no line. Better: a login of its own.\n"
    return head + "".join(f"{line}\n" for line in sorted(set(lines)))
