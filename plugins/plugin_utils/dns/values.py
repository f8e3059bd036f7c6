# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names, values and times to live as people write them, checked and brought into one form.

Every function returns what it understood and appends what is wrong to a list, so that a person is told
everything at once. Nothing here asks a server.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence

TTL_LIMITS = (1, 2147483647)
#: Below the first value name servers are asked all the time, above the second a failover takes too long.
TTL_SENSIBLE = (5, 3600)

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.ASCII)
_SHOWN = 80


def shown(value: object) -> str:
    """A value in quotes for a message, with control characters visible and cut to a readable length."""
    text = repr(str(value))
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def check_name(field: str, text: object, problems: list[str]) -> str:
    """An absolute name in lower case. ``field`` is how the problem is introduced."""
    name = str(text).lower()
    before = len(problems)
    if not name.isascii():
        problems.append(f"{field}: {shown(text)} is not ASCII; write international names in their xn-- form")
    elif not name.endswith(".") or name == ".":
        problems.append(
            f"{field}: {shown(text)} is not absolute; write it in full with the final dot: 'www.example.com.'"
        )
    if len(problems) == before:
        for label in name[:-1].split("."):
            if len(label) > 63:
                problems.append(f"{field}: the label {shown(label)} is too long ({len(label)} characters; limit: 63)")
            elif not _LABEL.fullmatch(label):
                problems.append(f"{field}: illegal label {shown(label)}; allowed are letters, digits, '-' and '_'")
        if len(name) > 254:
            problems.append(f"{field}: the name has {len(name) - 1} characters (limit: 253)")
    return name


def is_below(name: str, zone: str) -> bool:
    """``name`` is the zone's apex or under it. Both are absolute and lower case."""
    return name == zone or name.endswith("." + zone) or zone == "."


def check_values(
    field: str, rtype: str, values: Sequence[object], name: str, problems: list[str], to_write: bool = True
) -> tuple[str, ...]:
    """The values of one record set, sorted, in the form they are compared in.

    What is only compared with (``to_write`` false) may be an address that nobody should publish: somebody did.
    """
    if not values:
        problems.append(f"{field} is empty: it would leave {name} without a value")
        return ()
    clean = [_CHECKS[rtype](f"{field}[{index}]", value, problems) for index, value in enumerate(values)]
    if to_write and rtype in ("A", "AAAA"):
        for index, value in enumerate(clean):
            kinds = _useless(value) if (":" in value) == (rtype == "AAAA") else []
            problems.extend(f"{field}[{index}]: {value} is {kind}; no client could use it" for kind in kinds)
    for value in sorted({value for value in clean if clean.count(value) > 1}):
        problems.append(f"{field}: {shown(value)} is given more than once")
    if rtype == "CNAME" and len(set(clean)) > 1:
        problems.append(f"{field}: a CNAME has one value, {len(clean)} are given")
    if rtype == "CNAME" and name in clean:
        problems.append(f"{field}: {name} would be an alias of itself")
    return tuple(sorted(set(clean)))


def check_ttl(field: str, ttl: object, problems: list[str]) -> int:
    """Seconds to live. Zero is refused: some resolvers do not accept it and some never cache it away."""
    low, high = TTL_LIMITS
    if isinstance(ttl, bool) or not isinstance(ttl, int) or not low <= ttl <= high:
        problems.append(f"{field}: {shown(ttl)} is not a time to live; allowed: {low}..{high} seconds")
        return low
    return ttl


def ttl_warnings(ttl: int) -> list[str]:
    """What is allowed and unwise."""
    low, high = TTL_SENSIBLE
    if low <= ttl <= high:
        return []
    why = "resolvers may raise it" if ttl < low else "clients keep the old value that long after a switch"
    return [f"ttl is {ttl} s, outside {low}..{high} s: {why}"]


def _address(version: int) -> Callable[[str, object, list[str]], str]:
    def check(field: str, value: object, problems: list[str]) -> str:
        try:
            return str(ipaddress.IPv4Address(str(value)) if version == 4 else ipaddress.IPv6Address(str(value)))
        except ValueError:
            problems.append(f"{field}: {shown(value)} is not an IPv{version} address")
            return str(value)

    return check


def _useless(text: str) -> list[str]:
    """The kinds of address no client elsewhere can reach, of which this is one; none for what is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return []
    kinds = {
        "loopback": address.is_loopback,
        "unspecified": address.is_unspecified,
        "multicast": address.is_multicast,
        "link-local": address.is_link_local,
        "broadcast": text == "255.255.255.255",
        "IPv4-mapped": isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None,
    }
    return [kind for kind, found in kinds.items() if found]


def _text(field: str, value: object, problems: list[str]) -> str:
    text = str(value)
    if not text or len(text) > 1024 or not (text.isascii() and text.isprintable()):
        problems.append(f"{field}: {shown(value)} is not a text of 1..1024 printable ASCII characters")
    return text


_CHECKS: dict[str, Callable[[str, object, list[str]], str]] = {
    "A": _address(4),
    "AAAA": _address(6),
    "CNAME": check_name,
    "TXT": _text,
}


def stored_form(rtype: str, value: str) -> str:
    """A value as a zone file writes it: TXT in quotes, in strings of at most 255 bytes.

    >>> stored_form("TXT", 'say "hi"')
    '"say \\\\"hi\\\\""'
    """
    if rtype != "TXT":
        return value
    pieces = [value[start : start + 255] for start in range(0, len(value), 255)]
    return " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)


def zone_line(name: str, ttl: int | None, rtype: str, value: str) -> str:
    """One line of a zone file, for diffs."""
    return f"{name} {'-' if ttl is None else ttl} IN {rtype} {stored_form(rtype, value)}"
