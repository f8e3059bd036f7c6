# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about endpoints that the plan alone can tell. An endpoint with a `zone` is a DNS name."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.address import ip_version
from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import DurationError, parse_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import (
    NOT_SHOWN,
    dns_name_problem,
    finding,
    is_template,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import Sealed
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.role_rules import OWN_ROLES
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.words import VAULT_MARK

LONGEST_TTL_SECONDS = 2147483647


def endpoint_rules(endpoints: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """Every broken rule. `endpoints`: for each service its list as written."""
    first_user: dict[str, str] = {}
    for service, entries in endpoints.items():
        for index, entry in enumerate(entries):
            if not isinstance(entry, Mapping):
                continue
            path = f"services.{service}.endpoints[{index}]"
            name = entry.get("name")
            if isinstance(name, str):
                user = first_user.setdefault(name.lower(), path)
                if user != path:
                    yield finding(f"{path}.name", f'"{name}" is the name of {user} too', "each name once in the plan")
            if "zone" in entry:
                yield from _dns_endpoint(path, entry)


def _dns_endpoint(path: str, entry: Mapping[str, Any]) -> Iterator[str]:
    name, zone = entry.get("name"), entry.get("zone")
    texts = {key: value for key, value in (("name", name), ("zone", zone)) if isinstance(value, str) and value}
    problems = {key: dns_name_problem(value) for key, value in texts.items()}
    for key, problem in problems.items():
        if problem:
            yield finding(f"{path}.{key}", f'"{texts[key]}": {problem}', "an absolute DNS name")
    if len(texts) == 2 and not any(problems.values()) and not _inside(texts["name"], texts["zone"]):
        yield finding(f"{path}.name", f'"{name}" is not in zone "{zone}"', f"a name that ends in .{texts['zone']}")
    if entry.get("type") == "CNAME" and len(texts) == 2 and texts["name"].lower() == texts["zone"].lower():
        yield finding(f"{path}.type", "a CNAME cannot stand at the top of its zone", "A, AAAA")
    yield from _ttl(path, "ttl", entry.get("ttl"))
    yield from _move_ttl(path, entry)
    for key in ("servers", "authoritative"):
        values = entry.get(key)
        yield from _servers(f"{path}.{key}", values if isinstance(values, list) else ())
    if str(entry.get("role")).startswith(OWN_ROLES):
        yield from _key(f"{path}.key", entry.get("key"))


def _servers(path: str, values: Sequence[Any]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        if not isinstance(value, str) or is_template(value):
            continue
        if ip_version(value) is None:
            allowed = "addresses: names cannot be looked up when the name service fails"
            yield finding(f"{path}[{index}]", f'"{value}" is not an IP address', allowed)
            continue
        address = ipaddress.ip_address(value)
        if address.is_unspecified or address.is_multicast or value == "255.255.255.255":
            yield finding(f"{path}[{index}]", f'"{value}" is not the address of one machine', "one of a name server")
        first = seen.setdefault(str(address), index)
        if first != index and value != values[first]:  # equal texts are the schema's affair
            yield finding(f"{path}[{index}]", f'"{value}" is the same address as "{values[first]}"', "each once")


def _key(path: str, key: object) -> Iterator[str]:
    """The parts of a key that can be judged before they are filled in. Its secret is never shown."""
    if not isinstance(key, Mapping):
        return
    name, secret = key.get("name"), key.get("secret")
    if isinstance(name, str) and name and not is_template(name) and not isinstance(name, Sealed):
        problem = dns_name_problem(f"{name.rstrip('.')}.")
        if problem:
            yield finding(f"{path}.name", f'"{name}": {problem}', "the key's name as the name server has it")
    if not isinstance(secret, str) or isinstance(secret, Sealed) or secret.lstrip().startswith(VAULT_MARK):
        return
    if is_template(secret):
        if secret.count("{{") != secret.count("}}") or secret.count("{%") != secret.count("%}"):
            yield finding(f"{path}.secret", f"{NOT_SHOWN} is a template that is not closed", '"{{ variable }}"')
    elif not _is_base64(secret):
        yield finding(f"{path}.secret", f"{NOT_SHOWN} is not base64", "a template, a vaulted value, or base64")


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text.strip(), validate=True))
    except ValueError:
        return False


def _inside(name: str, zone: str) -> bool:
    return f".{name.lower()}".endswith(f".{zone.lower()}")


def _move_ttl(path: str, entry: Mapping[str, Any]) -> Iterator[str]:
    if "move_ttl" not in entry:
        return
    yield from _ttl(path, "move_ttl", entry["move_ttl"])
    if "ttl" not in entry:
        allowed = "both: the ttl is what comes back after the move"
        yield finding(f"{path}.ttl", "is missing beside move_ttl", allowed)
        return
    try:
        normal, moving = parse_duration(entry["ttl"]), parse_duration(entry["move_ttl"])
    except DurationError:
        return
    if moving >= normal:
        short = f'"{entry["move_ttl"]}" is not shorter than the ttl'
        yield finding(f"{path}.move_ttl", short, f"less than {entry['ttl']}, or no move_ttl")


def _ttl(path: str, key: str, value: object) -> Iterator[str]:
    try:
        seconds = parse_duration(value)
    except DurationError:
        return
    if seconds != int(seconds) or not 1 <= seconds <= LONGEST_TTL_SECONDS:
        yield finding(
            f"{path}.{key}", f'"{value}" is no time to live', f"whole seconds from 1s to {LONGEST_TTL_SECONDS}s"
        )
