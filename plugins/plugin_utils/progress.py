# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person reads while a verb runs: one line a step, with the time gone and what is left of the RTO.

    payments-db    2.3s  promote db2: done 0.13s          RTO 15m: 14m 57s left

No line is wider than a terminal of 80 columns. A long name is shortened in its middle. Why a step failed stands below
its line, cut: the error itself and the summary have all of it.

Nothing rests on these lines: the journal is the record, the report judges. So whatever goes wrong in here is swallowed,
and a run whose lines cannot be shown goes on without them.
"""

from __future__ import annotations

import contextlib
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import format_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.run import Run

#: Steps that may take minutes: their beginning is told as well.
LONG = frozenset({"rejoin", "restore", "backup"})
#: What an outage is told by: only these entries of a journal are read.
TELLING = frozenset({"decide", "inject", "demote", "promote", "point", "canary"})
#: Stages in which a service is down at some time; in all others the whole objective is left.
PLANNED = frozenset({"switchover", "failback"})
BEFORE_A_FAILOVER = frozenset({"baseline", "failover"})

LINE_WIDTH, NAME_WIDTH, CLOCK_WIDTH, SAID_WIDTH = 80, 18, 7, 31
#: Rules alone: the decision has told them a moment ago, and the summary tells why.
RULES = re.compile(r"[a-z_]+(, [a-z_]+)*")

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Downtime:
    """Since when a service is down and since when it is not, in seconds since 1970; None: it is not (yet).

    `at_least`: it may have been down before. `measured`: what the canary's clients saw, in seconds.
    """

    started: float | None = None
    ended: float | None = None
    at_least: bool = False
    measured: float | None = None

    def seconds(self, now: float) -> float | None:
        """How long it has been or was down; None: it is not."""
        if self.measured is not None or self.started is None:
            return self.measured
        return max(0.0, (now if self.ended is None else self.ended) - self.started)


def downtime(run: Run, service: str, stage: str, entries: Iterable[Entry]) -> Downtime:
    """The service's downtime in this stage of the run, from its journal.

    It begins with the fault of a drill, with `outage_started`, or with the demotion of a planned move. Where nobody
    said when a real outage began, it is counted from the run's beginning, with what the plan allows for detection and
    decision. It ends for this purpose when every endpoint names the new primary, or when the old one serves again.
    Where the decision found the goal reached, nothing is down.
    """
    known = [entry for entry in entries if entry["step"] in TELLING]
    own = [entry for entry in known if entry["data"].get("stage") == stage]
    started, at_least = _start(run, stage, known, own)
    if started is None or (stage == "failover" and any(entry["data"].get("goal_reached") for entry in own)):
        return Downtime()
    ended = _end(own, {endpoint["name"] for endpoint in run.services[service].get("endpoints") or ()})
    return Downtime(started, ended, at_least, _measured(own))


def _start(run: Run, stage: str, known: list[Entry], own: list[Entry]) -> tuple[float | None, bool]:
    if stage in PLANNED:
        demoted = [_time(entry) for entry in own if entry["step"] == "demote" and entry["state"] == "started"]
        return (demoted[-1] if demoted else None), False
    if run.verb == "drill":
        faults = [entry["data"].get("fault") or {} for entry in known if stage in BEFORE_A_FAILOVER]
        times = [float(fault["time"]) for fault in faults if fault.get("time")]
        return (times[-1] if times else None), False
    if stage != "failover":
        return None, False
    if run.inputs.get("outage_started") is not None:
        return float(run.inputs["outage_started"]), False
    allowances = run.plan.get("allowances") or {}
    return run.started - sum(float(allowances.get(f"{name}_seconds") or 0) for name in ("detection", "decision")), True


def _end(own: list[Entry], endpoints: set[str]) -> float | None:
    left, ended, demoted = set(endpoints), None, None
    for entry in own:
        step, data = entry["step"], entry["data"]
        if step == "demote":
            left, ended, demoted = set(endpoints), None, data.get("member")
        elif entry["state"] != "done":
            continue
        elif step == "promote" and demoted is not None and data.get("member") == demoted:
            ended = _time(entry)  # undone: the endpoints never named another one
        elif (step == "promote" and not endpoints) or (step == "point" and left):
            left.discard(str(data.get("name")))
            ended = None if left else _time(entry)
    return ended


def _measured(own: list[Entry]) -> float | None:
    said = [entry["data"].get("measurement") or {} for entry in own if entry["state"] == "done"]
    seconds = [each["outage_seconds"] for each in said if each.get("outage_seconds") is not None]
    return float(seconds[0]) if seconds else None  # a later one measured the dwell


def _time(entry: Entry) -> float:
    return datetime.fromisoformat(str(entry["time"])).timestamp()


def budget(objective: float | None, down: Downtime, now: float) -> str:
    """The objective, and what is left of it or by how much it is exceeded."""
    if objective is None:
        return "no RTO"
    name, gone = f"RTO {format_duration(objective)}", down.seconds(now)
    if gone is None:
        return name
    over = gone - objective
    least = down.at_least and down.measured is None
    if over > 0:
        known = down.measured is not None or down.ended is not None
        missed = f"{name} MISSED: " if known else f"{name} MISSED by "
        return missed + ("over " if least else "") + (format_duration(gone) if known else _rounded(over))
    if down.measured is not None:
        return f"{name}: outage of {format_duration(gone)}"
    if down.ended is not None:
        return f"{name}: {'down at least' if least else 'back after'} {format_duration(gone)}"
    return f"{name}: {'at most ' if least else ''}{_rounded(-over)} left"


def _rounded(seconds: float) -> str:
    """Towards zero, so that nobody is told of more than there is; tenths where each counts."""
    return format_duration(math.floor(seconds * 10) / 10 if seconds < 10 else math.floor(seconds))


def clock(seconds: float) -> str:
    """Time since the run began, never wider than seven characters: `12.4s`, `2m 07s`, `1h 02m`."""
    if round(seconds, 1) < 60:
        return f"{max(0.0, seconds):.1f}s"
    whole = max(60, int(seconds))
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02}m"


def shortened(text: str, width: int) -> str:
    """The text, without its middle where it is longer than `width`: names often differ at their end.

    >>> shortened("an-unusually-long-name-in-the-plan", 18)
    'an-unusu..the-plan'
    """
    if len(text) <= width:
        return text
    kept = max(0, width - 2)
    return f"{text[: kept - kept // 2]}..{text[len(text) - kept // 2 :]}"


def name_width(services: Iterable[str]) -> int:
    """How wide the column of services is: as the longest name, unless it can be shortened and still be told apart."""
    names = [plain(name) for name in services]
    alike = len({shortened(name, NAME_WIDTH) for name in names}) < len(set(names))
    longest = max(map(len, names))
    return longest if alike else min(NAME_WIDTH, longest)


def lines(service: str, width: int, elapsed: float, said: str, left: str, message: str = "") -> str:
    """One line, and one below it for a message: whatever is in them, no other line break, and the cursor stays."""
    head = f"{shortened(plain(service), width):<{width}}  {clock(elapsed):>{CLOCK_WIDTH}}  "
    room, done, left = max(20, LINE_WIDTH - len(head)), plain(said), plain(left)
    if len(done) + 2 + len(left) > room:
        left = left.rpartition(": ")[2]
    done = shortened(done, room - 2 - len(left))
    gap = max(2, min(SAID_WIDTH + 2, room - len(left)) - len(done))
    found = [f"{head}{done}{' ' * gap}{left}".rstrip()]
    if shown := plain(message):
        found.append(f"{head}  {shown if len(shown) <= room - 2 else shown[: room - 5] + '...'}")
    return "\n".join(found)


def message_of(result: Mapping[str, Any]) -> str:
    """Why a step did not do what it was for, in one line; nothing where it did."""
    if result.get("refusals"):
        return "; ".join(f"{refusal['rule']}: {refusal['message']}" for refusal in result["refusals"])
    ended = (result.get("outcome") or {}).get("message") or ""
    said = "" if RULES.fullmatch(ended) else ended
    said = said or (result.get("msg") if result.get("failed") else "")
    return str(said or "").strip().partition("\n")[0]


def plain(text: str) -> str:
    """The text with every run of spaces and of characters that cannot be printed made one space."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _now() -> tuple[float, int]:
    return time.time(), time.monotonic_ns()


