# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller is killed right after each line of its journal, and the same command, run again, finishes the work.

    python -m tests.faults.kill_points                         every line of failover, switchover, rejoin, failback
    python -m tests.faults.kill_points --rest                  those of them that were not tried yet, by results.json
    python -m tests.faults.kill_points --sample 6 --seed 42    some of them, the same ones for the same seed
    python -m tests.faults.kill_points payments-db:failover:12 accounts-db:switchover:17:armed

What an undisturbed run of the same procedure leaves is what one that was killed and run again must leave: `Try.judge`.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import harness
import topology
from harness import Result

from tests.faults import end_state, results
from tests.faults.cut_off import run_verb
from tests.faults.lanes import Lane, Lanes
from tests.faults.oracles import by_chance, recap, unjudged, watching
from tests.faults.points import PROCEDURES, SERVICES, Point, following, points_of, sampled

KEPT = topology.CHECKOUT / "build" / "faults" / "kill_points"
ROWS = 5


@dataclass
class Tried:
    """What came of one point; nothing in `wrong` is what must be."""

    point: str
    after: str
    seconds: float
    wrong: list[str] = field(default_factory=list)
    commit: str = ""


class Try:
    """One point, tried at the service's lane."""

    def __init__(self, point: Point, lane: Lane) -> None:
        self.point, self.lane, self.procedure = point, lane, PROCEDURES[point.verb]
        self.tried = Tried(str(point), "", 0.0, commit=results.commit())

    def __call__(self) -> Tried:
        """Kill the controller there, run the command again, and judge."""
        started = time.monotonic()
        try:
            self.lane.undisturbed(self.point.verb)
            self.lane.bring(self.procedure.start)
            self._run()
        except AssertionError as error:
            self.tried.wrong.append(str(error))
        except Exception as error:  # a command that hung, a lab that broke: not passed, and the next point is tried
            self.tried.wrong.append(f"broken off by {type(error).__name__}: {error}")
        # What went wrong may leave anything behind
        self.lane.stands = "" if self.tried.wrong else self.procedure.end
        self.tried.seconds = round(time.monotonic() - started, 1)
        return self.tried

    def _run(self) -> None:
        point, lane, wrong = self.point, self.lane, self.tried.wrong
        place, timeline = lane.place(str(point).replace(":", "-")), lane.timeline()
        with watching(point.service, place=place.runs.parent) as watch:
            if self.procedure.primary_dies:
                lane.crash()
            words, sparing = lane.words(point.verb), point.special == "armed"
            cut = run_verb(point.verb, *words, place=place, line=point.line, sparing=sparing)
            watch.hear("the run that was killed", cut.output)
            assert cut.reached, f"it was not killed, it ended with {cut.rc} before line {point.line}:\n{cut.output}"
            last = place.journal()[-1]
            self.tried.after = f"{last['data'].get('stage', '')} {last['step']} {last['state']}".strip()
            words = lane.words(point.verb, "source_site=dc1" if point.special == "site" else "")
            again = harness.run_verb(point.verb, *words, *place.own)
            wrong += self.judge(watch.keep("the run again", again), timeline)
            once_more = harness.run_verb(point.verb, *lane.words(point.verb), runs=place.runs)
            wrong += nothing_left(watch.keep("one more run", once_more))
            watch.wait_rows(ROWS)
        wrong += [f"{violation.oracle}: {violation.text}" for violation in watch.violations]
        wrong += [] if wrong else unjudged(watch.seen)
        # Only a crash may cost an asynchronous service what it acknowledged, and then the report declares it
        strict = point.service == "payments-db" or not self.procedure.primary_dies
        if strict and (lost := watch.ledgers[0].lost()):
            wrong.append(f"acknowledged rows are lost: {lost}")

    def judge(self, again: Result, timeline: int) -> list[str]:
        """What the run that continued did not do: it must end well, and leave what an undisturbed run leaves."""
        wrong = [] if again.rc == 0 else [f"run again, it ended with {again.rc}:\n{again.output}"]
        left = end_state.differences(self.lane.expected[self.point.verb], lambda: self.lane.reading(timeline))
        return wrong + [f"not as after an undisturbed run: {difference}" for difference in left]


def stood_still(wrong: Sequence[str]) -> bool:
    """Nothing here touches a name server: where none of the three answered, the lab's whole network stood still."""
    return any(text.startswith("names: no server answered for ") for text in wrong)


def nothing_left(result: Result) -> list[str]:
    """A run more, with an id of its own: it is neither refused nor changes anything."""
    wrong = [] if result.rc == 0 else [f"one more run ended with {result.rc}:\n{result.output}"]
    wrong += [] if recap(result) else ["one more run told nothing of any host, so nobody knows what it changed"]
    return wrong + ([f"one more run changed {result.changed} things"] if result.changed else [])


