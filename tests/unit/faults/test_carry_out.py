# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A schedule is carried out in its order, healed, mended and judged; no lab is needed for that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from types import SimpleNamespace
from typing import Any

import harness
import pytest
import yaml
from harness import Result
from say import LabError

from tests.faults import damage, page, results, schedules
from tests.faults.cut_off import Cut
from tests.faults.oracles import NUMBERS
from tests.faults.schedules import Event, Schedule, carry_out

JUDGED: dict[str, Any] = {**dict.fromkeys(NUMBERS, 1), "not_judged": {}}
WHOLE = [{"refusals": [], "evidence": [], "redundancy": None, "service": service} for service in schedules.SERVICES]


@dataclass
class World:
    """What was done, in its order."""

    said: list[str] = field(default_factory=list)
    violations: list[Any] = field(default_factory=list)
    again_changed: int = 0
    left: list[str] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=lambda: dict(JUDGED))
    timeline: int = 3
    plans: set[str] = field(default_factory=set)
    superseded: list[str] = field(default_factory=list)
    boots: list[bool] = field(default_factory=list)

    def run_verb(self, verb: str, *words: str, plan: Path, **_more: Any) -> Result:
        self.plans.add(plan.read_text(encoding="utf-8"))
        self.said.append(" ".join([verb, *(word for word in words if word.startswith("target"))]))
        second = verb == "rejoin" and self.said.count("rejoin") == 2
        recap = f"payments-db : ok=4    changed={self.again_changed if second else 0}    unreachable=0    failed=0"
        return Result(0, recap, 0.0, {"verdict": "passed", "services": WHOLE})

    def cut(self, verb: str, *words: str, line: int, plan: Path, **_more: Any) -> Cut:
        self.plans.add(plan.read_text(encoding="utf-8"))
        self.said.append(f"{verb} {words[1]} killed after {line}")
        return Cut(True, -9, "")

    @contextmanager
    def watching(self, *_services: str, place: Path) -> Iterator[Any]:
        place.mkdir(parents=True)
        yield SimpleNamespace(
            place=place,
            runs=place / "runs",
            reports=[],
            seen=self.seen,
            violations=self.violations,
            keep=lambda _name, result: result,
            hear=lambda *_words: None,
            wait_rows=lambda _count: None,
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(harness, "run_verb", made.run_verb)
    monkeypatch.setattr(schedules, "run_verb", made.cut)
    monkeypatch.setattr(schedules, "watching", made.watching)
    monkeypatch.setattr(schedules.Operator, "left", lambda _self: made.left)
    monkeypatch.setattr(damage.Roles, "resolved", lambda _self, where: {"away": "dc2"}.get(where, where))
    monkeypatch.setattr(damage.Roles, "timeline", lambda _self: made.timeline)
    for name in ("inject", "heal"):
        monkeypatch.setattr(damage, name, lambda *words, name=name: made.said.append(f"{name} {words[0]}") or True)
    monkeypatch.setattr(damage, "heal_all", lambda _service, _replicas: made.said.append("heal all"))
    monkeypatch.setattr(damage, "superseded", lambda _service: made.superseded)
    monkeypatch.setattr(damage, "reset", lambda: made.said.append("reset"))
    monkeypatch.setattr(damage, "start_at_boot", made.boots.append)
    return made


def plan(*events: Event) -> Schedule:
    return Schedule(1, 1, "payments-db", events)


def test_faults_and_verbs_come_in_their_order_and_then_everything_is_healed(world: World, tmp_path: Path) -> None:
    events = Event("fault", "link_cut", "dc1"), Event("verb", "failover", "away", 7), Event("heal", "link_cut", "dc1")
    ran = carry_out(plan(*events, Event("verb", "rejoin")), tmp_path)
    assert ran.wrong == []
    begin = ["reset", "assess", "inject link_cut", "failover target_site=dc2 killed after 7", "heal link_cut", "rejoin"]
    assert world.said[: len(begin)] == begin
    assert world.said[len(begin) :] == ["heal all", "assess", "rejoin", "rejoin", "heal all"]
    assert ran.promotions == 2
    assert world.boots == [False, True], "no database starts by itself meanwhile"


def test_a_machine_that_another_one_serves_for_is_left_to_rejoin(world: World, tmp_path: Path) -> None:
    world.superseded = ["primary", "replica"]
    events = [Event(kind, "member_killed", where) for where in ("primary", "replica") for kind in ("fault", "heal")]
    ran = carry_out(plan(*events), tmp_path)
    assert "heal member_killed primary: left to rejoin" in ran.done, "its database would start as a second primary"
    assert "heal member_killed replica" in ran.done
    assert world.said.count("heal member_killed") == 1


def test_every_verb_of_a_schedule_has_a_plan_with_a_fence_device(world: World, tmp_path: Path) -> None:
    carry_out(plan(Event("verb", "failover", "away", 7), Event("verb", "rejoin")), tmp_path)
    (text,) = world.plans
    services = yaml.safe_load(text)["services"]
    assert set(services) == set(schedules.SERVICES)
    for service in services.values():
        roles = {fence["role"]: fence for fence in service["fence"]}
        agent = roles["continuity.dr.fence_agent"]
        assert Path(agent["agent"]).is_file()
        assert set(agent["members"]) == {member["host"] for member in service["members"]}


def test_what_no_oracle_saw_is_wrong_and_by_chance_it_is_carried_out_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results.add_schedules, "__defaults__", (tmp_path / "faults.json",))
    world.seen["not_judged"] = {"payments-db on db2": 3.0}
    (ran,) = schedules.run_all(42, [3], tmp_path)
    assert ran.wrong == ["not judged: payments-db on db2 was not heard for 3 s"]
    assert world.said.count("reset") == 2
    world.seen |= {"not_judged": {}, "acknowledged": 0}
    assert carry_out(plan(), tmp_path).wrong == ["the client was acknowledged nothing"]