@dataclass(frozen=True)
class Teller:
    """Tells of one step of one service. `show` prints, `read` gives the journal, `mask` makes secrets unreadable."""

    run: Run
    service: str
    stage: str
    step: str
    subject: str
    show: Callable[[str], None]
    read: Callable[[], Iterable[Entry]]
    now: Callable[[], tuple[float, int]] = _now
    mask: Callable[[str], str] = str

    def begins(self) -> None:
        """Tell that a step has begun which may take long."""
        if self.step in LONG:
            self._say("begins")

    def runs(self, seconds: float) -> None:
        """Tell that the step is still at work."""
        self._say(f"still running {seconds:.0f}s")

    def ended(self, state: str, result: Mapping[str, Any]) -> None:
        """Tell how the step ended, and why it did not do what it was for."""
        with contextlib.suppress(Exception):
            word = state if state == "done" else state.upper()
            # A service's end is no work of its own
            took = "" if self.step == "outcome" else f" {format_duration(result['elapsed_seconds'])}"
            self._say(word + took, message_of(result))

    def _say(self, what: str, message: str = "") -> None:
        with contextlib.suppress(Exception):  # nothing rests on it
            wall, monotonic = self.now()
            own = self.run.services[self.service]
            down = downtime(self.run, self.service, self.stage, self.read())
            name = self.stage if self.step == "outcome" else f"{self.step} {self._subject()}".rstrip()
            left = budget((own.get("objectives") or {}).get("rto_seconds"), down, wall)
            elapsed = (monotonic - self.run.started_monotonic_ns) / 1e9
            width = name_width(self.run.services)
            # A secret that was cut would not be known any more for one
            said, why = self.mask(f"{name}: {what}"), self.mask(message)
            self.show(lines(self.service, width, elapsed, said, left, why))

    def _subject(self) -> str:
        """An endpoint by the first part of its name, where the service has no other that begins with it."""
        names = [endpoint["name"] for endpoint in self.run.services[self.service].get("endpoints") or ()]
        first = self.subject.partition(".")[0]
        alone = sum(name.partition(".")[0] == first for name in names) == 1
        return first if self.subject in names and alone else self.subject