class Tries:
    """All points that are tried, kept as they end."""

    def __init__(self, seed: int, earlier: Sequence[Tried], total: int | None = None) -> None:
        self.seed = seed
        #: how many there are; only a run of all of them knows
        self.total = total
        self._kept = {each.point: each for each in earlier}
        self._one_at_a_time = threading.Lock()
        self.tried: list[Tried] = []

    def at(self, lanes: Lanes, service: str, points: Sequence[Point]) -> None:
        """Try the points of one service."""
        lane, waiting, tried_again = lanes.lanes[service], list(points), set[Point]()
        while waiting:
            with lanes.working(lane):
                point = following(waiting, lane.stands)
                tried = Try(point, lane)()
                if (by_chance(tried.wrong) or stood_still(tried.wrong)) and point not in tried_again:
                    print(f"{point} is tried again, this try proves nothing: {tried.wrong[-1]}", flush=True)
                    tried_again.add(point)
                    continue
                waiting.remove(point)
                self.keep(tried)

    def keep(self, tried: Tried) -> None:
        """One more has ended."""
        with self._one_at_a_time:
            self.tried.append(tried)
            self._kept[tried.point] = tried
            print(told(tried), flush=True)
            every = list(self._kept.values())
            failed = [f"{each.point}, killed after {each.after}: {each.wrong[0][:300]}" for each in every if each.wrong]
            by_verb = Counter(each.point.split(":")[1] for each in every)
            commits = ", ".join(sorted({each.commit for each in every if each.commit}))
            points = {each.point: _about(each) for each in every}
            results.add_kill_points(
                len(every), failed, self.seed, by_verb=by_verb, commit=commits, of=self.total, points=points
            )


def _about(tried: Tried) -> dict[str, Any]:
    """What is kept of a point, beside its name."""
    return {key: value for key, value in asdict(tried).items() if value and key != "point"}


def known() -> list[Tried]:
    """What came of points that were tried earlier."""
    points = results.read().get("kill_points_about", {}).get("points", {})
    return [Tried(**{"point": name, "after": "", "seconds": 0.0, **about}) for name, about in points.items()]


def chosen(lanes: Lanes, count: int | None, seed: int) -> list[Point]:
    """A sample of all points, or all; the procedures that they are points of are run once, undisturbed."""
    wishes = None if count is None else sampled(count, seed)

    def of(lane: Lane) -> list[Point]:
        found: list[Point] = []
        for verb, procedure in PROCEDURES.items():
            mine = [wish for wish in wishes or () if (wish.service, wish.verb) == (lane.service, verb)]
            if wishes is None or mine:
                with lanes.working(lane):
                    entries = lane.undisturbed(verb)
                every = points_of(lane.service, procedure, entries)
                found += every if wishes is None else dict.fromkeys(wish.point(entries) for wish in mine)
        return found

    with ThreadPoolExecutor(len(lanes.lanes)) as pool:
        return [point for points in pool.map(of, lanes.lanes.values()) for point in points]


def try_all(names: Sequence[str], count: int | None, seed: int, folder: Path, *, rest: bool = False) -> list[Tried]:
    """Try the points that are named, or a sample of all, or all, or their `rest`; one line each as they end.

    What came of a point takes the place of what came of it earlier; a run of all points begins anew.
    """
    points = [Point.read(name) for name in names]
    some = bool(points) or count is not None
    earlier = known() if some or rest else []
    total: int | None = None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lanes = Lanes(SERVICES, folder)
    if not points:
        points = chosen(lanes, count, seed)
        total = None if some else len(points)
        points = [point for point in points if not rest or str(point) not in {each.point for each in earlier}]
        print(f"kill points: {len(points)}{'' if count is None else f', a sample with seed {seed}'}", flush=True)
    tries = Tries(seed, earlier, total)
    of = {service: [point for point in points if point.service == service] for service in SERVICES}
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        for work in [pool.submit(tries.at, lanes, service, mine) for service, mine in of.items()]:
            work.result()
    return tries.tried


def told(tried: Tried) -> str:
    """One point in a line, and what was wrong below it."""
    head = f"{'WRONG ' if tried.wrong else 'passed'} {tried.point:30} after {tried.after:28} {tried.seconds:5.1f} s"
    return "\n    ".join([head, *tried.wrong])


def main(arguments: Sequence[str] | None = None) -> int:
    """Try points; the exit code is 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", nargs="*", help="SERVICE:VERB:LINE, and :armed or :site behind it; none: all")
    parser.add_argument("--rest", action="store_true", help="of all those that were not tried yet")
    parser.add_argument("--sample", type=int, help="how many to take of all")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="which sample")
    options = parser.parse_args(arguments)
    tried = try_all(options.points, options.sample, options.seed, KEPT, rest=options.rest)
    wrong = [each.point for each in tried if each.wrong]
    print(f"{len(tried)} points, {len(tried) - len(wrong)} passed" + (f"; wrong: {' '.join(wrong)}" if wrong else ""))
    return 1 if wrong or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
