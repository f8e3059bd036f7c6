# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options every DNS step shares, checked before anything is contacted."""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import BadInput
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.values import check_name, is_below, shown

ALGORITHMS = ("hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
WEAK_ALGORITHMS = ("hmac-md5", "hmac-sha1")
GUARD_LABEL = "_continuity"


@dataclass(frozen=True, order=True)
class Address:
    """Where a name server listens."""

    host: str
    port: int = 53

    def __str__(self) -> str:
        return self.host if self.port == 53 else f"{self.host}#{self.port}"


@dataclass(frozen=True)
class Key:
    """A TSIG key. The secret never enters a message: it is not part of the representation."""

    name: str
    algorithm: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Target:
    """One record and the servers that hold it. ``authoritative`` is None where they are to be discovered."""

    zone: str
    name: str
    servers: tuple[Address, ...]
    guard_name: str
    key: Key | None = None
    authoritative: tuple[Address, ...] | None = None
    query_timeout: float = 3.0

    @property
    def server_names(self) -> str:
        """The primary's addresses, for messages."""
        return ", ".join(map(str, self.servers))

    @property
    def key_name(self) -> str:
        """The key's name, for messages; empty without a key."""
        return self.key.name if self.key else ""


def read_target(args: Mapping[str, Any], problems: list[str], key_required: bool) -> Target:
    """The shared options of a step; what is wrong with them is appended to ``problems``."""
    zone = check_name("zone", args.get("zone"), problems)
    name = check_name("name", args.get("name"), problems)
    guard = check_name(
        "guard_name", args.get("guard_name") or f"{GUARD_LABEL}.{name}", problems if args.get("guard_name") else []
    )
    for option, value in (("name", name), ("guard_name", guard)):
        if zone.endswith(".") and value.endswith(".") and not is_below(value, zone):
            problems.append(f"{option}: {value} is not in zone {zone}")
    if len(guard) > 254:
        problems.append(f"guard_name: {shown(guard)} is too long (limit: 253); give a shorter guard_name")
    port = int(args.get("port") or 53)
    timeout = float(args.get("query_timeout") or 3.0)
    if not 0.05 <= timeout <= 60:
        problems.append(f"query_timeout: {timeout:g} is not allowed; allowed: 0.05..60 seconds")
    servers = read_addresses("servers", args.get("servers") or (), port, problems)
    if not args.get("servers"):
        problems.append("servers is empty: give the address of the server that accepts updates")
    declared = args.get("authoritative")
    authoritative = None if declared is None else read_addresses("authoritative", declared, port, problems)
    return Target(zone, name, servers, guard, _key(args.get("key"), key_required, problems), authoritative, timeout)


def read_addresses(option: str, texts: Sequence[object], port: int, problems: list[str]) -> tuple[Address, ...]:
    """Addresses, each with an optional ``#port``. Names are refused: in an outage they may not resolve."""
    found: list[Address] = []
    for index, text in enumerate(texts):
        host, _hash, own = str(text).partition("#")
        try:
            parsed = ipaddress.ip_address(host)
            address = Address(str(parsed), int(own) if own else port)
        except ValueError:
            wrong = f"{option}[{index}]: {shown(text)} is not an IP address (or address#port)"
            problems.append(wrong + "; names may not resolve in an outage")
            continue
        if not 1 <= address.port <= 65535:
            problems.append(f"{option}[{index}]: port {address.port} is not in 1..65535")
        elif parsed.is_unspecified or parsed.is_multicast or host == "255.255.255.255":
            problems.append(f"{option}[{index}]: {shown(text)} is not the address of one name server")
        elif address not in found:
            found.append(address)
    return tuple(found)


def fail_on(problems: Sequence[str]) -> None:
    """Raise BadInput with every problem, if there is any."""
    if problems:
        raise BadInput(problems)


def _key(given: Mapping[str, Any] | None, required: bool, problems: list[str]) -> Key | None:
    if not given:
        if required:
            problems.append("key is missing: changes are signed (TSIG); give name, algorithm and secret")
        return None
    name = str(given.get("name") or "").rstrip(".").lower() + "."
    check_name("key.name", name, problems)
    algorithm = str(given.get("algorithm") or "hmac-sha256").lower().rstrip(".")
    if algorithm in WEAK_ALGORITHMS and not given.get("allow_weak"):
        problems.append(
            f"key.algorithm: {algorithm} is weak and refused; use hmac-sha256, or set key.allow_weak for an old server"
        )
    elif algorithm not in ALGORITHMS + WEAK_ALGORITHMS:
        close = difflib.get_close_matches(algorithm, ALGORITHMS, n=1)
        guess = f" (did you mean '{close[0]}'?)" if close else ""
        problems.append(f"key.algorithm: {shown(algorithm)} is unknown{guess}; allowed: {', '.join(ALGORITHMS)}")
    return Key(name, algorithm, _secret(str(given.get("secret") or ""), problems))


def _secret(secret: str, problems: list[str]) -> str:
    """Check a secret without ever repeating any of it."""
    text = secret.strip()
    if text.startswith("$ANSIBLE_VAULT"):
        problems.append(
            "key.secret is still vault text: it was not decrypted; pass the vault password or the variable itself"
        )
    elif "{{" in text:
        problems.append(
            "key.secret is a template that was not rendered; in a plan it must come through the inventory source"
        )
    else:
        try:
            if not base64.b64decode(text, validate=True):
                problems.append("key.secret is empty")
        except (binascii.Error, ValueError):
            problems.append("key.secret is not base64 (its value is not shown)")
    return text
