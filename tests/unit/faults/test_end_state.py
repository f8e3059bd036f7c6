# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy
from typing import Any

import pytest
import state

from tests.faults import end_state

SERVICE = "payments-db"
GUARD = '"epoch={} run={} state={} until=2026-11-22T03:17:00Z owner=me@here"'
TRACES = """\
/var/lib/continuity/payments-db/acted:run-a 4711
/var/lib/continuity/payments-db/epoch:{epoch}
/var/lib/continuity/payments-db/promotion:{{"record": {{"epoch": {epoch}, "member": "db2", "run_id": "{run}"}},
/var/lib/continuity/payments-db/promotion: "server": {{"position": {position}, "timeline": {timeline}}}}}
/var/lib/continuity/accounts-db/epoch:9
Id=postgresql@15-payments.service InvocationID={run}
3405691582 110
/etc/systemd/system/postgresql@15-payments.service"""


def look(run: str = "run-a", epoch: int = 1, position: int = 50331648, timeline: int = 2) -> dict[str, Any]:
    answer = {"A": "203.0.113.11", "TXT": GUARD.format(epoch, run, "switched")}
    member = {"unit": "active", "enabled": "enabled", "role": "primary", "timeline": str(timeline)}
    return {
        "machines": {"db1": "reachable"},
        "services": {SERVICE: {"members": {"db2": member}, "names": {"ns0": answer}}},
        "serials": {"ns0": f"serial {epoch}"},
        "traces": {"db2": TRACES.format(run=run, epoch=epoch, position=position, timeline=timeline)},
    }


def different(now: dict[str, Any]) -> list[str]:
    return state.differences(end_state.reading(look(), SERVICE, 1), end_state.reading(now, SERVICE, 1))


def test_two_runs_that_did_the_same_end_alike() -> None:
    assert different(look("run-b", 3, 67108864)) == []


def test_timelines_are_counted_from_the_one_before() -> None:
    first, later = end_state.reading(look(), SERVICE, 1), end_state.reading(look(timeline=8), SERVICE, 7)
    assert state.differences(first, later) == []
    assert first["members"]["db2"]["timeline"] == "1"


def edited(old: str, new: str) -> dict[str, Any]:
    now = look()
    assert old in now["traces"]["db2"]
    now["traces"]["db2"] = now["traces"]["db2"].replace(old, new)
    return now


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "/var/lib/continuity/accounts-db/",
            "/var/lib/continuity/payments-db/lease:run=a\nx/",
            "/kept/db2/lease: nothing",
        ),
        ('"timeline": 2', '"timeline": 3', "/kept/db2/promotion: member db2 timeline 1 -> member db2 timeline 2"),
        ('"member": "db2"', '"member": "db1"', "-> member db1 timeline 1"),
        ("/etc/systemd/system/postgresql@15-payments.service", "", ": masked -> nothing"),
        ("payments-db/acted", "payments-db/rejoining", "/kept/db2/rejoining: nothing -> "),
        ("3405691582 110", "replay paused", "/kept/db2/replay paused: nothing -> yes"),
    ],
)
def test_what_a_run_leaves_on_a_member_counts(old: str, new: str, said: str) -> None:
    found = different(edited(old, new))
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("members", "db2", "role"), "standby"),
        (("members", "db2", "timeline"), "3"),
        (("members", "db2", "enabled"), "masked"),
        (("names", "ns0", "A"), "198.51.100.11"),
        (("names", "ns0", "TXT"), GUARD.format(1, "run-a", "claimed")),
        (("names", "ns0", "TXT"), "-"),
    ],
)
def test_roles_timelines_names_and_claims_count(path: tuple[str, ...], value: str) -> None:
    now = copy.deepcopy(look())
    place = now["services"][SERVICE]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert len(different(now)) == 1


def test_what_is_left_of_what_was_armed_does_nothing_and_other_services_do_not_count() -> None:
    assert different(edited("accounts-db/epoch:9", "payments-db/armed/db2:4711")) == []
    other = "/etc/systemd/system/postgresql@15-accounts.service"
    assert different(edited("3405691582 110", other)) == []


def test_what_settles_in_time_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["not yet"], ["not yet"], []])
    monkeypatch.setattr(end_state.time, "sleep", lambda _seconds: None)
    assert end_state.settled(lambda: next(answers), 5.0) == []
    assert end_state.settled(lambda: ["for ever"], 0.0) == ["for ever"]
