# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lines a person reads during a verb: the text, the clock of the RTO, and that nothing rests on them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import progress
from ansible_collections.continuity.dr.plugins.plugin_utils.progress import Downtime, Teller, budget, clock, downtime
from ansible_collections.continuity.dr.plugins.plugin_utils.run import Run

START = 1_795_329_244.0
DNS = "payments-db.shop.example."
ALLOWANCES = MappingProxyType({"detection_seconds": 60.0, "decision_seconds": 300.0})
SERVICES = MappingProxyType(
    {
        "payments-db": {"objectives": {"rto_seconds": 900.0}, "endpoints": [{"name": DNS}]},
        "db": {"objectives": {}, "endpoints": []},
    }
)


def made_run(verb="drill", services=SERVICES, allowances=ALLOWANCES, **inputs):
    plan = {"allowances": allowances} if allowances else {}
    return Run("r-1", verb, "/nowhere", START, 5_000_000_000, False, "me@here", inputs, plan, services)


def entry(step, state, after, stage="failover", **data):
    at = datetime.fromtimestamp(START + after, UTC).isoformat().replace("+00:00", "Z")
    return {"step": step, "state": state, "time": at, "data": {"stage": stage, **data}}


COULD_BE_MOVED = entry("decide", "done", 1, "baseline", goal_reached=True)  # an assessment has no steps
INJECTED = entry("inject", "done", 3, "baseline", fault={"name": "crash", "time": START + 2})
PROMOTED = entry("promote", "done", 8, member="db2")
POINTED = entry("point", "done", 9, name=DNS)
DEMOTED = entry("demote", "started", 5, "failback", member="db2")


# The text


@pytest.mark.parametrize(
    ("objective", "down", "text"),
    [
        (None, Downtime(0.0), "no RTO"),
        (900.0, Downtime(), "RTO 15m"),
        (900.0, Downtime(87.6), "RTO 15m: 14m 47s left"),
        (900.0, Downtime(100.0), "RTO 15m: 15m left"),
        (900.0, Downtime(-740.0), "RTO 15m: 1m left"),
        (900.0, Downtime(-790.03), "RTO 15m: 9.9s left"),
        (900.0, Downtime(-800.0), "RTO 15m: 0s left"),
        (900.0, Downtime(-801.0), "RTO 15m: exceeded by 1s"),
        (900.0, Downtime(-1000.0, at_least=True), "RTO 15m: exceeded by at least 3m 20s"),
        (900.0, Downtime(-260.0, at_least=True), "RTO 15m: at most 9m left"),
        (900.0, Downtime(90.0, ended=92.55), "RTO 15m: back after 2.55s"),
        (900.0, Downtime(-270.0, ended=92.0, at_least=True), "RTO 15m: back after at least 6m 2s"),
        (2.0, Downtime(90.0, ended=93.5), "RTO 2s: back after 3.5s, exceeded by 1.5s"),
        (900.0, Downtime(90.0, ended=92.55, measured=2.07), "RTO 15m: outage of 2.07s"),
        (2.0, Downtime(90.0, measured=12.0, at_least=True), "RTO 2s: outage of 12s, exceeded by 10s"),
        (0.0, Downtime(99.0), "RTO 0s: exceeded by 1s"),
        (900.0, Downtime(107.0), "RTO 15m: 15m left"),  # a clock that was set back is no credit
    ],
)
def test_what_is_left_of_the_objective(objective, down, text):
    assert budget(objective, down, now=100.0) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (-1, "0.0s"),
        (12.44, "12.4s"),
        (59.94, "59.9s"),
        (59.95, "1m 00s"),
        (60, "1m 00s"),
        (127, "2m 07s"),
        (3599.9, "59m 59s"),
        (3720, "1h 02m"),
        (359_999, "99h 59m"),
    ],
)
def test_the_time_since_the_run_began_is_never_wider_than_its_column(seconds, text):
    assert clock(seconds) == text and len(text) <= 7


