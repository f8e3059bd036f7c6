# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one machine sees of another by TCP: whether a port opens, and whether something alive is behind it."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

#: open: something took the connection. refused: the machine answered that nobody listens. silent: no answer in time.
#: no_route: the network says that there is no way. unknown: it could not be tried.
Sight = Literal["open", "refused", "silent", "no_route", "unknown"]

#: A question that every PostgreSQL server answers before any login (SSLRequest). MariaDB greets unasked.
HELLO = "00 00 00 08 04 d2 16 2f"
_HELLO = re.compile(r"([0-9a-f]{2} ?)*", re.ASCII)
_WORDS: Sequence[tuple[str, Sight]] = (
    ("connection refused", "refused"),
    ("no route to host", "no_route"),
    ("network is unreachable", "no_route"),
    ("host is unreachable", "no_route"),
    ("connection timed out", "silent"),
)
TIMED_OUT = (124, 137)

# bash opens TCP connections by itself, and is there where python3, nc and the like are not
_TRY = r"""
try() {
  said=$(timeout -k 1 "$seconds" bash -c '
    exec 3<>"/dev/tcp/$1/$2" || exit 1
    echo opened
    printf "$3" >&3
    IFS= read -r -n 1 -t "$4" -u 3 byte; [ $? -gt 128 ] || echo alive
  ' - "$1" "$2" "$hello" "$patience" 2>&1); rc=$?
  printf '@@saw %s %s %s %s\n' "$1" "$2" "$rc" "$(printf %s "$said" | tr '\n' ' ')"
}
for program in bash timeout; do
  command -v "$program" >/dev/null 2>&1 || { echo "@@cannot $program is missing"; exit 0; }
done
"""


@dataclass(frozen=True)
class Seen:
    """One port as seen from here."""

    address: str
    port: int
    sight: Sight
    #: a process behind it said something, or closed: it is not frozen
    alive: bool = False

    def __str__(self) -> str:
        return f"{self.address}:{self.port} {'alive' if self.alive else self.sight.replace('_', ' ')}"


def script(targets: Iterable[tuple[str, int]], seconds: float, hello: str = HELLO) -> str:
    """Try all ports at the same time. Raises ValueError for what is no address, port or hello."""
    if not _HELLO.fullmatch(hello):
        raise ValueError(f'hello "{hello}": is not bytes in hexadecimal, such as "{HELLO}"')
    letters = "".join(f"\\x{byte}" for byte in hello.split())
    tries = []
    for address, port in targets:
        where = str(ipaddress.ip_address(address))
        tries.append(f"try {shlex.quote(where)} {int(port)} &")
    # The whole of it is bounded: half of the time for the connection's opening, half for a word of the other side
    head = f"LC_ALL=C; export LC_ALL\nseconds={seconds:g}; patience={seconds / 2:g}; hello={shlex.quote(letters)}\n"
    return "{\n" + head + _TRY + "\n".join(tries) + "\nwait\nexit 0\n}\n"


def parse(stdout: str, targets: Iterable[tuple[str, int]]) -> list[Seen]:
    """What was seen of each port; one of which nothing was read is unknown.

    >>> [str(s) for s in parse("@@saw 198.51.100.11 5432 1 connect: Connection refused", [("198.51.100.11", 5432)])]
    ['198.51.100.11:5432 refused']
    """
    found = {}
    for line in stdout.splitlines():
        mark, _space, rest = line.partition(" ")
        fields = rest.split(" ", 3)
        if mark == "@@saw" and len(fields) >= 3 and fields[1].isdigit() and fields[2].isdigit():
            told = fields[3] if len(fields) > 3 else ""
            found[fields[0], int(fields[1])] = _seen(fields[0], int(fields[1]), int(fields[2]), told)
    wanted = [(str(ipaddress.ip_address(address)), int(port)) for address, port in targets]
    return [found.get(where, Seen(*where, "unknown")) for where in wanted]


def _seen(address: str, port: int, rc: int, told: str) -> Seen:
    words = told.split()
    if "opened" in words:
        return Seen(address, port, "open", "alive" in words)
    if rc in TIMED_OUT:
        return Seen(address, port, "silent")
    lowered = told.lower()
    return Seen(address, port, next((sight for word, sight in _WORDS if word in lowered), "unknown"))
