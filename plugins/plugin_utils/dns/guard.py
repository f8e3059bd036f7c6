# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guard: one TXT string beside an endpoint that says which run holds the claim, and with which epoch.

``epoch=7 run=20261122T031500Z-3f9a state=claimed until=2026-11-22T03:17:00Z owner=user@host``

Where the record's time to live was lowered ahead of a move, ``cached=2026-11-22T04:15:00Z`` follows: until then
resolvers may hold an answer with the longer one. Later claims carry it on; the move of the record ends it.

The epoch grows with every claim by another run and never goes down. Whoever writes the guard does so by
compare-and-swap on the exact text read, so of two writers the name server lets one pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

State = Literal["claimed", "released", "switched"]
Standing = Literal["usable", "doubtful", "expired"]
STATES: tuple[State, ...] = ("claimed", "released", "switched")

#: Seconds by which two controllers' clocks may differ. The holder stops trusting its claim this much
#: before ``until`` and others take it only this much after, so clocks up to twice this apart are safe.
MARGIN_SECONDS = 30.0

#: A guard is read at the authoritative server only; a short life keeps caches from showing an old one.
GUARD_TTL_SECONDS = 5

#: One TXT string holds 255 bytes; a guard takes 103 of them at most, beside its run and its owner.
OWNER_LENGTH = 88
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
#: Printable, without what the guard or the zone file gives a meaning to: space, quote, backslash, equals sign.
OWNER = re.compile(r"[!#-<>-\[\]-~]{1,100}", re.ASCII)
_EPOCH = re.compile(r"[0-9]{1,15}", re.ASCII)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class GuardUnreadable(ValueError):
    """The TXT at the guard's name is not a guard. It is never overwritten."""


@dataclass(frozen=True)
class Guard:
    """One guard. ``until`` is in seconds since the epoch of Unix, whole: the text has no fractions."""

    epoch: int
    run: str
    state: State
    until: int
    owner: str
    #: until when resolvers may hold an answer with a longer time to live than the record's present one; 0: not known
    cached: int = 0

    def text(self) -> str:
        """The TXT string.

        >>> Guard(7, "r-1", "claimed", 0, "me@here").text()
        'epoch=7 run=r-1 state=claimed until=1970-01-01T00:00:00Z owner=me@here'
        """
        cached = f" cached={timestamp(self.cached)}" if self.cached else ""
        until = timestamp(self.until)
        return f"epoch={self.epoch} run={self.run} state={self.state} until={until} owner={self.owner}{cached}"

    def ended(self, state: State, now: float) -> Guard:
        """The same claim, no longer open since ``now``; epoch, run and owner stay for the record."""
        return replace(self, state=state, until=int(now), cached=0 if state == "switched" else self.cached)


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, whole seconds, rounded down: a holder's claim ends early rather than late."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime(_TIME)


def clean_owner(text: str) -> str:
    """The owner as a guard can carry it; what it cannot carry becomes an underscore.

    >>> clean_owner("CORP\\\\ann lee@desk")
    'CORP_ann_lee@desk'
    """
    return re.sub(r"[^!#-<>-\[\]-~]", "_", text)[:OWNER_LENGTH] or "unknown"


def parse_guard(texts: Sequence[str]) -> Guard | None:
    """The guard in the TXT strings found at its name; None where there are none.

    Raises GuardUnreadable for more than one string or anything that is not a guard.
    Words this version does not know are let through: a later version may add some.
    """
    if not texts:
        return None
    if len(texts) > 1:
        raise GuardUnreadable(f"{len(texts)} TXT records stand where one guard is expected")
    words = dict(word.partition("=")[::2] for word in texts[0].split(" "))
    epoch, run, state = words.get("epoch", ""), words.get("run", ""), words.get("state", "")
    owner = words.get("owner", "")
    if not (_EPOCH.fullmatch(epoch) and RUN_ID.fullmatch(run) and state in STATES and OWNER.fullmatch(owner)):
        raise GuardUnreadable(f"the TXT record is not a guard of continuity.dr: {texts[0][:120]!r}")
    until = _seconds("until", words.get("until", ""), texts[0])
    cached = _seconds("cached", words["cached"], texts[0]) if "cached" in words else 0
    return Guard(int(epoch), run, state, until, owner, cached)


def _seconds(word: str, value: str, text: str) -> int:
    try:
        return int(datetime.strptime(value, _TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise GuardUnreadable(f"the guard's {word} is not a time: {text[:120]!r}") from None


def own_text(text: str | None) -> Guard | None:
    """The guard in a text that one's own claim returned; None for nothing and for what is no guard."""
    try:
        return parse_guard([text] if text else [])
    except GuardUnreadable:
        return None


def standing(until: float, now: float, margin: float = MARGIN_SECONDS) -> Standing:
    """What an open claim is worth at ``now`` by one's own clock.

    ``usable``: its holder may act on it. ``doubtful``: the holder may not (renew first) and nobody else
    may take it. ``expired``: anybody may take it. With clocks at most twice ``margin`` apart it is never
    usable by one clock and expired by another.

    >>> [standing(100.0, now, margin=30.0) for now in (69.0, 70.0, 130.0, 131.0)]
    ['usable', 'doubtful', 'doubtful', 'expired']
    """
    if now < until - margin:
        return "usable"
    return "doubtful" if now <= until + margin else "expired"
