# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Random schedules of faults and verbs, each ended by an operator who heals everything and follows what assess says.

    python -m tests.faults.schedules --seed 42               twenty of them
    python -m tests.faults.schedules --seed 42 7 13          numbers 7 and 13 of them again

While a schedule runs, and after it, what oracles.py says must hold: one writer, right names, nothing acknowledged lost
that no report declares. At its end the service is whole, and the last verb once more changes nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import harness
import topology
from harness import Result

from tests.faults import damage, results
from tests.faults.cut_off import Place, run_verb
from tests.faults.mending import NotMended, Operator
from tests.faults.oracles import Watch, watching

NUMBER = 20
KEPT = topology.CHECKOUT / "build" / "faults" / "schedules"
SERVICES = tuple(one.service for one in topology.CLUSTERS)
#: About as many lines a journal has where the verb does its work: a number above its end kills nobody.
LINES = {"switchover": 40, "failover": 27, "rejoin": 25, "failback": 60}
VERBS = tuple(LINES)
#: Where a verb moves the service: to the site where it is not, seldom to where it is.
TARGETS = ("away", "away", "away", "stay")
#: The shortest claim that is allowed: what a killed run holds ends while the schedule still runs.
CLAIM = "continuity_claim_seconds=60"


@dataclass(frozen=True)
class Event:
    """A fault, its end, or a verb; `cut`: the controller of the verb is killed after that line of its journal."""

    kind: str  # fault, heal or verb
    name: str
    where: str = ""  # a name server or a site; primary and replica, away and stay, as the service stands by then
    cut: int = 0
    armed_lives: bool = False

    def __str__(self) -> str:
        killed = f", killed after line {self.cut}{' (armed lives on)' if self.armed_lives else ''}" if self.cut else ""
        return f"{'' if self.kind == 'verb' else self.kind + ' '}{self.name} {self.where}".strip() + killed


@dataclass(frozen=True)
class Schedule:
    """One schedule, told by its seed and number alone."""

    seed: int
    number: int
    service: str
    events: tuple[Event, ...]

    def __str__(self) -> str:
        return f"{self.service}: {'; '.join(map(str, self.events))}"


def schedule(seed: int, number: int) -> Schedule:
    """The schedule of a seed and a number: two or three faults with verbs between and after them, some of them cut."""
    by_chance = random.Random(f"{seed} {number}")
    events: list[Event] = []
    for _round in range(by_chance.choice((2, 2, 3))):
        name = by_chance.choice(sorted(damage.PLACES))
        fault = Event("fault", name, by_chance.choice(damage.PLACES[name]))
        likely = "failover" if fault.where == "primary" and by_chance.random() < 0.6 else by_chance.choice(VERBS)
        events += [fault, _verb(by_chance, likely)]
        if by_chance.random() < 0.3:
            events.append(Event("heal", fault.name, fault.where))
    return Schedule(seed, number, by_chance.choice(SERVICES), tuple(events))


def _verb(by_chance: random.Random, verb: str) -> Event:
    where = by_chance.choice(TARGETS) if verb in ("switchover", "failover") else ""
    cut = by_chance.randint(1, LINES[verb]) if by_chance.random() < 0.5 else 0
    return Event("verb", verb, where, cut, bool(cut) and by_chance.random() < 0.5)


@dataclass
class Ran:
    """What came of one schedule; nothing in `wrong` is what must be."""

    number: int
    schedule: str
    seconds: float = 0.0
    done: list[str] = field(default_factory=list)  # each command with its end
    wrong: list[str] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)


