# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The three steps as a task runs them, from its arguments to the real pgBackRest and back."""

from __future__ import annotations

import subprocess

import pytest
from fake_action import FakeConnection, made

from ansible_collections.continuity.dr.plugins.action.pgbackrest_backup import ActionModule as Backup
from ansible_collections.continuity.dr.plugins.action.pgbackrest_info import ActionModule as Info
from ansible_collections.continuity.dr.plugins.action.pgbackrest_restore import ActionModule as Restore


@pytest.fixture
def task(history):
    """`task(Restore, restore_to="latest")`: the result of a task that is delegated to the member."""

    def answer(command: str, script: bytes) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            input=script.replace(b"/STATE/", f"{history.state}/".encode()),
            env=history.environment,
            capture_output=True,
            cwd="/",
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def run(action, check_mode=False, backup=(), **args):
        own = {"port": history.port, "config_file": str(history.home / "postgresql.conf")}
        places = {
            "stanza": "shop",
            "repositories": [{"key": 1, "site": "dc1"}, {"key": 2, "site": "dc2"}],
            "config": str(history.config),
            "log_path": str(history.home / "log"),
            "restore_directory": str(history.home / "restored"),
            "verification": ["select count(*) = 200 from orders"],
        }
        given = {
            "service": "shop",
            "member": history.member("db1", **own),
            "backup": {**places, **dict(backup)},
            **args,
        }
        step = made(action, given, FakeConnection(answer), check_mode=check_mode)
        return step.run(task_vars={"ansible_facts": {}, "inventory_hostname": "shop"})

    return run


def test_what_is_there_is_a_fact(task):
    result = task(Info, backup={"incr_every": "1h", "verify_every": "7d", "rpo": "1h"})
    seen = result["ansible_facts"]["continuity_backups"]
    assert (result["changed"], seen["reachable"], seen["primary"]) == (False, True, True)
    for copy, site in zip(seen["repositories"], ("dc1", "dc2"), strict=True):
        assert (copy["site"], copy["usable"], copy["kind"], copy["archive_missing_segments"]) == (site, 1, "full", 0)
        assert 0 <= copy["age_seconds"] < 3600 and copy["size_bytes"] > 1_000_000 and copy["due"] is None
    assert {each["rule"] for each in seen["problems"]} <= {"restore_unproven", "schedule_stopped"}


def test_check_mode_tells_and_touches_nothing(task, history):
    before = len(history.commands)
    assert task(Backup, check_mode=True, kind="full")["made"] == [
        {"repository": 1, "kind": "full"},
        {"repository": 2, "kind": "full"},
    ]
    told = task(Restore, check_mode=True, restore_to="latest", repository=2)
    assert (told["changed"], told["repository"], told["timeline"]) == (True, 2, 1)
    assert not (history.home / "restored").exists()
    began = [argv for _user, argv in history.commands[before:] if argv[0].endswith("systemd-run")]
    assert began == []


def test_a_restore_that_no_copy_can_serve_is_refused_with_the_reason_of_each(task):
    result = task(Restore, restore_to="2020-01-01T00:00:00Z")
    assert (result["failed"], result["refused"], result["changed"]) == (True, True, False)
    assert [each["rule"] for each in result["refusals"]] == ["target_before_backup"] * 2
    assert "repository 2" in result["msg"] and "earliest target" in result["msg"]


def test_a_restore_is_a_fact_and_a_failed_one_has_its_reason(task, history):
    result = task(Restore, restore_to="latest", repository=1, canary={"database": "postgres", "table": "canary"})
    assert result["ansible_facts"]["continuity_restored"]["counts"]["postgres"]["public.canary"] == 4
    assert task(Restore, state="in_place", restore_to="latest", repository=1)["refusals"][0]["rule"] == "not_confirmed"
    assert task(Restore, state="absent")["changed"] is True
    wrong = task(Restore, repository=1, backup={"verification": ["select false"]})
    assert (wrong["reason"], wrong["changed"]) == ("not_proven", False) and "select false" in wrong["msg"]


@pytest.mark.parametrize(
    ("action", "args", "said"),
    [
        (Restore, {"restore_to": "2026-11-22 02:10:00"}, "has no time zone"),
        (Restore, {"backup": {"verification": ["\\! rm"]}}, "verification[0]"),
        (Restore, {"backup": {"verification": ["begin read write; delete from orders"]}}, "one statement"),
        (Backup, {"backup": {"full_every": "0s"}}, "full_every 0s: give more than 0s"),
        (Backup, {"backup": {"stanza": "a b"}}, "stanza 'a b'"),
        (Info, {"backup": {"repositories": [{"key": 0}]}}, "key 0"),
        (Restore, {"backup": {"restore_directory": "/var/../etc"}}, "aside '/var/../etc'"),
        (Restore, {"member": {"host": "db1", "cluster": "15/main", "data_directory": "/srv/a"}}, None),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_field(task, history, action, args, said):
    if said is None:  # a directory for restores that lies in the data directory
        args = {**args, "backup": {"restore_directory": "/srv/a/restored"}}
        said = "is or holds the data directory"
        backup = args.pop("backup")
        step = made(
            action, {"service": "shop", "backup": {"stanza": "s", "repositories": [{"key": 1}], **backup}, **args}
        )
        result = step.run(task_vars={"ansible_facts": {}, "inventory_hostname": "shop"})
    else:
        result = task(action, **args)
    assert (result["failed"], result["reason"]) == (True, "bad_input") and said in result["msg"]
