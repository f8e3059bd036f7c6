# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An operator who knows nothing but what the last report says, and does what it asks for until the service is whole."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import containers
import engine
import status
from harness import Result

from tests.faults.end_state import settled

Part = Mapping[str, Any]  # one service's part of a report
#: What a person takes before they give up: a claim of 60 s ends meanwhile.
SECONDS = 150.0
HELD = ("claim_held", "lease_held")
#: Nothing to do but to look again.
PASSING = {"arbiter_unreachable", "lag_too_large", "lag_over_rpo", "replay_backlog", "target_unreachable"}
PASSING |= {"missing_candidate", "holder_alive", "replication_login"}
MEMBER = re.compile(r"(?P<member>\S+) \((?P<site>\S+)\): (?P<how>primary|replica)\b")


class NotMended(Exception):
    """The reports did not lead to a whole service."""


@dataclass(frozen=True)
class Command:
    """What to run next; without a verb: nothing, look again."""

    verb: str = ""
    inputs: tuple[str, ...] = ()


@dataclass
class Operator:
    """`run` runs a verb of the service. `cut` are the runs that were killed and not continued yet."""

    service: str
    run: Callable[..., Result]
    cut: dict[str, Command] = field(default_factory=dict)

    def knows_of(self, run_id: str, verb: str, *inputs: str) -> None:
        """A run was killed; whoever started it knows how."""
        self.cut[run_id] = Command(verb, inputs)

    def mend(self) -> None:
        """Assess, do what follows from it, and again. NotMended where that leads nowhere."""
        until = time.monotonic() + SECONDS
        while (following := self.next(assessed := self._assess())) is not None:
            if time.monotonic() > until:
                raise NotMended(f"not whole after {SECONDS:g} s: {_said(assessed)}")
            if following.verb:
                self._answer(following, part(self.run(following.verb, *following.inputs), self.service))
            else:
                time.sleep(0.5)

    def next(self, said: Part) -> Command | None:
        """What an assessment asks for; None: the service is whole."""
        refused = {refusal["rule"]: refusal for refusal in said["refusals"]}
        if "two_primaries" in refused:
            raise NotMended(f"two primaries: {_said(said)}")
        wanted = self._wanted(refused, said)
        if held := _holder(refused):
            return self._taken_from(held, wanted or Command("rejoin"))
        return wanted

    def _wanted(self, refused: Mapping[str, Any], said: Part) -> Command | None:
        there = _sites(said)
        if "no_primary" in refused:
            return Command("failover", (f"target_site={there['replica']}",)) if "replica" in there else Command()
        if "no_target" in refused and "primary" in there:
            return Command("failover", (f"target_site={there['primary']}",))  # clients are sent elsewhere
        if set(refused) - PASSING - set(HELD) or "not following" in str((said["redundancy"] or {}).get("state")):
            return Command("rejoin")
        return Command() if refused else None

    def _taken_from(self, held: str, wanted: Command) -> Command:
        """A run that was killed is continued; where that did not end it, somebody breaks it."""
        known = self.cut.pop(held, None)
        if known is not None:
            return Command(known.verb, (*known.inputs, f"continuity_run_id={held}"))
        return Command(wanted.verb or "rejoin", (*wanted.inputs, f"break_lease={held}", '{"reason": "it was killed"}'))

    def _answer(self, command: Command, said: Part) -> None:
        """What a verb's own refusal asks for at once."""
        refused = {refusal["rule"]: refusal for refusal in said["refusals"]}
        if "endpoint_elsewhere" in refused:  # the move that it was promoted by is to be finished
            self.run("failover", f"target_site={_sites(said)['primary']}")
        elif held := _holder(refused):
            following = self._taken_from(held, command)
            self.run(following.verb, *following.inputs)

    def _assess(self) -> Part:
        return part(self.run("assess"), self.service)

    def left(self) -> list[str]:
        """What keeps the service from being whole, asked from outside Ansible: roles, redundancy, names, machines."""

        def look() -> list[str]:
            problems = status.collect(containers.existing(engine.connect()))["problems"]
            return [problem for problem in problems if self.service in problem or " is " in problem]

        return settled(look, 10.0)


def part(result: Result, service: str) -> dict[str, Any]:
    """One service's part of a report, with what was seen of each member as lines. NotMended where there is none."""
    if not result.report:
        raise NotMended(f"a verb left no report:\n{result.output[-3000:]}")
    said = dict(result.service(service))
    lines = [entry.get("text", "") if isinstance(entry, Mapping) else str(entry) for entry in said["evidence"]]
    return {**said, "evidence_lines": lines}


def _holder(refused: Mapping[str, Part]) -> str:
    """The run that holds the service."""
    return next((str(refused[rule]["measured"]).split()[0] for rule in HELD if rule in refused), "")


def _sites(said: Part) -> dict[str, str]:
    """Where a primary was seen, and where a replica."""
    return {match["how"]: match["site"] for match in map(MEMBER.match, said["evidence_lines"]) if match}


def _said(said: Part) -> str:
    refusals = [f"{refusal['rule']} ({refusal['measured']})" for refusal in said["refusals"]]
    return "; ".join([*refusals, *said["evidence_lines"], str((said["redundancy"] or {}).get("state") or "")])
