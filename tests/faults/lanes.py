# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's services side by side: each is brought from one standing to the next, and all are reset at once.

What one procedure leaves is where the next one begins, so the lab is reset only at the begin, and after something went
wrong: then what runs beside is waited for.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harness
import state
import topology
from harness import Result

from tests.faults import end_state
from tests.faults.cut_off import Place
from tests.faults.damage import TIMELINE
from tests.faults.points import PROCEDURES, Entry

#: The verb that leads on from a standing: towards the healthy one, or away from it.
HOME = {"failed_over": "failback", "moved": "failback"}
PRIMARY = {"healthy": "db1", "failed_over": "db2", "moved": "db2"}


class Lane:
    """One service: how it stands, what procedures leave of it when nothing disturbs them, and what was seen of it."""

    def __init__(self, service: str, folder: Path) -> None:
        self.service, self.folder = service, folder / service
        self.cluster = next(one for one in topology.CLUSTERS if one.service == service)
        self.stands = ""  # unknown: the lab must be reset
        self.expected: dict[str, dict[str, Any]] = {}
        self.entries: dict[str, list[Entry]] = {}
        self._seen: Path | None = None

    def words(self, verb: str, site: str = "") -> tuple[str, ...]:
        """The inputs of a procedure's verb; `site` stands in the place of its target."""
        return tuple(filter(None, (f"scope={self.service}", site or PROCEDURES[verb].to)))

    def place(self, name: str) -> Place:
        """A place for a run, with what earlier ones saw of the primary: a failover needs it."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        place = Place(self.folder / name / "runs", f"cut-{secrets.token_hex(4)}", self.service)
        if self._seen is not None:
            shutil.copytree(self._seen / "last_seen", place.runs / "last_seen")
        self._seen = place.runs
        return place

    def timeline(self) -> int:
        """The primary's timeline: a promotion more is one more."""
        member = PRIMARY[self.stands]
        return int(harness.sql(member, self.cluster.ports[member], TIMELINE))

    def reading(self, timeline: int) -> dict[str, Any]:
        """How the service stands in all that two runs of one procedure have in common."""
        return end_state.reading(state.look(), self.service, timeline)

    def after_reset(self) -> None:
        """The lab was reset: nothing was seen of this service yet."""
        self.stands, self._seen = "healthy", None

    def bring(self, start: str) -> None:
        """Have the service stand so, by whole procedures. AssertionError where one does not end well."""
        if self._seen is None:
            place = self.place("sight")
            self._well("assess", harness.run_verb("assess", f"scope={self.service}", *place.own))
        while self.stands != start:
            self.whole(HOME.get(self.stands, "switchover" if start == "moved" else "failover"))

    def undisturbed(self, verb: str) -> list[Entry]:
        """The journal of a procedure that nothing disturbs."""
        if verb not in self.expected:
            self.bring(PROCEDURES[verb].start)
            self.whole(verb)
        return self.entries[verb]

    def whole(self, verb: str) -> None:
        """A procedure to its end; the first time, what it leaves is kept where it began as it should."""
        procedure, place, timeline = PROCEDURES[verb], self.place(f"{verb}-whole"), self.timeline()
        began, self.stands = self.stands, ""
        if procedure.primary_dies:
            self.crash()
        self._well(verb, harness.run_verb(verb, *self.words(verb), *place.own))
        self.stands = procedure.end
        if began == procedure.start and verb not in self.expected:
            self.expected[verb] = self.reading(timeline)
            self.entries[verb] = list(place.journal())

    def crash(self) -> None:
        """SIGKILL of the primary's postmaster, as the fault primary_crashed does."""
        harness.inside("db1", f"kill -KILL $(systemctl show --property=MainPID --value {self.cluster.unit})")

    @staticmethod
    def _well(verb: str, result: Result) -> None:
        assert result.rc == 0, f"{verb}, undisturbed, ended with {result.rc}:\n{result.output}"


class Lanes:
    """All services of the lab, each worked at by a thread of its own."""

    def __init__(self, services: Sequence[str], folder: Path) -> None:
        self.lanes = {service: Lane(service, folder) for service in services}
        self._changed = threading.Condition()
        self._working = 0
        self._resetting = False

    @contextmanager
    def working(self, lane: Lane) -> Iterator[None]:
        """Work at a service that stands as it is known to: while anybody does, nothing is reset."""
        while True:
            if not lane.stands:
                self._reset()
            with self._changed:
                self._changed.wait_for(lambda: not self._resetting)
                if lane.stands:
                    self._working += 1
                    break
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _reset(self) -> None:
        with self._changed:
            if self._resetting:
                self._changed.wait_for(lambda: not self._resetting)
                return
            self._resetting = True
            self._changed.wait_for(lambda: self._working == 0)
        try:
            harness.lab("reset")
            for lane in self.lanes.values():
                lane.after_reset()
        finally:
            with self._changed:
                self._resetting = False
                self._changed.notify_all()
