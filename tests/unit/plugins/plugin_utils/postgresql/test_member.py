# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bringing a member into a role, with a runner of the test's own: what it answers, what is made of it."""

from __future__ import annotations

import json

import pytest
from fake_member import Output

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused

ARGS = {"timeout": 30.0, "clone": True, "upstream": {"host": "db2", "address": "203.0.113.11"}}
BRANCH = {"system_id": "7301", "timeline": 2, "position": 9000, "history": "1\t0/1388\tno recovery target"}
CONTROL = {
    "Database system identifier": "7301",
    "Database cluster state": "shut down",
    "Latest checkpoint location": "0/1000",
    "Latest checkpoint's TimeLineID": "1",
}
SERVER = {"timeline": 2, "position": 9000, "system_id": "7301", "recovery": False, "writable": True}


def control(**changes):
    return "".join(f"{key}: {value}\n" for key, value in (CONTROL | changes).items())


def stopped(head="", **changes):
    return f"{head}@@changed\n@@controldata\n{control(**changes)}"


def bring(member, state, **args):
    result = member.bring_to({**ARGS, "state": state, **args})
    assert member.left == [], "not every answer was asked for"
    return result


def test_a_stop_returns_the_position_of_the_shutdown_checkpoint(made):
    result = bring(made(stopped('@@sessions [{"user": "app"}]\n')), "stopped")
    assert result == {
        "changed": True,
        "state": "stopped",
        "position": 0x1000,
        "position_text": "0/1000",
        "timeline": 1,
        "sessions": [{"user": "app"}],
    }


@pytest.mark.parametrize("state", ["in production", "shutting down", "shut down in recovery"])
def test_an_unclean_stop_is_an_error_that_promotes_nobody(made, state):
    with pytest.raises(MemberError, match="did not stop cleanly.*nothing was promoted") as error:
        bring(made(stopped(**{"Database cluster state": state})), "stopped")
    assert (error.value.reason, error.value.result["control_state"]) == ("unclean_stop", state)


def test_no_client_can_put_words_into_the_proof(made):
    name = json.dumps([{"application": "x: y"}])
    head = f"Database cluster state: shut down\nLatest checkpoint location: F/0\n@@sessions {name}\n"
    with pytest.raises(MemberError, match="in production"):
        bring(made(stopped(head, **{"Database cluster state": "in production"})), "stopped")
    assert bring(made(stopped(head)), "stopped")["position"] == 0x1000


@pytest.mark.parametrize("sessions", ["@@sessions \n", "@@sessions [{torn\n", ""])
def test_a_list_of_sessions_that_cannot_be_read_holds_up_nothing(made, sessions):
    assert bring(made(stopped(sessions)), "stopped")["sessions"] == []


def test_an_answer_cut_off_is_told_as_that(made):
    for answer in ("@@controldata\nDatabase cluster state: shut down\n",):
        with pytest.raises(MemberError) as error:
            bring(made(answer), "stopped")
        assert error.value.reason == "unknown"
    for answer in ("", "@@changed\n", "@@changed\n" + json.dumps(SERVER)[:20]):
        with pytest.raises(MemberError, match="cut off; run the verb again") as error:
            bring(made(answer), "primary", proof_position=1)
        assert error.value.reason == "unknown"


MINE = Lease("shop", "run-a", 8)


@pytest.mark.parametrize("state", ["stopped", "primary", "settled"])
def test_a_refusal_of_the_member_is_a_refusal_here_with_its_rule_and_what_to_do(made, state):
    with pytest.raises(MemberRefused) as refused:
        bring(made(Output(43, "@@refused stale_epoch 9\n", ""), lease=MINE), state, proof_position=1)
    refusal = refused.value.refusal
    assert (refusal.rule, refusal.measured, refusal.limit) == ("stale_epoch", "9", "the lease of run run-a")
    assert "run assess" in refusal.hint and "db1 refused" in refusal.message


@pytest.mark.parametrize(
    ("stdout", "stderr", "reason", "text"),
    [
        ("@@failed stop\n", "", "stop_failed", "no message"),
        ("@@failed checkpoint\n", "psql: error: too late\n", "checkpoint_failed", "too late"),
        ("ERROR:  continuity not_received: 1\n@@failed promote\n", "", "not_received", "continuity not_received: 1"),
        ("", "sh: 1: Syntax error\n", "failed", "Syntax error"),
    ],
)
def test_a_failure_on_the_member_has_its_reason_and_its_own_words(made, stdout, stderr, reason, text):
    with pytest.raises(MemberError) as error:
        bring(made(Output(1, stdout, stderr)), "primary", proof_position=4096)
    assert error.value.reason == reason
    assert str(error.value).startswith("db1: ") and text in str(error.value)


