# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canary's ledger in slices of time."""

from __future__ import annotations

import json

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import format_time
from ansible_collections.continuity.dr.plugins.plugin_utils.report.client import MOST_SLICES, Moment, client

START = 1_795_317_300.0  # when the runs of the fixtures began


def test_every_write_is_counted_once_where_it_was_answered(make):
    run = make().ledger(seconds=4.0, rate=20, fault=1.0, outage=2.4)
    found = client(run.path, "payments-db")
    assert (found["ledger"], found["started"]) == ("canary/payments-db.jsonl", "2026-11-22T03:15:00.000000Z")
    assert found["slice_seconds"] == 0.1 and len(found["acknowledged"]) == 40
    assert sum(found["acknowledged"]) + sum(found["refused"]) == 80 and not any(found["in_doubt"])
    assert sum(found["refused"]) == 47  # 1.05 s to 3.35 s, twenty a second
    assert not any(found["acknowledged"][11:34]) and not any(found["refused"][35:])


@pytest.mark.parametrize(("seconds", "length"), [(4, 0.1), (60, 0.5), (3600, 15.0), (40000, 300.0)])
def test_a_long_ledger_has_few_slices(make, seconds, length):
    run = make(name=str(seconds)).ledger(seconds=seconds, rate=2)
    found = client(run.path, "payments-db")
    assert found["slice_seconds"] == length and len(found["acknowledged"]) <= MOST_SLICES
    assert sum(found["acknowledged"]) + sum(found["refused"]) == seconds * 2


def test_a_wall_clock_that_was_set_changes_nothing(make):
    run = make().ledger()
    path = run.path / "canary" / "payments-db.jsonl"
    before = client(run.path, "payments-db")
    path.write_text(path.read_text().replace("03:15:02", "09:15:02"))
    assert client(run.path, "payments-db") == before


@pytest.mark.parametrize("content", ["", "{", "[]\n3\n", '{"outcome": "acknowledged", "done_ns": "x"}\n', "\x00\xff"])
def test_what_is_no_ledger_is_not_drawn(make, content):
    run = make().ledger()
    (run.path / "canary" / "payments-db.jsonl").write_text(content)
    assert client(run.path, "payments-db") is None


def test_no_ledger(make):
    assert client(make().path, "payments-db") is None


def write_on(run, begin, end):
    """The canary writes on after the last line of a ledger, which is whole then."""
    path = run.path / "canary" / "payments-db.jsonl"
    torn, more = '{"seq": 9', path.read_text()
    rows = [{"seq": 0, "outcome": "acknowledged", **times(at / 20)} for at in range(begin * 20, end * 20)]
    path.write_text(more.removesuffix(torn) + "".join(f"{json.dumps(row)}\n" for row in rows))


def times(at):
    return {"done": format_time(START + at), "done_ns": int(at * 1e9) + 5_000_000_000}


def test_what_the_canary_writes_after_the_run_changes_no_report_of_it(moved, report_of):
    run = moved().canary().ledger(seconds=2.0, fault=1.0, outage=0.5)
    first = report_of(run)
    assert first["duration_seconds"] == 2.1 and sum(first["services"][0]["client"]["acknowledged"]) == 31
    write_on(run, 2, 3)
    assert sum(client(run.path, "payments-db")["acknowledged"]) == 51
    again = report_of(run)
    assert sum(again["services"][0]["client"]["acknowledged"]) == 34  # until the outcome's entry, 2.1 s
    write_on(run, 3, 60)
    assert report_of(run) == again


@pytest.mark.parametrize(
    ("end", "count"),
    [
        (Moment(START + 1.0, 6_000_000_000), 21),
        (Moment(START - 3600, 9_000_000_000), 40),  # the wall clock was set back: these came before all the same
        (Moment(START + 3600, 1_000_000), 40),  # the machine was started again
    ],
)
def test_a_write_is_later_than_the_run_by_both_clocks(make, end, count):
    run = make().ledger(seconds=2.0, fault=9.0)
    assert sum(client(run.path, "payments-db", end)["acknowledged"]) == count


def test_a_ledger_that_begins_after_the_run_is_none_of_it(make):
    run = make().ledger()
    assert client(run.path, "payments-db", Moment(START - 10, 0)) is None
