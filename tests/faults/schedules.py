# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Random schedules of faults and verbs, each ended by an operator who heals everything and follows what assess says.

    python -m tests.faults.schedules --seed 42               twenty of them
    python -m tests.faults.schedules --seed 42 7 13          numbers 7 and 13 of them again

While a schedule runs, and after it, what oracles.py says must hold: one writer, right names, nothing acknowledged lost
that no report declares. At its end the service is whole, and the last verb once more changes nothing. The plan has a
fence device, the lab's own: a dead or frozen machine can be proven off, so that a failover promotes. As the guide asks
where machines may lose their power as a primary (docs/fencing.md), no database starts when its machine boots.
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
from tests.faults.leaks import FENCE_PASSWORD
from tests.faults.mending import Operator
from tests.faults.oracles import Watch, by_chance, differs, unjudged, watching

NUMBER = 20
KEPT = topology.CHECKOUT / "build" / "faults" / "schedules"
SERVICES = tuple(one.service for one in topology.CLUSTERS)
#: About as many lines a journal has where the verb does its work: a number above its end kills nobody.
LINES = {"switchover": 40, "failover": 27, "rejoin": 25, "failback": 60}
VERBS = tuple(LINES)
#: Where a verb moves the service: to the site where it is not, seldom to where it is.
TARGETS = ("away", "away", "away", "stay")
#: Faults that take the primary away: what follows is mostly a failover to the other site.
LOST = ("member_killed", "member_paused", "primary_crashed")
AGENT = topology.HERE / "fence_lab"
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
    """The schedule of a seed and a number: two or three faults with verbs between and after them, some of them cut.

    In most the primary is lost once, and a failover follows.
    """
    dice = random.Random(f"{seed} {number}")
    rounds = dice.choice((2, 2, 3))
    loses = dice.randrange(rounds) if dice.random() < 0.75 else rounds
    events: list[Event] = []
    for each in range(rounds):
        fault = _fault(dice, events, lost=each == loses)
        events += [fault, _answer(dice, fault)]
        if dice.random() < 0.3:
            events.append(Event("heal", fault.name, fault.where))
    return Schedule(seed, number, dice.choice(SERVICES), tuple(events))


def _fault(dice: random.Random, events: Sequence[Event], lost: bool) -> Event:
    """A fault; never one that stops the last name server: that clients have none is what is watched."""
    if lost:
        return Event("fault", dice.choice(LOST), "primary")
    name = dice.choice(sorted(damage.PLACES))
    places = damage.PLACES[name]
    if name == "name_server_stopped":
        stopped = {event.where for event in events if event.name == name}
        places = places if len(stopped) < len(places) - 1 else tuple(stopped)
    return Event("fault", name, dice.choice(sorted(places)))


def _answer(dice: random.Random, fault: Event) -> Event:
    """What an operator does about it: mostly the right thing, to the right site, to its end."""
    if fault.name in LOST and fault.where == "primary" and dice.random() < 0.8:
        cut = dice.randint(1, LINES["failover"]) if dice.random() < 0.3 else 0
        return Event("verb", "failover", "away", cut, bool(cut) and dice.random() < 0.5)
    return _verb(dice, dice.choice(VERBS))


def _verb(dice: random.Random, verb: str) -> Event:
    where = dice.choice(TARGETS) if verb in ("switchover", "failover") else ""
    cut = dice.randint(1, LINES[verb]) if dice.random() < 0.5 else 0
    return Event("verb", verb, where, cut, bool(cut) and dice.random() < 0.5)


@dataclass
class Ran:
    """What came of one schedule; nothing in `wrong` is what must be."""

    number: int
    schedule: str
    seconds: float = 0.0
    done: list[str] = field(default_factory=list)  # each command with its end
    wrong: list[str] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)
    commit: str = ""
    promotions: int = 0  # as the timeline tells, from outside


