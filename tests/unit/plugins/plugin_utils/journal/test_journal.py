# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import multiprocessing
import os

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.journal import (
    JournalError,
    append,
    path_of,
    read,
    verify,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.journal.chain import digest

RUN = "20261122T031500Z-3f9a"


def ticking(start=1_795_317_300_123_456_789):
    moments = iter(range(10_000))

    def clock():
        tick = next(moments)
        return start + tick * 1_000_000_000, 5_000 + tick

    return clock


@pytest.fixture
def journal(tmp_path):
    """Six lines of one service."""
    clock = ticking()
    for number in range(6):
        append(tmp_path, RUN, "payments-db", "fence", "started", {"number": number}, clock=clock)
    return path_of(tmp_path, "payments-db")


def rewrite(path, change):
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("".join(line + "\n" for line in lines))


def kinds(path):
    return [(problem.kind, problem.line) for problem in verify(path)]


def test_a_line_holds_every_field_of_the_contract(tmp_path):
    entry = append(tmp_path, RUN, "payments-db", "fence", "started", {"stage": "failover"}, clock=ticking())
    written = path_of(tmp_path, "payments-db").read_text()
    assert written.endswith("\n") and written.count("\n") == 1
    assert json.loads(written) == entry
    assert list(entry) == [
        "seq",
        "time",
        "monotonic_ns",
        "run_id",
        "service",
        "step",
        "state",
        "data",
        "previous_hash",
        "hash",
    ]
    assert entry["time"] == "2026-11-22T03:15:00.123456Z"
    assert (entry["seq"], entry["monotonic_ns"], entry["previous_hash"]) == (1, 5000, "0" * 64)
    assert entry["hash"] == digest(entry)


def test_the_lines_form_a_chain(journal):
    entries = read(journal)
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert [entry["previous_hash"] for entry in entries[1:]] == [entry["hash"] for entry in entries[:-1]]
    assert verify(journal) == []


def test_a_missing_journal_is_empty(tmp_path):
    assert read(path_of(tmp_path, "x")) == [] and verify(path_of(tmp_path, "x")) == []


def test_the_entries_of_some_steps_can_be_read_alone(tmp_path):
    for step, data in (
        ("claim", {"step": "fence"}),
        ("fence", {}),
        ("promote", {"said": '"step":"fence"'}),
        ("fence", {}),
    ):
        append(tmp_path, RUN, "db", step, "done", data)
    with path_of(tmp_path, "db").open("ab") as file:
        file.write(b'{"step":"fence", torn\n')
    assert [entry["seq"] for entry in read(path_of(tmp_path, "db"), {"fence"})] == [2, 4]
    assert [entry["seq"] for entry in read(path_of(tmp_path, "db"), ("claim", "promote"))] == [1, 3]
    assert len(read(path_of(tmp_path, "db"))) == 4


def test_an_edited_line_is_found(journal):
    rewrite(journal, lambda lines: lines.__setitem__(2, lines[2].replace('"number":2', '"number":3')))
    assert kinds(journal) == [("edited", 3)]


def test_an_edited_line_with_a_fresh_hash_is_found_by_the_next_line(journal):
    def forge(lines):
        entry = json.loads(lines[2])
        entry["data"]["number"] = 3
        entry["hash"] = digest(entry)
        lines[2] = json.dumps(entry)

    rewrite(journal, forge)
    assert kinds(journal) == [("rewritten", 4)]


def test_a_removed_line_is_found(journal):
    rewrite(journal, lambda lines: lines.pop(2))
    assert kinds(journal) == [("removed", 3)]
    assert "it holds entry 4, not 3" in verify(journal)[0].message


def test_a_removed_first_line_is_found(journal):
    rewrite(journal, lambda lines: lines.pop(0))
    assert kinds(journal) == [("removed", 1)]


def test_swapped_lines_are_found(journal):
    rewrite(journal, lambda lines: lines.insert(1, lines.pop(3)))
    assert ("removed", 2) in kinds(journal)


def test_an_unreadable_line_is_found_and_read_goes_on(journal):
    rewrite(journal, lambda lines: lines.__setitem__(2, "garbage"))
    assert kinds(journal) == [("unreadable", 3)]
    assert [entry["seq"] for entry in read(journal)] == [1, 2, 4, 5, 6]


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_found_repaired_and_recorded(journal, cut):
    content = journal.read_bytes()
    journal.write_bytes(content[:-cut])
    torn = content.rstrip(b"\n").rsplit(b"\n", 1)[1] + b"\n"
    torn = torn[:-cut]
    assert kinds(journal) == [("torn", 6)]
    assert len(read(journal)) == 5

    append(journal.parent.parent, RUN, "payments-db", "fence", "done", {})

    assert verify(journal) == []
    *_earlier, repair, last = read(journal)
    assert (repair["seq"], repair["step"], repair["state"], repair["data"]["bytes"]) == (
        6,
        "journal",
        "done",
        len(torn),
    )
    assert (last["seq"], last["step"], last["state"]) == (7, "fence", "done")
    assert journal.with_name("payments-db.jsonl.torn").read_bytes() == torn + b"\n"


def test_a_file_that_is_torn_in_its_first_line_starts_again(tmp_path):
    path = path_of(tmp_path, "payments-db")
    path.parent.mkdir()
    path.write_bytes(b'{"seq": 1, "ti')
    append(tmp_path, RUN, "payments-db", "fence", "done", {})
    assert [entry["step"] for entry in read(path)] == ["journal", "fence"]
    assert verify(path) == []


def test_lines_longer_than_the_part_read_at_once(tmp_path):
    for _turn in range(3):
        append(tmp_path, RUN, "payments-db", "fence", "done", {"text": "x" * 30_000})
    assert verify(path_of(tmp_path, "payments-db")) == []


def test_secrets_are_masked_before_the_line_is_hashed(tmp_path):
    entry = append(tmp_path, RUN, "payments-db", "point", "done", {"key": {"name": "k", "secret": "hunter2"}})
    assert entry["data"]["key"]["secret"] == "********"
    assert "hunter2" not in path_of(tmp_path, "payments-db").read_text()
    assert verify(path_of(tmp_path, "payments-db")) == []


def _write_many(arguments):
    directory, worker = arguments
    for number in range(20):
        append(directory, RUN, "payments-db", "fence", "done", {"worker": worker, "number": number}, fsync=False)


def test_several_processes_write_one_chain(tmp_path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(_write_many, [(str(tmp_path), worker) for worker in range(4)])
    path = path_of(tmp_path, "payments-db")
    assert verify(path) == []
    assert len(read(path)) == 80


@pytest.mark.parametrize("fsync", [True, False])
def test_the_line_is_synced_unless_told_otherwise(tmp_path, monkeypatch, fsync):
    append(tmp_path, RUN, "payments-db", "fence", "started")  # makes the file: its directories are synced once
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    append(tmp_path, RUN, "payments-db", "fence", "done", fsync=fsync)
    assert len(synced) == (1 if fsync else 0)


def test_an_unknown_state_is_refused(tmp_path):
    with pytest.raises(JournalError, match="none of started"):
        append(tmp_path, RUN, "payments-db", "fence", "finished")


@pytest.mark.parametrize("service", ["../x", "", "a/b", ".hidden", "a\n"])
def test_a_service_that_is_no_file_name_is_refused(tmp_path, service):
    with pytest.raises(JournalError, match="letters, digits"):
        append(tmp_path, RUN, service, "fence", "done")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "journal").write_text("a file in the way")
    with pytest.raises(JournalError, match=r"cannot write the journal .*payments-db\.jsonl"):
        append(tmp_path, RUN, "payments-db", "fence", "done")
