# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Isolate a member's service by packet rules on a guard: a gateway or host that its clients' packets pass, or itself.

All rules stand in one table of their own, made and deleted in one transaction each, so that nothing else is touched.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NFT = "/usr/sbin/nft"
#: Before connection tracking and everybody's own rules: an established connection must not pass either.
PRIORITY = -350
#: input and output: the guard is the member itself. forward: the packets of others.
HOOKS = ("input", "forward", "output")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
LONGEST_NAME = 200  # of a table; the kernel takes 255
#: There is no such table. nft says so in the system's words.
ABSENT = "@@absent"

ROOT = '\nroot="sudo -n"; [ "$(id -u)" != 0 ] || root=\n'

#: One rule without its order: hook, ip or ip6, and which end the member is ("daddr dport": packets to it).
Rule = tuple[str, str, str, tuple[str, ...], tuple[int, ...]]


class BadTarget(ValueError):
    """What is to be isolated cannot be named in a rule."""


@dataclass(frozen=True)
class Target:
    """The service's addresses and ports on one member. Raises BadTarget."""

    service: str
    member: str
    addresses: tuple[str, ...]
    ports: tuple[int, ...]

    def __post_init__(self) -> None:
        for what, value in (("service", self.service), ("member", self.member)):
            if not _NAME.fullmatch(value):
                raise BadTarget(f'{what} "{value}": is no plain name; allowed: letters, digits and . - _')
        if len(self.table) > LONGEST_NAME:
            raise BadTarget(f"service and member: too long for a table's name; allowed: {LONGEST_NAME} letters")
        if not self.addresses or not self.ports:
            raise BadTarget("addresses and ports: at least one of each, or there is nothing to isolate")
        for address in self.addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise BadTarget(
                    f'addresses: "{address}" is no IP address; a rule that waits for a name server is no fence. '
                    "Allowed: an IPv4 or IPv6 address"
                ) from None
        if not all(0 < port < 65536 for port in self.ports):
            raise BadTarget(f"ports: {list(self.ports)}; allowed: 1 to 65535")

    @property
    def table(self) -> str:
        """The table's name, the service's own."""
        return f"continuity-{self.service}-{self.member}"

    def families(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """``ip`` and ``ip6``, each with its addresses, where there are any."""
        for name, version in (("ip", 4), ("ip6", 6)):
            found = {str(ipaddress.ip_address(a)) for a in self.addresses if ipaddress.ip_address(a).version == version}
            if found:
                yield name, tuple(sorted(found))

    def rules(self) -> frozenset[Rule]:
        """What must be read back: in every hook, both directions, all addresses and ports."""
        ports = tuple(sorted(set(self.ports)))
        return frozenset(
            (hook, family, ends, addresses, ports)
            for hook in HOOKS
            for family, addresses in self.families()
            for ends in ("daddr dport", "saddr sport")
        )


def _command(target: Target) -> str:
    """One argument of nft, one transaction: whatever the table held before is gone, also when it was not there."""
    name = f"inet {target.table}"
    chains = []
    for hook in HOOKS:
        lines = [f"type filter hook {hook} priority {PRIORITY}; policy accept;"]
        for rule in sorted(rule for rule in target.rules() if rule[0] == hook):
            _hook, family, ends, addresses, ports = rule
            address, port = ends.split()
            hosts, numbers = ", ".join(addresses), ", ".join(map(str, ports))
            lines.append(f"{family} {address} {{ {hosts} }} tcp {port} {{ {numbers} }} counter drop;")
        chains.append(f"chain {hook} {{ {' '.join(lines)} }};")
    return f"add table {name}; delete table {name}; table {name} {{ {' '.join(chains)} }};"


def _list(target: Target) -> str:
    """Print the table as JSON, or that it is not there; anything else prints neither."""
    shown = f"$root {NFT} -j list table inet {target.table}"
    return (
        f'shown=$({shown} 2>&1) && printf "%s\\n" "$shown" || '
        f'case $shown in *"No such file or directory"*) echo {ABSENT};; *) printf "%s\\n" "$shown" >&2;; esac\n'
    )


def isolate_script(target: Target) -> str:
    """Set the rules as a whole, then show what stands there."""
    set_them = f"$root {NFT} {shlex.quote(_command(target))} </dev/null >&2\n"
    return _whole(set_them + _list(target))


def read_script(target: Target) -> str:
    """Only look."""
    return _whole(_list(target))


def release_script(target: Target) -> str:
    """Delete exactly this table, then show that it is gone."""
    return _whole(f"$root {NFT} delete table inet {target.table} </dev/null >&2\n" + _list(target))


def _whole(script: str) -> str:
    return "{\nLC_ALL=C; export LC_ALL\n" + ROOT + script + "exit 0\n}\n"


@dataclass(frozen=True)
class Stand:
    """What a guard showed: ``rules`` None where that cannot be known."""

    rules: frozenset[Rule] | None
    #: packets that were dropped so far
    dropped: int = 0
    #: what stands in the table and is no plain drop: an `accept` before ours lets through what they would drop
    weakened_by: tuple[str, ...] = ()
    #: drops of the table that are none of ours
    others: int = 0

    def isolates(self, target: Target) -> bool:
        """Every rule is there, and whatever else stands in the table only drops."""
        return self.rules is not None and target.rules() <= self.rules and not self.weakened_by

    @property
    def absent(self) -> bool:
        """The table is gone, or holds nothing."""
        return self.rules is not None and not self.rules and not self.weakened_by and not self.others


def parse(stdout: str) -> Stand:
    """Read what a script showed.

    >>> parse("@@absent").absent, parse("").rules
    (True, None)
    """
    text = stdout.strip()
    if text == ABSENT:
        return Stand(frozenset())
    try:
        entries = json.loads(text[text.index("{") :])["nftables"]
        hooks = {e["chain"]["name"]: e["chain"] for e in entries if "chain" in e}
        # Ours has no flags. A dormant one shows all its rules and drops nothing; nft 1.0.6 garbles the flag, or all
        weakened_by = ["flags of the table, such as dormant" for e in entries if e.get("table", {}).get("flags")]
        found, dropped, others = set(), 0, 0
        for entry in (e["rule"] for e in entries if "rule" in e):
            chain, expression = hooks[entry["chain"]], entry["expr"]
            if not _only_drops(expression):
                words = ", ".join(word for part in expression for word in part) or "nothing"
                weakened_by.append(f"rule {entry.get('handle')} of the chain {entry['chain']}: {words}")
                continue
            rule, count = _rule(chain, expression)
            found |= {rule} if rule else set()
            others += rule is None
            dropped += count
        return Stand(frozenset(found), dropped, tuple(weakened_by), others)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Stand(None)


def _only_drops(expression: Sequence[Mapping[str, Any]]) -> bool:
    """Whatever it matches, it drops. Any statement that is not known here may do something else."""
    return [*expression[-1:]] == [{"drop": None}] and all(
        set(part) in ({"match"}, {"counter"}) for part in expression[:-1]
    )


def _rule(chain: Mapping[str, Any], expression: Sequence[Mapping[str, Any]]) -> tuple[Rule | None, int]:
    """One drop of ours; None for any other, such as one that somebody weakened."""
    matches: dict[str, tuple[str, list[Any]]] = {}
    dropped = 0
    for part in expression[:-1]:
        if "counter" in part:
            dropped += int(part["counter"]["packets"])
            continue
        match = part["match"]
        payload = match["left"].get("payload", {})
        field, protocol = payload.get("field"), payload.get("protocol")
        # Two addresses that must both be met are met by none
        if match["op"] != "==" or field is None or field in matches:
            return None, 0
        matches[field] = (protocol, _values(match["right"]))
    ends = next((e for e in ("daddr dport", "saddr sport") if set(e.split()) == set(matches)), "")
    if not ends or chain.get("type") != "filter" or chain.get("prio") != PRIORITY:
        return None, 0
    (family, addresses), (protocol, ports) = (matches[field] for field in ends.split())
    if protocol != "tcp" or not all(isinstance(port, int) for port in ports):  # ports may be a range, or a set's name
        return None, 0
    hosts, numbers = tuple(sorted(map(str, addresses))), tuple(sorted(ports))
    return (str(chain["hook"]), family, ends, hosts, numbers), dropped


def _values(right: Any) -> list[Any]:
    """The members of a set, or the one value."""
    return list(right["set"]) if isinstance(right, Mapping) and "set" in right else [right]


def sudo_rules(target: Target, login: str) -> list[str]:
    """The sudoers lines that a guard's login needs for this member."""
    commands = (_command(target), f"-j list table inet {target.table}", f"delete table inet {target.table}")
    return [f"{login} ALL=(root) NOPASSWD: {NFT} {_escaped(command)}" for command in commands]


def _escaped(command: str) -> str:
    return "".join(f"\\{letter}" if letter in ",:=\\" else letter for letter in command)