def test_a_line_names_the_service_first_and_columns_stand_below_each_other():
    lines = [
        progress.line("db", 11, 2.3, "promote db2: done in 0.13s", "RTO 15m: 14m 57s left"),
        progress.line("payments-db", 11, 62, "rejoin db1: FAILED in 3s", "no RTO", "db2 is gone"),
    ]
    assert lines == [
        "db              2.3s  promote db2: done in 0.13s                        RTO 15m: 14m 57s left",
        "payments-db   1m 02s  rejoin db1: FAILED in 3s                          no RTO  db2 is gone",
    ]


@pytest.mark.parametrize("evil", ["a\nPLAY RECAP", "a\r\nb", "a\x1b[2Jb", "a\u2028b", "a\u202eb", "a\x00b", "a\u0085b"])
def test_no_part_of_a_line_breaks_it_or_moves_the_cursor(evil):
    line = progress.line(evil, 11, 1.0, evil, evil, evil)
    assert line.isprintable() and len(line.splitlines()) == 1


def test_a_long_message_is_cut():
    line = progress.line("db", 2, 1.0, "x", "no RTO", "y" * 500)
    assert line.endswith("yyy...") and len(line) < 240


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"changed": True, "msg": "promoted"}, ""),
        ({"failed": True, "msg": "db2 did not leave recovery\nmore"}, "db2 did not leave recovery"),
        (
            {"failed": True, "msg": "refused:", "refusals": [{"rule": "lag_unknown", "message": "no answer"}]},
            "lag_unknown: no answer",
        ),
        ({"outcome": {"message": "it depends on accounts"}}, "it depends on accounts"),
        ({"failed": True}, ""),
    ],
)
def test_why_a_step_did_not_do_what_it_was_for(result, text):
    assert progress.message_of(result) == text


# The clock of the objective


@pytest.mark.parametrize(
    ("run", "stage", "entries", "down"),
    [
        (made_run(), "baseline", [], Downtime()),
        (made_run(), "baseline", [INJECTED], Downtime(START + 2)),
        (made_run(), "baseline", [COULD_BE_MOVED, INJECTED], Downtime(START + 2)),
        (made_run(), "failover", [INJECTED], Downtime(START + 2)),
        (made_run(), "failover", [INJECTED, PROMOTED], Downtime(START + 2)),
        (made_run(), "failover", [INJECTED, PROMOTED, POINTED], Downtime(START + 2, START + 9)),
        (made_run(), "failover", [INJECTED, entry("point", "failed", 9, name=DNS)], Downtime(START + 2)),
        (made_run(), "rejoin", [INJECTED, PROMOTED, POINTED], Downtime()),
        (made_run(), "failback", [INJECTED, PROMOTED, POINTED], Downtime()),
        (made_run(), "failback", [INJECTED, PROMOTED, POINTED, DEMOTED], Downtime(START + 5)),
        (made_run("switchover"), "switchover", [DEMOTED], Downtime()),
        (made_run("failover"), "failover", [], Downtime(START - 360, at_least=True)),
        (made_run("failover", allowances=None), "failover", [], Downtime(START, at_least=True)),
        (made_run("failover", outage_started=START - 7), "failover", [POINTED], Downtime(START - 7, START + 9)),
        (made_run("failover"), "failover", [entry("decide", "done", 1, goal_reached=True)], Downtime()),
        (made_run("assess"), "assess", [], Downtime()),
        (made_run("backup"), "backup", [], Downtime()),
    ],
)
def test_since_when_and_until_when_a_service_is_down(run, stage, entries, down):
    assert downtime(run, "payments-db", stage, entries) == down


def test_without_an_endpoint_it_is_back_with_the_promotion():
    assert downtime(made_run(), "db", "failover", [INJECTED, PROMOTED]).ended == START + 8


