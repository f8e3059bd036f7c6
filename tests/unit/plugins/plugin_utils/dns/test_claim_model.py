# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs that claim, sleep, release and switch in any order, with clocks that differ: what may never happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dns_zone import MemoryClock, MemoryZone
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import MARGIN_SECONDS, parse_guard
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch import Switch
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import Expected, Wanted

RUNS = ("run-0", "run-1", "run-2")
NAME, GUARD = "db.shop.example.", "_continuity.db.shop.example."
TARGET = Target("shop.example.", NAME, (Address("127.0.0.1"),), GUARD)


@dataclass(frozen=True)
class Action:
    """What one run does; ``meanwhile`` happens between its reading and its writing."""

    run: int
    verb: str
    fault: str = ""
    meanwhile: Action | None = None


VERBS = st.sampled_from(["claim", "claim", "switch", "blind switch", "release"])
FAULTS = st.sampled_from(["", "", "", "lost", "lost reply"])
SIMPLE = st.builds(Action, run=st.integers(0, 2), verb=VERBS, fault=FAULTS)
ACTIONS = st.lists(
    st.one_of(
        st.builds(Action, st.integers(0, 2), VERBS, FAULTS, st.one_of(st.none(), SIMPLE)),
        st.sampled_from([1.0, 60.0, 89.0, 91.0, 119.0, 121.0, 149.0, 151.0]),  # seconds pass
    ),
    max_size=25,
)
SKEWS = st.tuples(*[st.sampled_from([-MARGIN_SECONDS, 0.0, MARGIN_SECONDS])] * len(RUNS))


class World:
    """A zone, runs with clocks of their own, and what each run was told."""

    def __init__(self, skews: tuple[float, ...]) -> None:
        self.zone, self.time = MemoryZone(), MemoryClock()
        self.zone.put(NAME, "A", "198.51.100.1")
        self.clocks = [
            Clock(lambda skew=skew: self.time.now() + skew, self.time.monotonic, self.time.pause) for skew in skews
        ]
        self.granted: dict[int, dict[str, int | str]] = {}
        self.winners: dict[int, str] = {}
        self.epochs: list[int] = []
        self.switches: list[int] = []

    def do(self, action: Action) -> None:
        self.zone.faults = [action.fault] if action.fault else []
        inner = action.meanwhile
        self.zone.after_read = (lambda: self.do(inner)) if inner else None
        with suppress(DnsError):
            getattr(self, action.verb.replace(" ", "_"))(action.run)
        self.zone.after_read = None
        self.check()

    def claim(self, run: int) -> None:
        result = self.claims(run).claim()
        self.granted[run] = result
        epoch = int(result["epoch"])
        assert self.winners.setdefault(epoch, RUNS[run]) == RUNS[run], "two runs won the same epoch"
        for other in self.granted:
            if other != run:
                assert not self.still_trusts(other), "a run still trusts a claim that another run has taken"

    def still_trusts(self, run: int) -> bool:
        """By its own clock and what it was told, without asking anybody."""
        until = parse_guard([str(self.granted[run]["guard"])])
        assert until is not None
        return self.clocks[run].now() < until.until - MARGIN_SECONDS and self.granted[run]["state"] == "claimed"

    def switch(self, run: int) -> None:
        self._switch(run, guard=None)

    def blind_switch(self, run: int) -> None:
        self._switch(run, guard=str(self.granted[run]["guard"]) if run in self.granted else None)

    def _switch(self, run: int, guard: str | None) -> None:
        epoch = int(self.granted[run]["epoch"]) if run in self.granted else 1
        (now,) = self.zone.stored(NAME, "A")
        wanted = Wanted((f"198.51.100.{run + 10}",), Expected("set", (now,)), 5, RUNS[run], epoch)
        with self.closing(run):
            outcome = Switch(TARGET, "A", wanted, self.zone, self.clocks[run], 5).run(guard)
        if outcome.changed:
            assert self.winners.get(epoch) == RUNS[run], "a run without the claim moved the record"
            self.switches.append(epoch)

    def release(self, run: int) -> None:
        with self.closing(run):
            self.claims(run).release()

    @contextmanager
    def closing(self, run: int) -> Iterator[None]:
        """Mark the time from which a run acts on its claim no more: when it gives it up, heard or not heard.

        Also afterwards: what the same run renewed meanwhile is closed with it.
        """
        try:
            self.granted.get(run, {})["state"] = "closing"
            yield
        finally:
            self.granted.get(run, {})["state"] = "closing"

    def claims(self, run: int) -> Claims:
        return Claims(TARGET, Claimant(RUNS[run], "me@here"), self.zone, self.clocks[run], "A")

    def check(self) -> None:
        found = parse_guard([text.strip('"') for text in self.zone.stored(GUARD, "TXT")])
        self.epochs.append(found.epoch if found else 0)
        assert self.epochs == sorted(self.epochs), "an epoch went down"
        assert self.switches == sorted(self.switches), "an older claim moved the record after a newer one"
        assert self.zone.stored(NAME, "A"), "the record was empty"


@settings(max_examples=300, deadline=None)
@given(ACTIONS, SKEWS)
def test_two_runs_never_both_win(actions: list[Action | float], skews: tuple[float, ...]) -> None:
    world = World(skews)
    for action in actions:
        if isinstance(action, float):
            world.time.pause(action)
        else:
            world.do(action)


def test_the_model_reaches_what_it_is_about() -> None:
    """Claims that are lost in a race, taken over, and refused late do occur in it."""
    world = World((0.0, 0.0, 0.0))
    world.do(Action(0, "claim", meanwhile=Action(1, "claim")))
    assert world.winners == {1: "run-1"}
    world.time.pause(200)
    world.do(Action(2, "claim"))
    assert world.winners == {1: "run-1", 2: "run-2"}
    world.do(Action(1, "blind switch"))
    assert world.switches == []
    world.do(Action(2, "blind switch", fault="lost reply"))
    assert world.switches == [2]
    assert world.zone.stored(NAME, "A") == ("198.51.100.12",)
