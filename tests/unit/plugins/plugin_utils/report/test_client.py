# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canary's ledger in slices of time."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.report.client import MOST_SLICES, client


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
