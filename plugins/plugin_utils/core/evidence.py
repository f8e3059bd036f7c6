# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proves that a member takes no more writes: how strong it is, who said it, and when it was read back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: on/off: of the machine. isolated: no client reaches it. stopped: its service is stopped and masked. open: nothing
#: keeps it from serving. unknown: whatever could not be read, which is never any of the others.
State = Literal["on", "off", "isolated", "stopped", "open", "unknown"]

#: The ladder. A level is what was read back, never what was asked for.
LEVELS: Mapping[int, str] = {
    3: "power, hypervisor or cloud read back off, or the machine itself read back stopped and masked",
    2: "isolated from the network, seen from two vantage points",
    1: "the member's own self-fencing lease has ended",
    0: "an operator's word",
}
DEFAULT_MIN_LEVEL = 2
#: What one word of a device is worth at most. No fence can claim more for a state than the ladder gives.
STRONGEST: Mapping[State, int | None] = {
    "off": 3,
    "stopped": 3,
    "isolated": 2,
    "on": None,
    "open": None,
    "unknown": None,
}


@dataclass(frozen=True)
class Evidence:
    """What one fence said of one member. ``level`` is None where nothing was proven: that is less than level 0."""

    member: str
    #: the fence that said it
    source: str
    state: State = "unknown"
    level: int | None = None
    #: the device, or the machine, gave an answer that could be read
    answers: bool = False
    #: the level that this fence can reach at this member
    gives: int | None = None
    #: what was read back, in one line
    text: str = ""
    #: when it was read back, seconds since 1970
    time: float | None = None
    #: when it was asked for: what was read is at most as old as this, however long the reader slept over it
    asked: float | None = None

    def __post_init__(self) -> None:
        strongest = STRONGEST.get(self.state)
        if self.level is not None and (strongest is None or self.level > strongest or not self.answers):
            raise ValueError(f"{self.source} claims level {self.level} for {self.member}, which is {self.state}")

    @property
    def key(self) -> str:
        """What it is kept under: the newest of one fence about one member."""
        return f"{self.member} {self.source}"

    @property
    def fades(self) -> bool:
        """It tells of a moment, since anybody may switch on what is off. What is stopped and masked stays so."""
        return self.state != "stopped"

    def age(self, now: float) -> float:
        """Seconds since it was asked for."""
        asked = self.time if self.asked is None else self.asked
        return max(0.0, now - asked) if asked is not None else float("inf")

    def proves(self, minimum: int) -> bool:
        """It is at least this strong."""
        return self.level is not None and self.level >= minimum

    def __str__(self) -> str:
        said = self.text or self.state
        if self.level is None and self.gives is not None:
            return f"{self.member}: {self.source} works and could prove level {self.gives}: {said}"
        level = "no evidence" if self.level is None else f"level {self.level}"
        return f"{self.member}: {level} by {self.source}: {said}"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evidence:
        """Read what a fence left as a fact; unknown keys are refused by the constructor."""
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return dataclasses.asdict(self)


def strongest(known: Iterable[Evidence], since: float) -> dict[str, Evidence]:
    """Of each member the strongest evidence that was read back at ``since`` or later."""
    found: dict[str, Evidence] = {}
    for evidence in known:
        if evidence.time is None or evidence.time < since:
            continue
        before = found.get(evidence.member)
        if before is None or (evidence.level if evidence.level is not None else -1) > (
            before.level if before.level is not None else -1
        ):
            found[evidence.member] = evidence
    return found


@dataclass(frozen=True)
class Sighting:
    """A machine that opened the service's port on a member that the controller cannot reach, and got an answer."""

    witness: str
    member: str
    text: str
