# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from harness import Result

from tests.faults import damage, mending
from tests.faults.mending import Command, NotMended, Operator
from tests.faults.schedules import LOST, NUMBER, Event, _fault, schedule


def test_a_schedule_is_told_by_its_seed_and_number() -> None:
    assert schedule(42, 7) == schedule(42, 7)
    assert schedule(42, 7) != schedule(42, 8)
    assert schedule(42, 7) != schedule(43, 7)


@pytest.mark.parametrize("seed", range(10))
def test_a_schedule_has_faults_where_they_can_happen_and_verbs(seed: int) -> None:
    for number in range(1, NUMBER + 1):
        events = schedule(seed, number).events
        assert {"fault", "verb"} <= {event.kind for event in events}
        assert all(event.where in damage.PLACES[event.name] for event in events if event.kind != "verb")
        assert all(event.cut or not event.armed_lives for event in events)


def test_every_kind_of_event_comes_in_twenty_schedules() -> None:
    events = [event for number in range(1, NUMBER + 1) for event in schedule(42, number).events]
    assert {event.name for event in events if event.kind == "fault"} == set(damage.PLACES)
    assert any(event.cut for event in events) and any(event.armed_lives for event in events)
    assert {"primary", "replica", "away", "stay"} <= {event.where for event in events}
    assert {"switchover", "failover", "rejoin", "failback"} == {e.name for e in events if e.kind == "verb"}


@pytest.mark.parametrize("seed", range(20))
def test_in_most_schedules_the_primary_is_lost_and_a_failover_follows_at_once(seed: int) -> None:
    def fails_over(number: int) -> bool:
        events = schedule(seed, number).events
        return any(
            before.name in LOST and before.where == "primary" and (after.name, after.where) == ("failover", "away")
            for before, after in pairwise(events)
        )

    assert sum(fails_over(number) for number in range(1, NUMBER + 1)) >= NUMBER / 2


def test_a_schedule_never_stops_the_last_name_server() -> None:
    two = [Event("fault", "name_server_stopped", server) for server in damage.NAME_SERVERS[:2]]
    next_ones = [_fault(random.Random(seed), two, lost=False) for seed in range(100)]
    stopped = {event.where for event in next_ones if event.name == "name_server_stopped"}
    assert stopped == set(damage.NAME_SERVERS[:2])


@pytest.mark.parametrize(
    ("writable", "where", "resolved"),
    [
        (["db1"], "primary", "db1"),
        (["db1"], "away", "dc2"),
        (["db2"], "primary", "db2"),
        (["db2"], "replica", "db1"),
        (["db2"], "away", "dc1"),
        (["db2"], "stay", "dc2"),
        ([], "away", "dc2"),
        (["db1"], "ns2", "ns2"),
    ],
)
def test_a_role_is_that_of_the_moment(
    monkeypatch: pytest.MonkeyPatch, writable: list[str], where: str, resolved: str
) -> None:
    monkeypatch.setattr(damage.harness, "writable", lambda *_where: writable)
    assert damage.Roles("payments-db").resolved(where) == resolved


@pytest.mark.parametrize(("server", "unit"), [("ns1", "named.service"), ("ns2", "knot.service")])
def test_a_name_server_is_stopped_whatever_its_program(monkeypatch: pytest.MonkeyPatch, server: str, unit: str) -> None:
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(damage.harness, "inside", lambda where, script: said.append((where, script)))
    monkeypatch.setattr(damage, "state", lambda _machine: "running")
    assert damage.inject("name_server_stopped", server, "payments-db")
    assert damage.heal("name_server_stopped", server, "payments-db")
    assert said == [(server, f"systemctl stop {unit}"), (server, f"systemctl start {unit}")]


def test_a_dead_primary_was_it_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([["db2"], []])
    monkeypatch.setattr(damage.harness, "writable", lambda *_where: next(seen))
    roles = damage.Roles("payments-db")
    assert [roles.resolved("primary"), roles.resolved("primary")] == ["db2", "db2"]


@pytest.mark.parametrize(
    ("writable", "how", "replicas", "booted"),
    [
        (["db2"], "exited", (), False),
        (["db2"], "exited", ("db1",), True),
        (["db2"], "running", (), False),
        ([], "exited", (), True),
    ],
)
def test_a_machine_without_power_is_switched_on_where_it_is_no_second_primary(
    monkeypatch: pytest.MonkeyPatch, writable: list[str], how: str, replicas: tuple[str, ...], booted: bool
) -> None:
    there = {"db1": how}
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(damage.harness, "writable", lambda *_where: writable)
    monkeypatch.setattr(damage.harness, "inside", lambda *_words, **_how: "running")
    monkeypatch.setattr(damage, "state", lambda machine: there.get(machine, "running"))
    monkeypatch.setattr(damage, "_docker", lambda *words: commands.append(words) or "")
    damage.heal_all("payments-db", replicas)
    assert commands == ([("start", "db1")] if booted else [])