def test_a_promotion_tells_where_the_new_timeline_began_and_what_protection_it_lifted(made):
    member = made(f'@@protection "db2"\n@@changed\n{json.dumps(SERVER)}\n', lease=MINE)
    result = bring(member, "primary", proof_position=4096)
    assert (result["changed"], result["timeline"], result["position_text"], result["recorded"]) == (
        True,
        2,
        "0/2328",
        True,
    )
    assert result["protection"] == {"lifted": True, "was": '"db2"'}
    record = result["promotion"]
    assert (record["member"], record["run_id"], record["epoch"], record["proof_position"]) == ("db1", "run-a", 8, 4096)
    assert "proof bigint := 4096;" in member.scripts[0]


def test_a_promotion_whose_record_could_not_be_written_says_so(made):
    result = bring(made(f"@@protection \n@@changed\n{json.dumps(SERVER)}\n@@unrecorded\n"), "primary", proof_position=1)
    assert result["recorded"] is False and result["changed"] is True
    assert result["protection"] == {"lifted": False, "was": ""}


def test_a_promoted_member_that_takes_no_writes_is_an_error_that_says_it_was_promoted(made):
    with pytest.raises(MemberError) as error:
        bring(made("@@changed\n" + json.dumps({**SERVER, "writable": False})), "primary", proof_position=1)
    assert (error.value.reason, error.value.result) == ("not_writable", {"promoted": True})


def test_without_a_proof_the_member_is_looked_at_first(made, server, seen):
    already = bring(made(seen(server("primary"))), "primary")
    assert (already["changed"], already["state"], already["position"]) == (False, "primary", 4096)
    promoted = made(seen(server("replica")), f"@@changed\n{json.dumps(SERVER)}")
    assert bring(promoted, "primary")["changed"] is True and "proof bigint := null;" in promoted.scripts[1]


def test_a_frozen_primary_starts_again_and_is_read_back(made, server, seen):
    assert bring(made(seen(), "@@changed\n", seen(server("primary"))), "primary")["restarted"] is True
    with pytest.raises(MemberError, match="was started and is replica, not primary"):
        bring(made(seen(), "", seen(server("replica"))), "primary")


@pytest.mark.parametrize("state", ["in production", "shut down in recovery", "in archive recovery"])
def test_what_was_no_frozen_primary_is_not_started_as_one(made, state, seen):
    with pytest.raises(MemberRefused) as refused:
        bring(made(seen(state=state)), "primary")
    assert (refused.value.refusal.rule, refused.value.refusal.measured) == ("not_a_frozen_primary", state)


def test_a_member_of_which_nothing_was_heard_is_not_started_as_primary(made):
    with pytest.raises(MemberRefused) as refused:
        bring(made("garbage"), "primary")
    assert refused.value.refusal.rule == "not_a_frozen_primary"


def test_settled_returns_the_branch_that_others_rejoin_by(made):
    result = bring(made("@@changed\n" + json.dumps(BRANCH)), "settled", synchronous=["db2"])
    assert (result["changed"], result["branch"], result["protection"]) == (True, BRANCH, {"synchronous": ["db2"]})


def test_check_mode_sends_nothing_but_questions(made, server, seen):
    for state, answer, changed in (
        ("stopped", server("primary"), True),
        ("primary", server("replica"), True),
        ("primary", server("primary"), False),
    ):
        member = made(seen(answer), check_mode=True)
        assert bring(member, state, proof_position=1)["changed"] is changed
        assert all("pg_is_in_recovery()" in script and "pg_ctl stop" not in script for script in member.scripts)
    assert bring(made(seen(), check_mode=True), "stopped")["changed"] is False
    assert bring(made(check_mode=True), "settled")["changed"] is False


@pytest.mark.parametrize("masked", [True, False])
def test_a_stop_that_hangs_is_undone_only_where_the_unit_is_masked(made, server, seen, masked):
    """Unmasked it was not this stop: somebody else's server neither answers nor has ended."""
    hangs = Observation("db1", "dc1", reachable=True, running=None, engine={"masked": masked})
    member = made("@@changed\n", seen(server("primary"))) if masked else made()
    if masked:
        assert member._start_again(hangs, ARGS)["restarted"] is True
        assert member.left == []
        return
    with pytest.raises(MemberRefused) as refused:
        member._start_again(hangs, ARGS)
    assert (refused.value.refusal.rule, member.scripts) == ("not_a_frozen_primary", [])