class Stage:
    """Carries a schedule out."""

    def __init__(self, plan: Schedule, watch: Watch, ran: Ran) -> None:
        self.plan, self.watch, self.ran = plan, watch, ran
        self.there = damage.Roles(plan.service)
        self.operator = Operator(plan.service, self.run)

    def play(self) -> None:
        """The events, the healing, the operator, the end."""
        for event in self.plan.events:
            self._event(event)
        damage.heal_all(self.plan.service)
        self.operator.mend()
        self.watch.wait_rows(5)
        self.ran.wrong += self.operator.left()
        last = self.run("rejoin")
        again = self.run("rejoin")
        if last.rc or again.rc or again.changed:
            self.ran.wrong.append(f"the last verb once more: {again.rc}, {again.changed} changed\n{again.output}")

    def run(self, verb: str, *inputs: str) -> Result:
        """A verb, whole."""
        words = (f"scope={self.plan.service}", *inputs, *(() if verb == "assess" else (CLAIM,)))
        result = self.watch.keep(verb, harness.run_verb(verb, *words, runs=self.watch.runs))
        self.ran.done.append(f"{verb} {' '.join(inputs)}: {result.report.get('verdict') or result.rc}")
        return result

    def _event(self, event: Event) -> None:
        where = self.there.resolved(event.where)
        if event.kind == "verb":
            inputs = (f"target_site={where}",) if where else ()
            if event.cut:
                self._cut(event, *inputs)
            else:
                self.run(event.name, *inputs)
            return
        happened = (damage.inject if event.kind == "fault" else damage.heal)(event.name, where, self.plan.service)
        self.ran.done.append(f"{event.kind} {event.name} {where}{'' if happened else ': there was nothing to break'}")

    def _cut(self, event: Event, *inputs: str) -> None:
        place = Place(self.watch.runs, f"cut-{secrets.token_hex(4)}", self.plan.service)
        words = (f"scope={self.plan.service}", *inputs, CLAIM)
        cut = run_verb(event.name, *words, place=place, line=event.cut, sparing=event.armed_lives)
        self.watch.hear(f"the {event.name} that was killed", cut.output)
        if cut.reached:
            self.operator.knows_of(place.run_id, event.name, *inputs)
        if report := place.report():
            self.watch.reports.append(report)
        last = place.journal()[-1:] or [{"step": "its begin", "state": ""}]
        how = f"killed after {last[0]['step']} {last[0]['state']}" if cut.reached else f"ended with {cut.rc}"
        self.ran.done.append(f"{event.name} {' '.join(inputs)}: {how}")


def carry_out(plan: Schedule, folder: Path) -> Ran:
    """One schedule from the healthy lab to its end."""
    started, ran = time.monotonic(), Ran(plan.number, str(plan))
    place = folder / f"{plan.number:02}"
    shutil.rmtree(place, ignore_errors=True)
    watch: Watch | None = None
    try:
        damage.reset()
        with watching(plan.service, place=place) as watch:
            stage = Stage(plan, watch, ran)
            assert stage.run("assess").rc == 0, "the healthy lab is not healthy"
            try:
                stage.play()
            finally:
                damage.heal_all(plan.service)
    except (AssertionError, NotMended) as error:
        ran.wrong.append(f"{type(error).__name__}: {error}")
    if watch is not None:
        ran.wrong += [f"{violation.oracle}: {violation.text}" for violation in watch.violations]
        ran.seen = watch.seen
    ran.seconds = round(time.monotonic() - started, 1)
    return ran


def run_all(seed: int, numbers: Sequence[int], folder: Path) -> list[Ran]:
    """Carry out schedules, one line each as they end; none named: all. Those of one seed are kept together."""
    kept = folder / f"ran-{seed}.json"
    earlier = json.loads(kept.read_text(encoding="utf-8")) if numbers and kept.is_file() else []
    every = {each["number"]: Ran(**each) for each in earlier}
    folder.mkdir(parents=True, exist_ok=True)
    wanted = numbers or range(1, NUMBER + 1)
    print(f"schedules: {len(wanted)}, seed {seed}", flush=True)
    for number in wanted:
        ran = every[number] = carry_out(schedule(seed, number), folder)
        print(told(ran), flush=True)
        kept.write_text(json.dumps([asdict(each) for each in every.values()], indent=1), encoding="utf-8")
        failed = [f"schedule {n} of seed {seed}: {each.wrong[0][:300]}" for n, each in every.items() if each.wrong]
        results.add_schedules(len(every), failed, seed)
    return [every[number] for number in wanted]


def told(ran: Ran) -> str:
    """One schedule: a line, what was done, and what was wrong."""
    head = f"{'WRONG ' if ran.wrong else 'passed'} {ran.number:2} {ran.seconds:5.1f} s  {ran.schedule}"
    return "\n".join([head, *(f"        {each}" for each in ran.done), *(f"    {each}" for each in ran.wrong)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run schedules; the exit code is 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int, help=f"which of the seed's schedules; none: 1 to {NUMBER}")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="printed with the first line")
    options = parser.parse_args(arguments)
    ran = run_all(options.seed, options.numbers, KEPT)
    wrong = [str(each.number) for each in ran if each.wrong]
    print(f"{len(ran)} schedules, {len(ran) - len(wrong)} passed" + (f"; wrong: {' '.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
