# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about the roles that a plan names. Those of this collection are known, with every key they take; what a role of
another collection takes is its own affair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding, hint, listed, nearest, unknown
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.schema import known_keys

OWN_ROLES = "continuity.dr."
NEAR_MISS = 0.66

#: The option of a role that takes an entry of the plan, by what the schema calls the entry.
_OPTIONS = {
    "engine": "engine_member",
    "member": "engine_member",
    "fence": "fence",
    "endpoint": "endpoint",
    "backup": "backup",
}
_WHOLE_IN_SCHEMA = frozenset({"engine", "member", "endpoint"})
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ROLES = Path(__file__).resolve().parents[3] / "roles"

Entry = Mapping[str, Any]


def role_rules(services: Mapping[str, Entry]) -> Iterator[str]:
    """Every broken rule. `services` as written, their members a list."""
    for name, service in services.items():
        for path, family, entry in _role_users(name, service):
            role = entry.get("role")
            if isinstance(role, str) and role.startswith(OWN_ROLES):
                yield from _own_role(path, family, role)
                yield from _wrong_keys(path, family, entry, role)
        roles = [str(entry.get("role")) for _path, _family, entry in _role_users(name, service)]
        engine = service.get("engine")
        role = engine.get("role") if isinstance(engine, Mapping) else None
        if isinstance(role, str) and role.startswith(OWN_ROLES):
            # A role of another collection, such as a fence, may read keys of its own from the members
            foreign = not all(each.startswith(OWN_ROLES) for each in roles)
            for index, member in enumerate(service["members"]):
                if isinstance(member, Mapping):
                    yield from _wrong_keys(f"services.{name}.members[{index}]", "member", member, role, foreign)


def _role_users(name: str, service: Entry) -> Iterator[tuple[str, str, Entry]]:
    """Whatever names a role: its path, its family, and the entry. Every one of them may stand alone or in a list."""
    for key, family in (("engine", "engine"), ("fence", "fence"), ("backup", "backup"), ("endpoints", "endpoint")):
        entry, path = service.get(key), f"services.{name}.{key}"
        if isinstance(entry, Mapping):
            yield path, family, entry
        for index, item in enumerate(entry if isinstance(entry, list) else ()):
            if isinstance(item, Mapping):
                yield f"{path}[{index}]", family, item


def _own_role(path: str, family: str, role: str) -> Iterator[str]:
    """A role of ours is of the right family, and is there: Ansible would miss it only in the middle of a run."""
    shipped = shipped_roles(family)
    if not role.startswith(f"{OWN_ROLES}{family}_"):
        yield finding(f"{path}.role", f'"{role}" is no {family} role', f"a role named {OWN_ROLES}{family}_...")
    elif shipped and role not in shipped:
        yield unknown(f"{path}.role", f"{family} role", role, shipped)


def _wrong_keys(path: str, definition: str, entry: Entry, role: str, foreign: bool = False) -> Iterator[str]:
    """Where every key is known, any other is wrong; elsewhere a near miss of a known key is a slip."""
    own = own_keys(role, _OPTIONS[definition])
    ours = known_keys(definition)
    # a role takes the seconds of what the plan writes as a duration
    known = [*ours, *(key for key in own if key not in ours and key.removesuffix("_seconds") not in ours)]
    every_key_known = not foreign and (bool(own) or (definition in _WHOLE_IN_SCHEMA and _is_shipped(role)))
    for key in entry:
        if key in known:
            continue
        meant = nearest(key, [other for other in known if other not in entry], NEAR_MISS)
        if every_key_known or meant:
            guess = f' (did you mean "{meant}"?)' if meant else hint(key, known)
            yield finding(f"{path}.{key}", f"unknown key{guess}", listed(known))


@lru_cache(maxsize=64)
def own_keys(role: str, option: str) -> tuple[str, ...]:
    """The keys that a role of ours documents for `option` in its argument specs; none where it is not there."""
    try:
        text = (_ROLES / role.removeprefix(OWN_ROLES) / "meta" / "argument_specs.yml").read_bytes()
        entry_points = yaml.load(text, Loader=_Loader)["argument_specs"].values()
    except (OSError, KeyError, yaml.YAMLError):
        return ()
    found = [point.get("options", {}).get(option, {}).get("options", {}) for point in entry_points]
    return tuple(dict.fromkeys(key for options in found for key in options))


def _is_shipped(role: str) -> bool:
    return role in shipped_roles(role.removeprefix(OWN_ROLES).partition("_")[0])


@lru_cache(maxsize=8)
def shipped_roles(family: str) -> tuple[str, ...]:
    """The roles of this collection in a family, by their full names."""
    return tuple(sorted(f"{OWN_ROLES}{path.name}" for path in _ROLES.glob(f"{family}_*") if path.is_dir()))
