# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from benchmarks import client, load
from benchmarks.figures import Row

SECOND = 10**9
OLD, NEW = "198.51.100.11", "203.0.113.11"


def rows(*changes: tuple[float, str, str]) -> list[Row]:
    """Ten rows a second until the last change; each change says from when on what becomes of them, and where."""
    found = []
    for number in range(int(changes[-1][0] * 10) + 1):
        at = number / 10
        outcome, address = next(change[1:] for change in reversed(changes) if change[0] <= at)
        found.append(Row(number, outcome, int(at * SECOND), int(at * SECOND) + 1000, address))
    return found


@pytest.mark.parametrize(
    ("changes", "address", "since", "expected"),
    [
        ([(0.0, "acknowledged", OLD), (3.0, "acknowledged", OLD)], None, 0.0, True),
        ([(0.0, "acknowledged", OLD), (0.5, "acknowledged", OLD)], None, 0.0, False),  # not for long enough
        ([(0.0, "acknowledged", OLD), (3.0, "acknowledged", OLD)], NEW, 0.0, False),  # by another one
        (
            [(0.0, "acknowledged", OLD), (2.5, "refused", OLD), (2.6, "acknowledged", NEW), (3.0, "acknowledged", NEW)],
            NEW,
            0.0,
            False,
        ),
        ([(0.0, "acknowledged", OLD), (1.0, "acknowledged", NEW), (3.0, "acknowledged", NEW)], NEW, 1.5, True),
        ([(0.0, "acknowledged", OLD), (3.0, "acknowledged", OLD)], None, 2.5, False),  # most of it was before the fault
    ],
)
def test_served_means_a_second_without_a_failure_by_one_server_since_the_fault(
    changes: list[tuple[float, str, str]], address: str | None, since: float, expected: bool
) -> None:
    assert load._stable(rows(*changes), address, 1.0, int(since * SECOND)) is expected


def test_the_end_of_a_ledger_begins_with_a_whole_line_and_a_line_being_written_is_left_out(tmp_path: Path) -> None:
    lines = [json.dumps([number, "acknowledged", number, number, OLD]) + "\n" for number in range(100)]
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(lines) + lines[0][:10], encoding="utf-8")
    assert [row.seq for row in load.read(path)] == list(range(100))
    assert [row.seq for row in load.read(path, tail_bytes=3 * len(lines[-1]))] == [98, 99]


def test_who_tries_both_hosts_goes_to_the_other_after_each_failure() -> None:
    finder = client.BothHosts([OLD, NEW])
    assert [finder.next(OLD) for _turn in range(3)] == [OLD, NEW, OLD]


def test_who_asks_for_the_name_stays_where_the_name_still_points() -> None:
    finder = client.ByName(OLD, [])  # an address is its own answer
    assert finder.next(OLD) == OLD
    assert finder.next(NEW) == OLD


def test_one_process_writes_for_many_services_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "STATE", tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens, so every row is refused at once
        login = {"name": "127.0.0.1", "database": "d", "role": "r", "port": taken.getsockname()[1], "resolvers": []}
        made = [load.client(f"run-{number}", login, 50.0, []) for number in range(3)]
        clients = load.Clients([settings for _ledger, settings in made])
        clients.start()
        until = time.monotonic() + 60
        while any(len(load.read(ledger)) < 3 for ledger, _settings in made):
            assert time.monotonic() < until, "not every client writes"
            time.sleep(0.05)
        clients.stop()
    seen = [load.read(ledger) for ledger, _settings in made]
    assert {row.outcome for rows in seen for row in rows} == {"refused"}
    assert all([row.seq for row in rows] == list(range(1, len(rows) + 1)) for rows in seen)
    assert [len(load.read(ledger)) for ledger, _settings in made] == [len(rows) for rows in seen]
    clients.stop()


def test_who_was_never_served_is_told_with_what_it_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(json.dumps([1, "refused", 1, 2, OLD]) + "\n", encoding="utf-8")
    now = iter(range(1000))
    monkeypatch.setattr(load.time, "monotonic", lambda: float(next(now)))
    monkeypatch.setattr(load.time, "sleep", lambda _seconds: None)
    with pytest.raises(load.NotServed, match=rf"not served by {NEW} within 5 s; last writes: .*refused.*{OLD}"):
        load.wait_served(ledger, NEW, 5.0)
