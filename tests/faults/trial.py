# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One fault tried: the healthy lab, the watch, the procedure, the second run, the judgement of every oracle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import harness
from harness import Result, inside
from topology import CHECKOUT, CLUSTERS, Cluster, machine

from tests.faults.oracles import LOUD, Watch, unjudged, watching

PLACE = CHECKOUT / "build" / "faults"
SHOWN = 3000  # characters of an output that stand beside a failure


@dataclass(frozen=True)
class Seen:
    """What was seen at the end of a procedure that went as expected, in a sentence for the page."""

    text: str
    refused: bool = False


@dataclass
class Trial:
    """What a procedure works with. It asserts what the fault's own row expects; the frame asks the oracles."""

    watch: Watch
    place: Path
    _cleanups: list[Callable[[], Any]] = field(default_factory=list)

    @property
    def service(self) -> str:
        """The service that the fault is about."""
        return self.watch.services[0]

    @property
    def cluster(self) -> Cluster:
        """Its servers."""
        return next(one for one in CLUSTERS if one.service == self.service)

    @property
    def move(self) -> tuple[str, str]:
        """The inputs that move it to the other site."""
        return f"scope={self.service}", "target_site=dc2"

    def sql(self, member: str, statement: str, database: str = "postgres") -> str:
        """Ask one member's server directly."""
        return harness.sql(member, self.cluster.ports[member], statement, database)

    def unit(self, member: str, what: str) -> str:
        """One property of the member's unit: LoadState, ActiveState."""
        return inside(member, f"systemctl show -p {what} --value {self.cluster.unit}")

    def writable(self) -> list[str]:
        """The members that take a write now."""
        return harness.writable(self.cluster.ports, self.cluster.database)

    def named(self) -> set[str]:
        """The members that the name servers send clients to."""
        reply = "dig +short +time=1 +tries=1"
        said = inside(
            "client",
            f"for s in 198.51.100.153 198.51.100.53 203.0.113.53; do {reply} @$s {self.cluster.record} || true; done",
        )
        addresses = {machine(member).address: member for member in self.cluster.ports}
        answers = [line for line in said.splitlines() if not line.startswith(";")]  # a silent server is a comment
        return {addresses.get(answer, answer) for answer in answers}

    def plan(self, over: dict[str, Any]) -> Path:
        """The lab's plan with something laid over it."""
        overlay = self.place / "overlay.yml"
        overlay.write_text(json.dumps(over), encoding="utf-8")
        return harness.overlaid_plan(overlay, self.place)

    def outage(self, result: Result) -> str:
        """How long the collection's canary was without an acknowledged write, in words."""
        seconds = result.service(self.service)["rto"]["measured_seconds"]
        return "the outage was not measured" if seconds is None else f"{seconds:.1f} s without an acknowledged write"

    def undo(self, action: Callable[[], Any]) -> None:
        """Do this at the end, whatever happens; the last first."""
        self._cleanups.append(action)

    def fault(self, name: str, **where: str) -> None:
        """Inject a fault by its file in tests/lab/faults."""
        harness.lab("fault", name, *[word for key, value in where.items() for word in (f"--{key}", value)])

    def heal(self, name: str, **where: str) -> None:
        """Take it back."""
        harness.lab("heal", name, *[word for key, value in where.items() for word in (f"--{key}", value)])

    def known(self) -> None:
        """The service was seen a moment ago, as `assess` on a schedule sees it: how much may be lost is known."""
        result = self.watch.verb("assess", f"scope={self.service}")
        assert result.rc == 0, tail(result.output)

    def done(self, verb: str, *arguments: str, plan: Path | None = None, rc: int = 0) -> Result:
        """Run a verb that must end well."""
        result = self.watch.verb(verb, *arguments, plan=plan)
        assert result.rc == rc, tail(result.output)
        return result

    def refused(
        self,
        verb: str,
        *arguments: str,
        rules: tuple[str, ...],
        measured: tuple[str, ...] = (),
        plan: Path | None = None,
    ) -> Seen:
        """Run a verb that must be refused by these rules, among others, and must leave the lab as it found it.

        ``measured``: what has to stand among the values, each by itself: one rule may rest on several.
        """
        before = harness.state()
        result = self.watch.verb(verb, *arguments, plan=plan)
        assert result.rc != 0 and result.report.get("verdict") == "refused", tail(result.output)
        found = result.rules(self.service)
        assert set(rules) <= set(found), f"refused by {sorted(found)}, not by {sorted(rules)}"
        values = [str(each["measured"]) for each in result.service(self.service)["refusals"]]
        missing = [words for words in measured if not any(words in value for value in values)]
        assert not missing, f"none of {values} tells {missing}"
        assert result.changed == 0, tail(result.output)
        assert (different := harness.differences(before)) == "", different
        return Seen(in_words(found), True)

    @contextmanager
    def paused_after(
        self, step: str, verb: str, *arguments: str, count: int = 1, plan: Path | None = None
    ) -> Iterator[Paused]:
        """A verb that is stopped dead once a step of it is done `count` times; it is ended with the block."""

        def done(paused: Paused) -> None:
            harness.wait_for_step(paused.run_id, self.service, step, "done", count, runs=self.watch.runs)

        with self._paused(done, verb, *arguments, plan=plan) as paused:
            yield paused

    @contextmanager
    def paused_at(self, task: str, verb: str, *arguments: str, plan: Path | None = None) -> Iterator[Paused]:
        """A verb that is stopped dead as soon as it tells that it begins a task; it is ended with the block."""

        def begun(paused: Paused) -> None:
            until = time.monotonic() + 60
            while task not in paused.log.read_text(encoding="utf-8"):
                assert time.monotonic() < until and paused.process.poll() is None, f"{task}: it never came to that"
                time.sleep(0.005)

        with self._paused(begun, verb, *arguments, plan=plan) as paused:
            yield paused

    @contextmanager
    def _paused(
        self, wait_for: Callable[[Paused], None], verb: str, *arguments: str, plan: Path | None
    ) -> Iterator[Paused]:
        run_id = f"paused-{time.time_ns()}"
        log = self.place / f"{run_id}.log"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                harness.command(verb, *arguments, *self.own(run_id), *LOUD, plan=plan),
                cwd=CHECKOUT,
                env=harness.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        paused = Paused(process, run_id, log, self)
        try:
            wait_for(paused)
            os.killpg(process.pid, signal.SIGSTOP)
            yield paused
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)
            self.watch.hear(run_id, log.read_text(encoding="utf-8"))

    def own(self, run_id: str) -> tuple[str, str]:
        """The inputs that give a run its name, among the runs of this watch."""
        return f"continuity_runs_dir={self.watch.runs}", f"continuity_run_id={run_id}"

    def journal(self, run_id: str) -> list[dict[str, Any]]:
        """What a run wrote of this service."""
        return harness.journal(run_id, self.service, self.watch.runs)

    def clean(self) -> None:
        """What `undo` was given."""
        for action in reversed(self._cleanups):
            action()


