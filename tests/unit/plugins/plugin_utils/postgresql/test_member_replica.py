# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A member comes back as a replica by the method its own state allows, and never by a worse one in silence."""

from __future__ import annotations

import json

import pytest
from fake_member import Output

from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import member as members
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused

BRANCH = {"system_id": "7301", "timeline": 2, "position": 9000, "history": "1\t0/1388\tno recovery target"}
MINE = Lease("payments-db", "run-a", 8)
UPSTREAM = {"host": "db2", "replication_address": "203.0.113.131", "port": 5432}
STREAMS = json.dumps({"recovery": True, "streaming": True})
BEGAN, WORKS, WELL, BADLY = (
    "@@began\n",
    "ActiveState=active\nResult=success\n",
    "ActiveState=inactive\nResult=success\n",
    "ActiveState=failed\nResult=exit-code\n",
)


HELD = "@@held 120\n"


def follow(member, **args):
    wanted = {"state": "replica", "upstream": UPSTREAM, "history": BRANCH, "timeout": 30.0, "clone": True}
    result = member.bring_to({**wanted, **args})
    assert member.left == [], "not every answer was asked for"
    return result


def sent(member):
    """What each script was for, by the command that only it holds."""
    marks = {
        "observe": "continuity_epoch; cat",
        "rewind": "pg_rewind --target",
        "clone": "pg_basebackup -D",
        "progress": "-p Result",
        "renew": "seconds=120",
        "swap": "/usr/bin/mv -T",
        "start": "systemctl start",
    }
    return [next(name for name, mark in marks.items() if mark in script) for script in member.scripts]


def test_a_member_that_follows_already_is_left_alone(made, seen, server):
    member = made(seen(server("replica", timeline=2)))
    assert follow(member) == {"changed": False, "state": "replica", "method": "none", "timeline": 2}
    assert sent(member) == ["observe"]


def test_a_member_that_stopped_before_the_fork_just_follows(made, seen):
    member = made(seen(), STREAMS)
    assert follow(member) == {"changed": True, "state": "replica", "method": "follow", "timeline": 2}
    assert sent(member) == ["observe", "start"]


def test_a_crashed_primary_is_rewound_and_the_work_is_watched_to_its_end(made, seen):
    member = made(seen(state="in production"), BEGAN, WORKS, WORKS, WELL, STREAMS)
    result = follow(member)
    assert (result["method"], "rewind_failed" in result) == ("rewind", False)
    assert sent(member) == ["observe", "rewind", "progress", "progress", "progress", "start"]


def test_the_lease_lives_as_long_as_the_work_is_watched(made, seen, monkeypatch):
    monkeypatch.setattr(members, "RENEW_EVERY_SECONDS", -1)
    member = made(seen(state="in production"), BEGAN, HELD, WORKS, HELD, WELL, STREAMS, lease=MINE)
    follow(member)
    assert sent(member) == ["observe", "rewind", "renew", "progress", "renew", "progress", "start"]
    lost = Output(43, "@@refused stale_epoch 9\n", "")
    taken_over = made(seen(state="in production"), BEGAN, HELD, WORKS, lost, lease=MINE)
    with pytest.raises(MemberRefused) as refused:
        follow(taken_over)
    assert refused.value.refusal.rule == "stale_epoch" and "start" not in sent(taken_over)


def test_a_rewind_that_fails_becomes_a_copy_and_the_old_data_is_kept(made, seen):
    member = made(seen(state="in production"), BEGAN, BADLY, BEGAN, WELL, "", STREAMS)
    result = follow(member)
    assert (result["method"], result["rewind_failed"]) == ("clone", "exit-code")
    assert result["kept"] == "/var/lib/postgresql/15/main.kept"
    assert sent(member) == ["observe", "rewind", "progress", "clone", "progress", "swap", "start"]


def test_where_copies_are_not_allowed_a_failed_rewind_is_an_error(made, seen):
    member = made(seen(state="in production"), BEGAN, BADLY)
    with pytest.raises(MemberError, match="cannot be rewound.*clone: false") as error:
        follow(member, clone=False)
    assert error.value.reason == "clone_needed"
    assert "clone" not in sent(member) and "start" not in sent(member)


@pytest.mark.parametrize(("progress", "ended"), [(BADLY, "exit-code"), ("", "unknown")])
def test_a_copy_that_does_not_end_well_is_not_put_in_place(made, seen, progress, ended):
    member = made(seen(state="in production"), BEGAN, BADLY, BEGAN, progress)
    with pytest.raises(MemberError, match=f"ended with {ended}; see journalctl -u continuity-15-main") as error:
        follow(member)
    assert error.value.reason == "clone_failed"
    assert sent(member)[-2:] == ["clone", "progress"]


def test_old_data_kept_earlier_is_a_refusal_with_what_to_do(made, seen):
    kept = Output(43, "@@refused kept_data_present /var/lib/postgresql/15/main.kept\n", "")
    with pytest.raises(MemberRefused) as refused:
        follow(made(seen(state="in production"), BEGAN, BADLY, kept))
    assert (refused.value.refusal.rule, refused.value.refusal.measured) == (
        "kept_data_present",
        "/var/lib/postgresql/15/main.kept",
    )
    assert "move it away" in refused.value.refusal.hint


def test_a_replica_that_does_not_stream_is_an_error(made, seen):
    with pytest.raises(MemberError, match=r"does not stream from 203.0.113.131:5432 after 30 s") as error:
        follow(made(seen(), json.dumps({"recovery": True, "streaming": False})))
    assert error.value.reason == "not_streaming"


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (lambda seen, server: seen(server("primary", timeline=2)), "running_as_primary"),
        (lambda seen, server: seen(server("replica", system_id="8")), "other_cluster"),
        (lambda seen, server: seen(server("replica", timeline=3)), "timeline_ahead"),
        (lambda seen, server: seen(status=0), "not_stopped"),
        (lambda seen, server: "connection lost\n", "not_stopped"),
    ],
    ids=["running as primary", "another database", "timeline ahead", "frozen", "garbage"],
)
def test_what_must_not_be_touched_is_refused_after_one_question(made, seen, server, answer, rule):
    member = made(answer(seen, server))
    with pytest.raises(MemberRefused) as refused:
        follow(member)
    assert refused.value.refusal.rule == rule
    assert sent(member) == ["observe"]


def test_check_mode_names_the_method_and_sends_the_question_only(made, seen):
    member = made(seen(state="in production"), check_mode=True)
    assert follow(member) == {"changed": True, "state": "replica", "method": "rewind", "timeline": 2}
    assert sent(member) == ["observe"]


@pytest.mark.parametrize("missing", ["upstream", "history"])
def test_a_replica_needs_to_know_whom_and_where(made, missing):
    with pytest.raises(ValueError, match="needs upstream and history"):
        follow(made(), **{missing: None})