def said(*rules: str, evidence: tuple[str, ...] = (), redundancy: str = "") -> dict[str, Any]:
    measured = {"claim_held": "run-a by me@here", "lease_held": "run-a by me@here on db1"}
    refusals = [{"rule": rule, "measured": measured.get(rule, "none")} for rule in rules]
    return {"refusals": refusals, "evidence_lines": list(evidence), "redundancy": {"state": redundancy}}


@pytest.fixture
def operator() -> Operator:
    def run(verb: str, *_inputs: str) -> Any:
        raise AssertionError(f"{verb} was run")

    return Operator("payments-db", run)


DB1, DB2 = "db1 (dc1): primary, timeline 1", "db2 (dc2): replica of 203.0.113.131:5432, timeline 1"
STOPPED = "db1 (dc1): stopped"


def test_a_whole_service_needs_nothing(operator: Operator) -> None:
    assert operator.next(said(evidence=(DB1, DB2))) is None


@pytest.mark.parametrize(
    ("report", "command"),
    [
        (said("no_primary", evidence=(STOPPED, DB2)), Command("failover", ("target_site=dc2",))),
        (said("no_primary", evidence=(STOPPED,)), Command()),
        (said("no_target", evidence=(DB1, DB2)), Command("failover", ("target_site=dc1",))),
        (said("not_streaming", evidence=(DB1, DB2)), Command("rejoin")),
        (said(redundancy="not following: db2; next: run rejoin"), Command("rejoin")),
        (said("arbiter_unreachable"), Command()),
        (said("replay_backlog", "not_streaming"), Command("rejoin")),
    ],
)
def test_the_report_tells_what_comes_next(operator: Operator, report: dict[str, Any], command: Command) -> None:
    assert operator.next(report) == command


def test_a_killed_run_is_continued_once_and_then_broken(operator: Operator) -> None:
    operator.knows_of("run-a", "switchover", "target_site=dc2")
    held = said("claim_held", "lease_held", evidence=(DB1, DB2))
    assert operator.next(held) == Command("switchover", ("target_site=dc2", "continuity_run_id=run-a"))
    following = operator.next(held)
    assert following is not None
    assert (following.verb, following.inputs[0]) == ("rejoin", "break_lease=run-a")


def test_a_run_nobody_knows_is_broken_by_what_is_wanted(operator: Operator) -> None:
    following = operator.next(said("lease_held", "no_primary", evidence=(STOPPED, DB2)))
    assert following is not None
    assert (following.verb, following.inputs[:2]) == ("failover", ("target_site=dc2", "break_lease=run-a"))


def test_two_primaries_end_it(operator: Operator) -> None:
    with pytest.raises(NotMended, match="two primaries"):
        operator.next(said("two_primaries", "claim_held"))


class Reports:
    """Verbs that leave one report after the other; what was run is kept."""

    def __init__(self, *assessments: dict[str, Any], other: dict[str, Any] | None = None) -> None:
        self.assessments, self.other = list(assessments), other or said()
        self.ran: list[str] = []

    def __call__(self, verb: str, *inputs: str) -> Result:
        self.ran.append(" ".join((verb, *inputs)))
        part = self.other
        if verb == "assess":
            part = self.assessments.pop(0) if len(self.assessments) > 1 else self.assessments[0]
        evidence = [{"text": line} for line in part["evidence_lines"]]
        return Result(0, "", 0.0, {"services": [{**part, "service": "payments-db", "evidence": evidence}]})


def test_an_operator_goes_on_until_the_service_is_whole() -> None:
    run = Reports(said("no_primary", evidence=(STOPPED, DB2)), said("not_streaming", evidence=(DB1, DB2)), said())
    Operator("payments-db", run).mend()
    assert run.ran == ["assess", "failover target_site=dc2", "assess", "rejoin", "assess"]


def test_a_move_whose_clients_are_sent_elsewhere_is_finished() -> None:
    elsewhere = said("endpoint_elsewhere", evidence=(DB1, DB2))
    run = Reports(said("not_streaming"), said(), other=elsewhere)
    Operator("payments-db", run).mend()
    assert run.ran == ["assess", "rejoin", "failover target_site=dc1", "assess"]


def test_a_verb_that_is_kept_out_has_the_killed_run_continued() -> None:
    run = Reports(said("not_streaming"), said(), other=said("lease_held"))
    operator = Operator("payments-db", run)
    operator.knows_of("run-a", "failover", "target_site=dc2")
    operator.mend()
    assert run.ran == ["assess", "rejoin", "failover target_site=dc2 continuity_run_id=run-a", "assess"]


def test_what_is_never_whole_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "SECONDS", -1.0)
    with pytest.raises(NotMended, match="not_streaming"):
        Operator("payments-db", Reports(said("not_streaming"))).mend()


def test_a_verb_without_a_report_ends_it() -> None:
    with pytest.raises(NotMended, match="left no report"):
        Operator("payments-db", lambda _verb, *_inputs: Result(4, "no plan", 0.0)).mend()
