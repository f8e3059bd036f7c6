# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and how an error about them reads: what is wrong, the nearest known name, what is allowed."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Sequence

from ansible_collections.continuity.dr.plugins.plugin_utils.address import ip_version

MOST_SHOWN = 12  # names listed in one error; a plan may know thousands
MOST_HINTS = 50  # nearest names looked for among the errors of one kind; each costs milliseconds in a large plan
NOT_SHOWN = "the value (not shown)"
LONGEST_NAME_SHOWN = 100  # characters of a name in an error

#: What a name says that holds a secret; what is below `key` alone has names of its own (its name, its algorithm).
SECRET_NAME = re.compile(r"(?:^|_)(?:key|secret|password|passwd|passphrase|token|credentials)$", re.IGNORECASE)
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?", re.ASCII)
_NUMBERS = re.compile(r"[0-9.]+", re.ASCII)  # an address that is none: 198.51.100.300, 198.51.100.011
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


def path_of(parts: Sequence[object]) -> str:
    """`["services", "payments-db", "members", 0]` as `services.payments-db.members[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "the plan"


def is_secret(parts: Sequence[object]) -> bool:
    """True where a value at this place of the plan may be a secret, so no error shows it."""
    names = [part for part in parts if isinstance(part, str)]
    return bool(names) and any(
        SECRET_NAME.search(name) and (name.lower() != "key" or name is names[-1]) for name in names
    )


def finding(path: str, wrong: str, allowed: str = "") -> str:
    """One error: `services.payments-db.function: unknown function "payment"; allowed: payments, accounts`."""
    return visible(f"{path}: {wrong}; allowed: {allowed}" if allowed else f"{path}: {wrong}")


def unknown(path: str, kind: str, name: object, known: Collection[str], guess: bool = True) -> str:
    """The error about a name that nobody knows, with the nearest known one and the list of all.

    `guess` false leaves the nearest one out: among thousands of names looking for it takes milliseconds.
    """
    nearest_one = hint(name, known) if guess else ""
    return finding(path, f'unknown {kind} "{cut(name)}"{foreign_letters(name)}{nearest_one}', listed(known))


def visible(text: str) -> str:
    """The text on one line, with what cannot be seen (control characters, zero-width and odd spaces) written out."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in text
    )


def cut(value: object) -> str:
    """A value's text, cut to what a person reads."""
    text = str(value)
    return text if len(text) <= LONGEST_NAME_SHOWN else f"{text[:LONGEST_NAME_SHOWN]}..."


def foreign_letters(name: object) -> str:
    """` ("\u0440" is U+0440 CYRILLIC SMALL LETTER ER)` for a name with a character beyond ASCII: it may look like a
    Latin letter, so the name would be shown beside an equal one."""
    found = next((char for char in str(name) if not char.isascii()), None)
    return f' ("{found}" is U+{ord(found):04X} {unicodedata.name(found, "without a name")})' if found else ""


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


def host_problem(value: str) -> str | None:
    """What keeps a text from being an IP address or the name of a host, or None."""
    if ip_version(value) is not None or (_HOST.fullmatch(value) and not _NUMBERS.fullmatch(value)):
        return None
    return "is neither an IP address nor the name of a host"


def is_template(value: object) -> bool:
    """True for text that Ansible still has to fill in, so it cannot be judged yet."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


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
    bad = next((label for label in name[:-1].lower().split(".") if not _LABEL.fullmatch(label)), None)
    if bad is None:
        return None
    if bad == "":
        return "has two dots in a row, or begins with one"
    if len(bad) > 63:
        return f"its part that begins with {bad[:10]} has {len(bad)} characters (limit: 63)"
    why = foreign_letters(bad) + ("; write international names in their xn-- form" if not bad.isascii() else "")
    return f'"{bad}" is no part of a DNS name{why}'