def test_with_two_endpoints_it_is_back_with_the_last_of_them():
    services = {"x": {"endpoints": [{"name": "a."}, {"name": "b."}]}}
    first, second = (entry("point", "done", after, name=name) for after, name in ((9, "a."), (11, "b.")))
    run = made_run(services=services)
    assert downtime(run, "x", "failover", [INJECTED, PROMOTED, first]).ended is None
    assert downtime(run, "x", "failover", [INJECTED, PROMOTED, first, second]).ended == START + 11


def test_a_move_that_is_undone_ends_when_the_old_primary_serves_again():
    undone = entry("promote", "done", 7, "failback", member="db2")
    assert downtime(made_run(), "payments-db", "failback", [DEMOTED, undone]).ended == START + 7
    other = entry("promote", "done", 7, "failback", member="db1")
    assert downtime(made_run(), "payments-db", "failback", [DEMOTED, other]).ended is None


def test_what_the_canary_measured_replaces_what_the_run_thinks():
    measured = [
        entry("canary", "done", after, measurement={"outage_seconds": s}) for after, s in ((12, 6.5), (17, 9.0))
    ]
    unknown = entry("canary", "done", 11, measurement={"outage_seconds": None})
    down = downtime(made_run(), "payments-db", "failover", [INJECTED, PROMOTED, POINTED, unknown, *measured])
    assert down.measured == 6.5 and down.seconds(START + 100) == 6.5


# Telling


def teller(entries=(), step="promote", subject="db2", show=None, service="payments-db", after=12.4, services=SERVICES):
    shown = []
    now, run = (START + after, 5_000_000_000 + int(after * 1e9)), made_run(services=services)
    return shown, Teller(
        run, service, "failover", step, subject, show or shown.append, lambda: entries, now=lambda: now
    )


def test_a_step_is_told_with_the_time_and_the_objective():
    shown, one = teller([INJECTED])
    one.begins()
    one.runs(10.2)
    one.ended("done", {"elapsed_seconds": 0.31})
    one.ended("failed", {"elapsed_seconds": 3.2, "failed": True, "msg": "gone"})
    assert shown == [
        "payments-db    12.4s  promote db2: still running, 10s                   RTO 15m: 14m 49s left",
        "payments-db    12.4s  promote db2: done in 0.31s                        RTO 15m: 14m 49s left",
        "payments-db    12.4s  promote db2: FAILED in 3.2s                       RTO 15m: 14m 49s left  gone",
    ]


def test_the_beginning_of_what_may_take_minutes_is_told():
    shown, one = teller(step="rejoin", subject="db1")
    one.begins()
    assert [line.split("  ")[3].strip() for line in shown] == ["rejoin db1: begins"]


def test_the_end_of_a_service_is_told_as_that_of_its_stage():
    shown, one = teller([INJECTED, PROMOTED, POINTED], step="outcome", subject="")
    one.ended("refused", {"elapsed_seconds": 0.0, "outcome": {"message": "it depends on accounts"}})
    assert shown[0].startswith("payments-db    12.4s  failover: REFUSED  ")
    assert shown[0].endswith("  RTO 15m: back after 7s  it depends on accounts")


def test_fifty_services_stand_in_one_column():
    names = [f"service-{number:02}" for number in range(50)] + ["an-unusually-long-name-of-a-service-in-the-plan"]
    services = {name: {"objectives": {"rto_seconds": 900.0}} for name in names}
    found = set()
    for name in names[:-1]:
        shown, one = teller(service=name, services=services)
        one.ended("done", {"elapsed_seconds": 1.0})
        assert shown[0].startswith(f"{name} ")
        found.add(shown[0].index("promote"))
    assert len(found) == 1


def raising(*_):
    raise RuntimeError("no terminal")


def test_what_goes_wrong_in_telling_is_nobodys_business(monkeypatch):
    for broken in (teller(show=raising)[1], teller(service="unknown")[1], teller([{"step": "inject"}])[1]):
        broken.ended("done", {"elapsed_seconds": 1.0})
        broken.runs(5.0)
    shown, one = teller()
    one.ended("done", {})
    monkeypatch.setattr(progress, "line", raising)
    one.ended("done", {"elapsed_seconds": 1.0})
    assert shown == []
