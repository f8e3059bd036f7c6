# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of a primary name server and what it answered, without a library or a socket.

``Primary`` is what the claim and the switch need; the client implements it against real servers, the
tests against a zone in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Question:
    """One record set to read."""

    name: str
    type: str


@dataclass(frozen=True)
class Answer:
    """What one server said. ``values`` are in the form people write, ``stored`` as the zone holds them.

    No values with ``rcode`` NOERROR or NXDOMAIN means that the set does not exist. ``rcode`` TIMEOUT stands
    for no answer at all.
    """

    rcode: str
    authoritative: bool = False
    values: tuple[str, ...] = ()
    ttl: int | None = None
    stored: tuple[str, ...] = ()
    alias: str | None = None
    #: seconds by which the server's clock is ahead of ours, from its signature; 0 where it signed nothing
    ahead: float = 0.0

    @property
    def serial(self) -> int | None:
        """The serial of an SOA answer."""
        return int(self.stored[0].split()[2]) if self.stored else None

    @property
    def negative_ttl(self) -> int | None:
        """Seconds for which resolvers remember that a name does not exist, from an SOA answer (RFC 2308)."""
        return min(self.ttl or 0, int(self.stored[0].split()[6])) if self.stored else None


@dataclass(frozen=True)
class RecordSet:
    """A record set as stored; without values it stands for one that does not exist."""

    name: str
    type: str
    stored: tuple[str, ...] = ()
    ttl: int = 0


@dataclass(frozen=True)
class Change:
    """One UPDATE message: every set of ``require`` is exactly so, or nothing of ``put`` happens.

    ``probe`` holds values that cannot exist and are deleted: no effect, but the server checks the right
    to change that type, so a missing right shows before it matters.
    """

    zone: str
    require: tuple[RecordSet, ...]
    put: tuple[RecordSet, ...]
    probe: tuple[RecordSet, ...] = ()


class Primary(Protocol):
    """The server that accepts changes."""

    def ask(self, *questions: Question) -> list[Answer]:
        """Read record sets, in one flight. Raises Unreachable, or DnsError for a key that is not accepted."""

    def change(self, change: Change, *questions: Question) -> tuple[str, list[Answer]]:
        """Send one change, with reads in the same flight; return the change's answer code and the reads.

        Raises Unreachable where nothing was sent and NoReply where it was sent and no answer came.
        """


#: A value for each type that no record of ours can have.
IMPOSSIBLE = {"A": "0.0.0.0", "AAAA": "::", "CNAME": "probe.invalid.", "TXT": '"continuity probe"'}
