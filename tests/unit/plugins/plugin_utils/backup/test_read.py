# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What pgBackRest and a server print, whole, damaged, cut off and empty; and what a restore must show."""

from __future__ import annotations

import json

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import prove, read
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Backup
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import Choice, target_of

FULL = "20261122-073817F"
ENTRY = {
    "archive": {"start": "000000010000000000000009", "stop": "000000010000000000000009"},
    "database": {"id": 1, "repo-key": 1},
    "error": False,
    "info": {"size": 22992568, "repository": {"size": 2299256}},
    "label": FULL,
    "lsn": {"start": "0/900028", "stop": "0/900100"},
    "reference": None,
    "timestamp": {"start": 1795333097, "stop": 1795333099},
    "type": "full",
}
INFO = [
    {
        "backup": [ENTRY],
        "db": [{"id": 1, "repo-key": 1, "system-id": 77, "version": "15"}],
        "name": "shop",
        "repo": [
            {"key": 1, "status": {"code": 0, "message": "ok"}},
            {"key": 2, "status": {"code": 99, "message": "no route"}},
        ],
    }
]
SITES = {1: "dc1", 2: "dc2", 3: "dc3"}
LISTING = {
    ".": {"type": "path"},
    "15-1/0000000100000000/000000010000000000000009-67867f70665b9619365fc2b92a1a3a09a2ec49b2.gz": {
        "type": "file",
        "size": 9,
        "time": 7,
    },
    "15-1/0000000100000000/00000001000000000000000A-67867f70665b9619365fc2b92a1a3a09a2ec49b2": {
        "type": "file",
        "size": 0,
        "time": 8,
    },
    "15-1/0000000100000000/000000010000000000000009.00000028.backup": {"type": "file", "size": 368, "time": 9},
    "15-1/00000002.history": {"type": "file", "size": 41, "time": 9},
}
CLEAN = f"""P00   INFO: verify command begin 2.45: --output=text
P00   INFO: stanza: shop
 status: ok
 archiveId: 15-1, total WAL checked: 7, total valid WAL: 7
   missing: 0, checksum invalid: 0, size invalid: 0, other: 0
 backup: {FULL}, status: valid, total files checked: 964, total valid files: 964
   missing: 0, checksum invalid: 0, size invalid: 0, other: 0
P00   INFO: verify command end: completed successfully (60ms)
"""


def test_each_repository_of_the_plan_is_there_and_what_is_not_known_is_no_guess():
    one, two, three = read.repositories(json.dumps(INFO), {1: json.dumps(LISTING)}, SITES)
    assert (one.reachable, two.reachable, three.reachable) == (True, False, False)
    assert (two.message, three.message) == ("no route", "pgBackRest does not know it")
    assert one.newest.label == FULL and one.newest.repository_size == 2299256
    assert one.archive.segment_size == 1 << 20 and one.archive.timelines == {2} and two.archive is None
    assert dict(one.archive.segments) == {"000000010000000000000009": 7.0}, "an empty segment holds nothing"
    assert read.system_ids(json.dumps(INFO)) == {1: "77"} and read.versions(json.dumps(INFO)) == {1: "15"}


@pytest.mark.parametrize("text", ["", "[]", "{", '[{"name": "shop"', "null"])
def test_an_answer_that_is_none_is_unreachable_and_not_empty(text):
    assert [each.reachable for each in read.repositories(text, {}, SITES)] == [False, False, False]
    assert read.archive(text, []) is None


def test_verify_is_content_only_when_it_says_so():
    assert read.verified(CLEAN) == read.Verified(True, frozenset({FULL}), (), 964)
    assert read.verified(CLEAN.replace("status: ok", "")).wrong
    assert not read.verified(CLEAN.partition("verify command end")[0]).ended
    assert not read.verified("").ended
    assert not read.verified(CLEAN + "P00   INFO: verify command begin 2.45\n").ended, "the last run counts"


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        ("status: valid", "status: invalid", f"backup {FULL} is invalid"),
        ("total valid WAL: 7\n   missing: 0", "total valid WAL: 7\n   missing: 2", "archive 15-1: 2 missing"),
        ("964\n   missing: 0, checksum invalid: 0", "964\n   missing: 0, checksum invalid: 1", "1 checksum invalid"),
        ("status: ok", "status: error\n No usable backup.info file", "No usable backup.info file"),
    ],
)
def test_whatever_verify_names_is_wrong(before, after, wrong):
    assert before in CLEAN
    assert any(wrong in each for each in read.verified(CLEAN.replace(before, after)).wrong)


def test_a_backup_that_verify_passed_over_is_missing():
    gone = Backup("gone", "full", 0, 0, "0" * 24, "0" * 24, 0, 0, 1, 1)
    assert read.verified(CLEAN).missing([gone]) == ("gone",)