def test_how_many_were_promoted_stands_in_the_results_and_on_the_page(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results.add_schedules, "__defaults__", (tmp_path / "faults.json",))
    for number, timeline in ((1, 3), (2, 1), (3, 2)):
        world.timeline = timeline
        schedules.run_all(42, [number], tmp_path)
    kept = json.loads((tmp_path / "faults.json").read_text())
    assert (kept["schedules_about"]["promotions"], kept["schedules_about"]["promoted"]) == (3, 2)
    assert "3 of 20 tried, 2 of them with a promotion, none failed" in page._counted(kept, "schedules", "faults")


@pytest.mark.parametrize(
    ("what", "value", "wrong"),
    [
        ("left", ["payments-db has 2 primaries: db1 db2"], "2 primaries"),
        ("again_changed", 3, "3 tasks changed something on payments-db"),
        ("violations", [SimpleNamespace(oracle="writer", text="both took writes")], "writer: both took writes"),
    ],
)
def test_whatever_is_wrong_at_the_end_is_told(world: World, tmp_path: Path, what: str, value: Any, wrong: str) -> None:
    setattr(world, what, value)
    ran = carry_out(plan(Event("fault", "link_cut", "dc1")), tmp_path)
    assert len(ran.wrong) == 1 and wrong in ran.wrong[0], ran


@pytest.mark.parametrize("error", [AssertionError("no row"), LabError("no engine"), TimeoutExpired("a verb", 600)])
def test_a_schedule_that_breaks_off_is_wrong_and_healed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_words: str) -> bool:
        raise error

    monkeypatch.setattr(damage, "inject", broken)
    (wrong,) = carry_out(plan(Event("fault", "link_cut", "dc1")), tmp_path).wrong
    assert wrong == f"{type(error).__name__}: {error}"
    assert world.said[-1] == "heal all"


def test_what_came_of_all_is_kept(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results.add_schedules, "__defaults__", (tmp_path / "faults.json",))
    monkeypatch.setattr(schedules, "KEPT", tmp_path / "schedules")
    world.left = ["ns1 is paused"]
    assert schedules.main(["--seed", "42", "3", "4"]) == 1
    kept = json.loads((tmp_path / "faults.json").read_text())
    assert (kept["schedules"], kept["schedules_about"]["seed"]) == (2, 42)
    assert "schedule 3 of seed 42: ns1 is paused" in kept["schedules_about"]["failed"]


def test_schedules_that_are_named_are_added_to_those_of_their_seed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results.add_schedules, "__defaults__", (tmp_path / "faults.json",))
    for seed, numbers, count in ((42, [3, 4], 2), (42, [4, 5], 3), (43, [1], 1)):
        assert len(schedules.run_all(seed, numbers, tmp_path)) == len(numbers)
        kept = json.loads((tmp_path / "faults.json").read_text())
        assert (kept["schedules"], kept["schedules_about"]["seed"]) == (count, seed)
