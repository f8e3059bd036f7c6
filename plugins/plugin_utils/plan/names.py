# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and how an error about them reads: what is wrong, the nearest known name, what is allowed."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection, Sequence

MOST_SHOWN = 12  # names listed in one error; a plan may know thousands

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


def path_of(parts: Sequence[object]) -> str:
    """`["services", "payments-db", "members", 0]` as `services.payments-db.members[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "the plan"


def finding(path: str, wrong: str, allowed: str = "") -> str:
    """One error: `services.payments-db.function: unknown function "payment"; allowed: payments, accounts`."""
    return f"{path}: {wrong}; allowed: {allowed}" if allowed else f"{path}: {wrong}"


def unknown(path: str, kind: str, name: object, known: Collection[str]) -> str:
    """The error about a name that nobody knows, with the nearest known one and the list of all."""
    return finding(path, f'unknown {kind} "{name}"{hint(name, known)}', listed(known))


def nearest(name: object, known: Collection[str], cutoff: float = 0.6) -> str | None:
    """The known name that looks most like `name`, or None when none is close (`cutoff`: 0 to 1, 1 is equal)."""
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=cutoff)
    return close[0] if close else None


def hint(name: object, known: Collection[str]) -> str:
    """` (did you mean "payments"?)` or nothing."""
    close = nearest(name, known)
    return f' (did you mean "{close}"?)' if close else ""


def listed(names: Collection[str]) -> str:
    """Names for people, `a, b, c`; a long list is cut and says how many more there are."""
    shown = list(names)[:MOST_SHOWN]
    more = len(names) - len(shown)
    return (", ".join(shown) or "none") + (f" and {more} more" if more else "")


def is_template(value: object) -> bool:
    """True for text that Ansible still has to fill in, so it cannot be judged yet."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def ip_version(value: object) -> int | None:
    """4 or 6 for an IP address, None for anything else (leading zeros and ports are no addresses)."""
    try:
        return ipaddress.ip_address(str(value)).version
    except ValueError:
        return None


def dns_name_problem(name: str) -> str | None:
    """What is wrong with an absolute DNS name, or None.

    `dns_name_problem("www.shop.example")` is `add the final dot: "www.shop.example."`.
    """
    if not name.endswith("."):
        return f'add the final dot: "{name}."'
    if len(name) > 254:
        return "is longer than 253 characters"
    if name == ".":
        return "is the root of all names"
    bad = [label for label in name[:-1].lower().split(".") if not _LABEL.fullmatch(label)]
    return f'"{bad[0]}" is no part of a DNS name' if bad else None