REACHED = """2026-11-22 07:39:34.770 UTC: LOG:  consistent recovery state reached at 0/900100
2026-11-22 07:39:34.770 UTC: LOG:  restored log file "00000001000000000000000E" from archive
2026-11-22 07:39:34.813 UTC: LOG:  recovery stopping before commit of transaction 7, time 2026-11-22 07:38:24.5+00
2026-11-22 07:39:34.813 UTC: LOG:  pausing at the end of recovery
"""
ENDED = """2026-11-22 07:39:34.770 UTC: LOG:  consistent recovery state reached at 0/900100
2026-11-22 07:39:34.770 UTC: LOG:  restored log file "00000001000000000000000E" from archive
2026-11-22 07:39:41.003 UTC: LOG:  last completed transaction was at log time 2026-11-22 07:38:24.573907+00
2026-11-22 07:39:44.317 UTC: LOG:  archive recovery complete
"""


def choice(text: str, last: int = 14) -> Choice:
    return Choice(1, Backup(FULL, "full", 0, 0, "0" * 24, "0" * 24, 0, 0, 1, 1), 1, target_of(text), last)


@pytest.mark.parametrize(
    ("log", "target", "number", "said"),
    [
        (REACHED, "2026-11-22T07:38:24Z", 14, ""),
        (REACHED, "2026-11-22T07:38:25Z", 14, "before the target"),
        (REACHED.replace("consistent", "x"), "2026-11-22T07:38:24Z", 14, "consistent state"),
        (REACHED.replace("pausing", "x"), "2026-11-22T07:38:24Z", 14, "stopped at the target"),
        (REACHED.replace("stopping", "x"), "2026-11-22T07:38:24Z", 14, "stopped at the target"),
        (REACHED, "name=x", 14, "elsewhere"),
        (REACHED, "lsn=0/9", 14, "elsewhere"),
        (REACHED.replace("before commit of transaction 7,", 'at restore point "y",'), "name=x", 14, "elsewhere"),
        (REACHED.replace("before commit of transaction 7,", 'at restore point "x",'), "name=x", 14, ""),
        (
            REACHED + "x FATAL:  recovery ended before configured recovery target was reached",
            "latest",
            14,
            "ended with",
        ),
        (REACHED + "x PANIC:  invalid page", "2026-11-22T07:38:24Z", 14, "damage"),
        (ENDED, "latest", 14, ""),
        (ENDED, "latest", 13, "goes on to 14"),
        (ENDED, "latest", None, "goes on to 14"),
        (ENDED.replace("complete", "x"), "latest", 14, "not say that recovery is complete"),
        ("", "latest", 14, "consistent state"),
    ],
)
def test_the_servers_own_log_says_whether_the_target_was_reached(log, target, number, said):
    found = prove.not_reached(choice(target), read.recovery(log), number)
    assert said in found and bool(said) == bool(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"counts": {"postgres": {}}}, "no table holds anything"),
        ({"error": "psql: lost"}, "psql: lost"),
        ({"answer": "f"}, "gave 'f', not 't'"),
        ({"canary": {"rows": 0, "after": 0, "newest": None}}, "holds no row"),
        ({"canary": {"rows": 5, "after": 2, "newest": 9}}, "2 rows of the canary are younger"),
        ({"canary": None}, "holds no row"),
    ],
)
def test_what_the_data_does_not_prove_is_said(changes, said):
    check = prove.Check("shop", "select true")
    shown = prove.Shown(
        changes.get("counts", {"shop": {"public.orders": 3}}),
        [(check, changes.get("answer", "t"))],
        changes.get("canary", {"rows": 5, "after": 0, "newest": 9}),
        changes.get("error", ""),
    )
    found = list(prove.unproven(choice("latest"), shown, prove.Canary("shop", "canary")))
    assert (said in "; ".join(found)) and bool(said) == bool(found)


def test_a_query_of_the_plan_cannot_speak_to_psql_and_a_name_stays_a_name():
    for wrong in ("\\! rm -rf /", "", {"query": "select 1", "expects": "x"}, {"database": "x"}):
        with pytest.raises(ValueError, match=r"verification\[0\]"):
            prove.Check.from_options([wrong])
    assert prove.Check.from_options([{"query": "select 1;", "expect": 1}]) == [prove.Check("postgres", "select 1", "1")]
    assert prove.Check.from_options([{"query": "q", "expect": True}])[0].expect == "t"
    assert "dbname=''it\\''s''" in prove.questions(["it's"], [], None, None)
    assert '"a""b"."c"' in prove.questions([], [], prove.Canary("x", 'a"b.c'), 1.0)