@dataclass(frozen=True)
class Paused:
    """A run that is stopped dead (SIGSTOP to all of it)."""

    process: subprocess.Popen[bytes]
    run_id: str
    log: Path
    trial: Trial

    def finish(self, seconds: float = 150.0) -> Result:
        """Let it go on, to its end."""
        os.killpg(self.process.pid, signal.SIGCONT)
        return self.wait(seconds)

    def wait(self, seconds: float = 60.0) -> Result:
        """Its end, with the report that it wrote."""
        self.process.wait(seconds)
        path = self.trial.watch.runs / self.run_id / "report.json"
        report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        result = Result(self.process.returncode, self.log.read_text(encoding="utf-8"), 0.0, report)
        return self.trial.watch.keep(self.run_id, result)


def in_words(rules: Mapping[str, Mapping[str, Any]]) -> str:
    """What was measured and what is allowed, of every rule that refused."""
    return "; ".join(f"`{rule}`: {one['measured']} (limit: {one['limit']})" for rule, one in rules.items())


def tail(output: str) -> str:
    """The end of what a verb said, where the reason stands."""
    return output[-SHOWN:]


def attempt(
    procedure: Callable[[Trial], Seen],
    service: str,
    name: str,
    before: Callable[[], None] | None = None,
    again: bool = True,
    rc_again: int | None = None,
) -> tuple[str, str, dict[str, Any]]:
    """The result, what was seen, and the watch's numbers. Nothing that goes wrong in a trial ends the others."""
    place = PLACE / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    watch: Watch | None = None
    try:
        harness.lab("reset")
        if before:
            before()
        with watching(service, place=place) as watch:
            trial = Trial(watch, place)
            try:
                seen = procedure(trial)
                if again:
                    watch.rerun(rc_again)
            finally:
                trial.clean()
    except Exception as error:  # whatever it is, it is why this fault failed
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {str(error)[-SHOWN:]}", watch.seen if watch else {}
    result, text = judged("refused_as_expected" if seen.refused else "passed", seen.text, violations(watch), watch.seen)
    return result, text, watch.seen


def violations(watch: Watch) -> list[dict[str, str]]:
    """What a watch found, as it is kept."""
    return [{"oracle": one.oracle, "text": one.text} for one in watch.violations]


def judged(result: str, text: str, found: Sequence[Mapping[str, str]], seen: Mapping[str, Any]) -> tuple[str, str]:
    """The result that stands: a violation makes it failed, and what nobody could see makes it not judged."""
    if found:
        return "failed", "; ".join(f"{one['oracle']}: {one['text']}" for one in found)
    if unseen := unjudged(seen):
        return "not_judged", "; ".join(unseen)
    return result, text