class Stage:
    """Carries a schedule out."""

    def __init__(self, plan: Schedule, watch: Watch, ran: Ran) -> None:
        self.plan, self.watch, self.ran = plan, watch, ran
        self.there = damage.Roles(plan.service)
        self.fenced = with_device(watch.place)
        self.operator = Operator(plan.service, self.run)
        #: members that lost their power as a replica: these may be switched on by hand
        self.replicas: set[str] = set()

    def play(self) -> None:
        """The events, the healing, the operator, the end."""
        for event in self.plan.events:
            self._event(event)
        self.heal_all()
        self.operator.mend()
        self.watch.wait_rows(5)
        self.ran.wrong += self.operator.left()
        self.ran.promotions = self.there.timeline() - 1
        last = self.run("rejoin")
        again = self.run("rejoin")
        wrong = [*([f"it ended with {last.rc}"] if last.rc else []), *differs(last, again, 0)]
        if wrong:
            self.ran.wrong.append(f"the last verb once more: {'; '.join(wrong)}\n{again.output}")

    def heal_all(self) -> None:
        """Everything runs again but for what only rejoin may switch on."""
        damage.heal_all(self.plan.service, self.replicas)

    def run(self, verb: str, *inputs: str) -> Result:
        """A verb, whole."""
        words = (f"scope={self.plan.service}", *inputs, *(() if verb == "assess" else (CLAIM,)))
        result = self.watch.keep(verb, harness.run_verb(verb, *words, plan=self.fenced, runs=self.watch.runs))
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
        if event.kind == "heal" and {where} & {*damage.superseded(self.plan.service)} - self.replicas:
            self.ran.done.append(f"heal {event.name} {where}: left to rejoin")
            return
        happened = (damage.inject if event.kind == "fault" else damage.heal)(event.name, where, self.plan.service)
        if happened and (event.kind, event.name, event.where) == ("fault", "member_killed", "replica"):
            self.replicas.add(where)
        self.ran.done.append(f"{event.kind} {event.name} {where}{'' if happened else ': there was nothing to break'}")

    def _cut(self, event: Event, *inputs: str) -> None:
        place = Place(self.watch.runs, f"cut-{secrets.token_hex(4)}", self.plan.service)
        words = (f"scope={self.plan.service}", *inputs, CLAIM)
        cut = run_verb(event.name, *words, place=place, line=event.cut, sparing=event.armed_lives, plan=self.fenced)
        self.watch.hear(f"the {event.name} that was killed", cut.output)
        if cut.reached:
            self.operator.knows_of(place.run_id, event.name, *inputs)
        if report := place.report():
            self.watch.reports.append(report)
        last = place.journal()[-1:] or [{"step": "its begin", "state": ""}]
        how = f"killed after {last[0]['step']} {last[0]['state']}" if cut.reached else f"ended with {cut.rc}"
        self.ran.done.append(f"{event.name} {' '.join(inputs)}: {how}")


def with_device(place: Path) -> Path:
    """The lab's plan, every service with a device that can prove a machine off."""
    agent = {
        "role": "continuity.dr.fence_agent",
        "agent": str(AGENT),
        "members": {member: {"plug": member, "password": FENCE_PASSWORD} for member in damage.MEMBERS},
        "timeout": "10s",
        "call_timeout": "5s",
        "power_on_within": "40s",
    }
    overlay = place / "device.yml"
    fence = [{"role": "continuity.dr.fence_systemd"}, agent]
    overlay.write_text(json.dumps({"services": {one: {"fence": fence} for one in SERVICES}}), encoding="utf-8")
    return harness.overlaid_plan(overlay, place)


def carry_out(plan: Schedule, folder: Path) -> Ran:
    """One schedule from the healthy lab to its end."""
    started, ran = time.monotonic(), Ran(plan.number, str(plan), commit=results.commit())
    place = folder / f"{plan.number:02}"
    shutil.rmtree(place, ignore_errors=True)
    watch: Watch | None = None
    try:
        damage.reset()
        damage.start_at_boot(False)
        with watching(plan.service, place=place) as watch:
            stage = Stage(plan, watch, ran)
            assert stage.run("assess").rc == 0, "the healthy lab is not healthy"
            try:
                stage.play()
            finally:
                stage.heal_all()
                damage.start_at_boot(True)
    except Exception as error:  # also a command that hung: not passed, and the next schedule is carried out
        ran.wrong.append(f"{type(error).__name__}: {error}")
    if watch is not None:
        ran.wrong += [f"{violation.oracle}: {violation.text}" for violation in watch.violations]
        ran.wrong += [] if ran.wrong else unjudged(watch.seen)
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
        ran = carry_out(schedule(seed, number), folder)
        if by_chance(ran.wrong):
            ran = carry_out(schedule(seed, number), folder)
        every[number] = ran
        print(told(ran), flush=True)
        kept.write_text(json.dumps([asdict(each) for each in every.values()], indent=1), encoding="utf-8")
        failed = [f"schedule {n} of seed {seed}: {each.wrong[0][:300]}" for n, each in every.items() if each.wrong]
        commits = ", ".join(sorted({each.commit for each in every.values() if each.commit}))
        promotions = [each.promotions for each in every.values()]
        promoted = sum(map(bool, promotions))
        results.add_schedules(
            len(every), failed, seed, commit=commits, of=NUMBER, promotions=sum(promotions), promoted=promoted
        )
    return [every[number] for number in wanted]


def told(ran: Ran) -> str:
    """One schedule: a line, what was done, and what was wrong."""
    head = f"{'WRONG ' if ran.wrong else 'passed'} {ran.number:2} {ran.seconds:5.1f} s  {ran.schedule}"
    head += f" ({ran.promotions} promoted)"
    return "\n".join([head, *(f"        {each}" for each in ran.done), *(f"    {each}" for each in ran.wrong)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run schedules; the exit code is 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int, help=f"which of the seed's schedules; none: 1 to {NUMBER}")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="printed with the first line")
    options = parser.parse_args(arguments)
    ran = run_all(options.seed, options.numbers, KEPT)
    wrong = [str(each.number) for each in ran if each.wrong]
    promoted = sum(bool(each.promotions) for each in ran)
    print(
        f"{len(ran)} schedules, {len(ran) - len(wrong)} passed, {promoted} with a promotion, seed {options.seed}"
        + (f"; wrong, again by --seed {options.seed} {' '.join(wrong)}" if wrong else "")
    )
    return 1 if wrong or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
