# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import (
    LedgerError,
    Server,
    format_time,
    parse,
    parse_time,
    same_form,
)

SERVER = {"address": "198.51.100.11", "port": 5432, "system_id": "77", "timeline": 1, "in_recovery": False}
TIME = "2026-11-22T03:15:00.250113Z"


def line(seq=1, outcome="acknowledged", **more) -> str:
    row = {"seq": seq, "outcome": outcome, "sent": TIME, "done": TIME, "sent_ns": seq * 10, "done_ns": seq * 10 + 5}
    row |= {"address": "198.51.100.11", "port": 5432}
    row |= {"server": SERVER} if outcome == "acknowledged" else {"error": {"class": "no_answer", "message": "silence"}}
    return json.dumps({**row, **more})


def test_rows_come_back_as_they_were_written() -> None:
    acknowledged, doubtful = parse([line(1), line(2, "in_doubt")]).rows
    assert acknowledged.acknowledged and acknowledged.server == Server(**SERVER)
    assert acknowledged.done == pytest.approx(parse_time(TIME)) and acknowledged.done_ns == 15
    assert (doubtful.outcome, doubtful.error_class, doubtful.message) == ("in_doubt", "no_answer", "silence")
    assert not doubtful.acknowledged and doubtful.server is None


def test_an_empty_ledger_has_no_rows() -> None:
    assert parse([]).rows == () and parse(["", "\n"]).last_seq == 0


def test_a_line_torn_by_a_kill_is_counted_and_left_out() -> None:
    ledger = parse([line(1), line(2)[:40], line(3)])
    assert [row.seq for row in ledger.rows] == [1, 3] and ledger.torn == 1


def test_a_client_that_did_not_say_goodbye_is_running_or_was_killed() -> None:
    began, ended = '{"event": "began", "pid": 7}', '{"event": "ended", "reason": "sigterm"}'
    assert parse([began, line(1)]).running == {"event": "began", "pid": 7}
    assert parse([began, line(1), ended]).running is None
    assert parse([began, ended, began]).running is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line(1, "lost"), "outcome 'lost' is none of"),
        (line(1, server=None), "acknowledged by nobody"),
        (line(1, sent="2026-11-22T03:15:00"), "names no time zone"),
        (line(1, sent="noon"), "not a row"),
        (line(1, done_ns=None), "not a row"),
        ('{"seq": 1}', "not a row of a ledger .KeyError: 'outcome'"),
        ("[1]", "not a row"),
        ("17", "not a row"),
        (line(1, server={"address": "198.51.100.11"}), "not a row"),
    ],
)
def test_a_line_that_is_no_row_is_refused_by_its_number(text, message) -> None:
    with pytest.raises(LedgerError, match=f"line 2: .*{message}"):
        parse(["", text])


def test_a_number_that_stands_twice_means_two_clients() -> None:
    with pytest.raises(LedgerError, match="row 4 stands in the ledger twice"):
        parse([line(4), line(5), line(4)])


def test_a_clock_that_ran_backwards_is_no_clock() -> None:
    with pytest.raises(LedgerError, match="ran backwards at row 3"):
        parse([line(2), line(3, done_ns=1)])


def test_times_are_utc_and_exact_to_the_microsecond() -> None:
    assert format_time(parse_time(TIME)) == TIME
    assert parse_time("1970-01-01T01:00:01+01:00") == 1.0


def test_two_spellings_of_an_address_are_one() -> None:
    assert same_form("2001:DB8:0::1") == same_form("2001:db8::1")
    assert same_form("db1") == "db1"
