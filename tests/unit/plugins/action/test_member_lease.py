# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time

import pytest
from fake_action import FakeConnection, made, over
from fake_member import FakeMember

from ansible_collections.continuity.dr.plugins.action.member_lease import ActionModule, quiet_seconds
from ansible_collections.continuity.dr.plugins.plugin_utils import lease, run

MINE = {"service": "payments-db", "run_id": "run-a", "epoch": 8, "owner": "ann@ops"}
OTHERS = {**MINE, "run_id": "run-b", "owner": "bob@ops"}


@pytest.fixture
def hold(tmp_path, monkeypatch):
    """`hold(args)` runs the action against a member of stand-ins."""
    member = FakeMember(tmp_path)
    monkeypatch.setattr(lease, "STATE_DIRECTORY", str(member.state))

    def run(args, **task):
        return made(ActionModule, args, FakeConnection(over(member.environment)), **task).run(task_vars={})

    run.member = member
    return run


def test_a_lease_is_held_renewed_and_given_back(hold):
    assert {key: hold(MINE)[key] for key in ("changed", "held")} == {"changed": True, "held": True}
    assert hold(MINE)["changed"] is False
    assert {key: hold({**MINE, "state": "released"})[key] for key in ("changed", "held")} == {
        "changed": True,
        "held": False,
    }
    assert hold({**MINE, "state": "released"})["changed"] is False
    assert hold(OTHERS)["held"] is True


def test_another_run_is_refused_with_who_holds_it_and_what_to_do(hold):
    hold(MINE)
    result = hold(OTHERS)
    assert (result["failed"], result["changed"], result["refused"]) == (True, False, True)
    (refusal,) = result["refusals"]
    assert refusal["rule"] == "lease_held" and refusal["measured"].startswith("run-a by ann@ops, ")
    assert refusal["limit"] == "free, or held by run run-b" and "continuity_run_id" in result["msg"]


def test_an_older_epoch_is_refused(hold):
    hold(MINE)
    hold({**MINE, "state": "released"})
    assert [r["rule"] for r in hold({**OTHERS, "epoch": 7})["refusals"]] == ["stale_epoch"]


def test_check_mode_contacts_nobody(hold):
    result = made(ActionModule, MINE, FakeConnection(), check_mode=True).run(task_vars={})
    assert (result["changed"], result["held"]) == (False, False)


def test_a_state_directory_that_cannot_be_written_is_told_with_what_must_be(hold):
    (hold.member.state / "payments-db").mkdir()
    (hold.member.state / "payments-db" / "lease.new").mkdir()
    result = hold(MINE)
    assert (result["failed"], result["reason"]) == (True, "lease_failed")
    assert (
        "db1: the lease could not be written: " in result["msg"]
        and "must exist and belong to the login" in result["msg"]
    )
    assert "@@" not in result["msg"]  # the script's own marks are no words for people


@pytest.mark.parametrize(("said", "told"), [(b"", "no answer"), (b"@@changed\n", "no answer")])
def test_a_lease_is_released_only_where_the_member_says_so(said, told):
    """An exit code of 0 is also that of a shell that ran nothing."""
    silent = FakeConnection(lambda *_: (0, said, b""))
    result = made(ActionModule, {**MINE, "state": "released"}, silent).run(task_vars={})
    assert (result["failed"], result["reason"]) == (True, "lease_failed") and told in result["msg"]
    assert "did not say that the lease is released" in result["msg"]


@pytest.mark.parametrize("wrong", [{"run_id": ""}, {"run_id": "a b"}, {"service": "../x"}])
def test_a_name_that_is_none_is_bad_input_and_contacts_nobody(wrong):
    result = made(ActionModule, {**MINE, **wrong}, FakeConnection()).run(task_vars={})
    assert (result["failed"], result["reason"]) == (True, "bad_input")


@pytest.mark.parametrize(("ends_in", "seconds"), [(50.5, 50), (1000.0, 120)])
def test_a_lease_ends_with_its_claim_at_the_latest(hold, ends_in, seconds):
    result = hold({**MINE, "not_after": time.time() + ends_in})
    assert result["held"] is True
    left = lease.refusal(hold.member.run(lease.acquire_script(lease.Lease("payments-db", "run-b", 9), 1)).stdout)[1]
    assert seconds - 2 <= int(left.rsplit(" s left", 1)[0].rsplit(", ", 1)[1]) <= seconds


def test_a_run_that_slept_past_its_claim_takes_no_lease(hold):
    result = hold({**MINE, "not_after": time.time() - 5})
    assert [refusal["rule"] for refusal in result["refusals"]] == ["lease_expired"]
    assert "slept between its claim and the lease on db1" in result["msg"]
    assert not (hold.member.state / "payments-db").exists()


def test_a_break_names_the_run_and_says_whose_lease_it_took(hold):
    hold(MINE)
    newer = {**OTHERS, "epoch": 9}
    assert [r["rule"] for r in hold({**newer, "break_run": "run-c"})["refusals"]] == ["lease_held"]
    refusal = hold({**newer, "break_run": "run-a"})["refusals"][0]
    assert refusal["rule"] == "holder_alive" and refusal["measured"].startswith("run-a did a step ")
    acted = hold.member.state / "payments-db" / "acted"
    acted.write_text("run-a 1\n")
    assert hold({**newer, "break_run": "run-a"})["broken"] == "run-a"
    assert hold(newer)["broken"] is None
    assert [r["rule"] for r in hold(MINE)["refusals"]] == ["stale_epoch"]


def test_a_run_is_quiet_only_since_before_this_one_began(monkeypatch):
    """Or the other one could change what this one has observed already."""
    assert quiet_seconds() == 30

    class Long:
        started_monotonic_ns = time.monotonic_ns() - 400 * 10**9

    monkeypatch.setattr(run, "current", lambda: Long)
    assert 401 <= quiet_seconds() <= 403


def test_a_member_that_is_given_back_keeps_the_promotion_record(hold):
    hold(MINE)
    hold({**MINE, "state": "released", "promotion": {"member": "db2", "epoch": 8, "run_id": "run-a", "time": 5.5}})
    kept = (hold.member.state / "payments-db" / "promotion").read_text()
    assert '"record": {"epoch": 8, "member": "db2", "run_id": "run-a", "time": 5.5}' in kept
