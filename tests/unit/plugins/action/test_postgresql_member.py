# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import time

import pytest
from fake_action import FakeConnection, made

from ansible_collections.continuity.dr.plugins.action.postgresql_member import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils import armed, journal, run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Output, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member

ARGS = {"service": "shop", "member": {"host": "db1", "cluster": "15/main"}}
STOPPED = """@@sessions [{"user": "app"}]
@@changed
@@controldata
Database cluster state: shut down
Latest checkpoint location: 0/1000
Latest checkpoint's TimeLineID: 1
"""
SERVER = {"timeline": 2, "position": 9000, "system_id": "7", "recovery": False, "writable": True}
PROMOTED = f'@@protection "db2"\n@@changed\n{json.dumps(SERVER)}\n'
BRANCH = {"timeline": 2, "position": 9000, "system_id": "7", "history": "", "recovery": False}


def said(answer):
    if isinstance(answer, BaseException):
        raise answer
    return answer if isinstance(answer, Output) else Output(0, answer, "")


def bring(answer, check_mode=False, facts=None, **args):
    """Run the action; `answer` is what the member's shell leaves, or raises."""
    action = made(ActionModule, {**ARGS, **args}, check_mode=check_mode)
    action.scripts = []

    def execute(script, timeout=10.0, connect=3.0):
        action.scripts.append(script)
        return said(answer)

    action.execute = execute
    result = action.run(task_vars={"ansible_facts": facts or {}, "inventory_hostname": "shop"})
    return result, action.scripts


def test_a_stop_leaves_the_proof_and_the_time_of_the_freeze_for_the_next_steps():
    before = time.time()
    result, _scripts = bring(STOPPED, state="stopped", facts={"continuity_fenced": {"db9": 1.0}})
    assert (result["changed"], result["position"], result["timeline"]) == (True, 4096, 1)
    facts = result["ansible_facts"]
    assert facts["continuity_demoted"]["position"] == 4096
    assert facts["continuity_fenced"]["db9"] == 1.0 and before <= facts["continuity_fenced"]["db1"] <= time.time()


def test_a_promotion_leaves_where_the_new_timeline_began():
    result, (script,) = bring(PROMOTED, state="primary", proof_position=4096)
    assert result["ansible_facts"]["continuity_promoted"]["timeline"] == 2 and result["recorded"] is True
    assert "proof bigint := 4096;" in script


def test_settled_leaves_its_branch_and_no_fact():
    result, (script,) = bring(json.dumps(BRANCH), state="settled", synchronous=["db2"])
    assert result["branch"] == BRANCH and "ansible_facts" not in result
    assert """synchronous_standby_names = '"db2"'""" in script


def test_a_refusal_of_the_member_fails_as_refused_with_its_rule():
    result, _scripts = bring(Output(43, "@@refused stale_epoch 9\n", ""), state="stopped", run_id="run-a", epoch=8)
    assert (result["failed"], result["changed"], result["refused"]) == (True, False, True)
    (refusal,) = result["refusals"]
    assert (refusal["rule"], refusal["measured"], refusal["limit"]) == ("stale_epoch", "9", "the lease of run run-a")
    assert "run assess" in refusal["hint"]


@pytest.mark.parametrize(
    ("answer", "reason", "fact"),
    [
        (
            Output(1, "@@failed checkpoint\n", "psql: error: gone\n"),
            "checkpoint_failed",
            ("output", "@@failed checkpoint\n"),
        ),
        (STOPPED.replace("shut down", "in production"), "unclean_stop", ("control_state", "in production")),
        (Unreachable("db1 gave no answer within 3 s"), "unreachable", ("reachable", False)),
    ],
    ids=["a step fails", "not stopped cleanly", "not reached"],
)
def test_a_failure_has_its_reason_and_what_is_known(answer, reason, fact):
    result, _scripts = bring(answer, state="stopped")
    assert (result["failed"], result["changed"], result["reason"]) == (True, False, reason)
    assert result[fact[0]] == fact[1] and "ansible_facts" not in result


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"state": "stopped", "member": {"host": "db1"}}, "give <version>/<name>"),
        ({"state": "stopped", "member": {"cluster": "15/main"}}, "host: give the name"),
        ({"state": "stopped", "upstream": {"port": 5432}}, "host: give the name"),
        ({"state": "stopped", "upstream": {"host": "db2 sslmode=disable"}}, "letters, digits"),
        ({"state": "replica"}, "needs upstream and history"),
        ({"state": "replica", "upstream": {"host": "db2"}, "history": {"timeline": 1}}, "history has no system_id"),
        ({"state": "settled", "synchronous": ["a\nCONTINUITY_SQL\nid\n"]}, "CONTINUITY_SQL"),
        ({"state": "stopped", "service": "../x"}, "service '../x'"),
        ({"state": "stopped", "run_id": ""}, "run id ''"),
    ],
)
def test_bad_input_is_told_and_nothing_is_sent(args, text):
    result, scripts = bring("", **args)
    assert (result["failed"], result["reason"]) == (True, "bad_input") and text in result["msg"]
    assert scripts == []


def test_the_lease_is_checked_in_the_script_that_acts():
    _result, (guarded,) = bring(STOPPED, state="stopped", run_id="run-a", epoch=8)
    _result, (free,) = bring(STOPPED, state="stopped")
    assert "run=run-a\nepoch=8\n" in guarded and "run=run-a" not in free
    assert guarded.index("refuse lease_lost") < guarded.index("systemctl mask") and "refuse lease_lost" not in free


@pytest.mark.parametrize(
    ("state", "step"), [("stopped", "demote"), ("primary", "promote"), ("settled", "protect"), ("replica", "rejoin")]
)
def test_the_journal_knows_a_change_by_what_it_means_for_the_service(state, step, tmp_path):
    run.forget()
    begun = run.begin(verb="switchover", inputs={}, plan={}, services={"shop": {}}, runs_directory=str(tmp_path))
    try:
        bring(Unreachable("gone"), state=state, upstream={"host": "db2"}, history=BRANCH, proof_position=1)
    finally:
        run.forget()
    written = journal.read(journal.path_of(begun.directory, "shop"))
    assert [(e["step"], e["state"]) for e in written] == [(step, "started"), (step, "failed")]
    assert written[0]["data"]["member"] == "db1"


@pytest.fixture
def begun(tmp_path):
    run.forget()
    yield run.begin(verb="switchover", inputs={}, plan={}, services={"shop": {}}, runs_directory=str(tmp_path))
    run.forget()


def over_ssh(monkeypatch):
    monkeypatch.setattr(FakeConnection, "transport", "ssh")


def test_a_stop_hands_its_proof_to_what_is_armed_and_the_promotion_returns_what_came_of_it(begun, monkeypatch):
    over_ssh(monkeypatch)
    result, (script,) = bring("@@armed\n" + PROMOTED, state="armed", run_id="run-a", epoch=8)
    assert (result["changed"], result["armed"]) == (False, True)
    assert result["ansible_facts"]["continuity_armed"]["armed"] and "refuse lease_lost" in script
    bring(STOPPED, state="stopped")
    result, scripts = bring("never asked", state="primary", proof_position=4096, proof_timeline=1)
    assert (result["changed"], result["armed"], result["timeline"], scripts) == (True, True, 2, [])
    assert result["promotion"]["proof_position"] == 4096 and result["promotion"]["proof_timeline"] == 1
    assert result["ansible_facts"]["continuity_promoted"]["timeline"] == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (STOPPED.replace("shut down", "in production"), "unclean_stop"),
        (Output(1, "@@failed stop\n", ""), "stop_failed"),
        (Unreachable("db1 gave no answer"), "unreachable"),
        (Output(43, "@@refused stale_epoch 9\n", ""), None),
    ],
)
def test_a_stop_without_proof_disarms_and_says_so(begun, monkeypatch, answer, reason):
    over_ssh(monkeypatch)
    bring("@@armed\n" + PROMOTED, state="armed")
    result, _scripts = bring(answer, state="stopped", run_id="run-a", epoch=8)
    assert result["failed"] and result["disarmed"] is True and result.get("reason") == reason
    assert armed.announce(armed.Place.of(begun.directory, "shop"), "frozen", {}) == []
    result, scripts = bring(PROMOTED, state="primary", proof_position=4096)
    assert result["changed"] and "armed" not in result and len(scripts) == 1, "the plain step does it"


def test_a_stop_that_failed_after_its_proof_was_handed_on_does_not_claim_to_have_disarmed(begun, monkeypatch):
    over_ssh(monkeypatch)
    bring("@@armed\n" + PROMOTED, state="armed")
    bring(STOPPED, state="stopped")
    result, _scripts = bring(Unreachable("gone"), state="stopped")
    assert result["disarmed"] is False


def test_a_failure_of_the_armed_promotion_is_the_failure_of_the_step(begun, monkeypatch):
    over_ssh(monkeypatch)
    for answer, reason in ((Output(1, "@@armed\nERROR: continuity not_received: x\n", ""), "not_received"),):
        arming = made(ActionModule, {**ARGS, "state": "armed"})
        said = iter([Output(0, "@@armed\n", ""), answer])
        arming.execute = lambda script, timeout=10.0, said=said: next(said)
        assert arming.run(task_vars={"inventory_hostname": "shop"})["armed"]
        bring(STOPPED, state="stopped")
        result, scripts = bring(PROMOTED, state="primary", proof_position=4096)
        assert (result["failed"], result["reason"], scripts) == (True, reason, [])
        assert "ansible_facts" not in result


NOT_PROMOTED = [
    Output(43, "@@refused stale_epoch 9\n", ""),
    Output(1, "@@armed\nERROR: continuity not_received: x\n", ""),
    Unreachable("db2 gave no answer"),
]


@pytest.mark.parametrize("fires", [True, False], ids=["armed", "plain"])
@pytest.mark.parametrize("answer", NOT_PROMOTED, ids=["refused", "failed", "lost"])
def test_whoever_waits_for_a_promotion_waits_on_after_one_that_promoted_nobody(begun, monkeypatch, answer, fires):
    """A record would be moved to a replica, which takes no writes."""
    over_ssh(monkeypatch)
    place = armed.Place.of(begun.directory, "shop")
    armed.start(place, "promoted", "point", lambda: lambda message: message, 20.0)
    if fires:
        arming = made(ActionModule, {**ARGS, "state": "armed"})
        answers = iter(["@@armed\n", answer])
        arming.execute = lambda script, timeout=10.0: said(next(answers))
        assert arming.run(task_vars={"inventory_hostname": "shop"})["armed"]
        bring(STOPPED, state="stopped")
    result, scripts = bring(answer, state="primary", proof_position=4096)
    assert result["failed"] and len(scripts) == (0 if fires else 1)
    assert armed.collect(place, "point", 10.0) is None, "nobody announced a promotion"


def test_without_proof_a_stopped_primary_is_started_again_and_what_is_armed_is_left_alone(begun, monkeypatch):
    """So a run undoes its stop: a promotion here would begin a new timeline."""
    over_ssh(monkeypatch)
    bring("@@armed\n" + PROMOTED, state="armed")
    stopped = Observation("db1", "", reachable=True, running=False, engine={"stopped_cleanly": True})
    serves = Observation("db1", "", reachable=True, running=True, role="primary", timeline=1)
    seen = iter([stopped, serves])
    monkeypatch.setattr(Member, "observed", lambda _member: next(seen))
    result, scripts = bring("", state="primary", timeout=5)
    assert (result["changed"], result["restarted"], result["timeline"]) == (True, True, 1)
    assert scripts == [act.start_again("shop", None, Cluster.from_member(ARGS["member"]), 5.0)]
    assert armed.announce(armed.Place.of(begun.directory, "shop"), "frozen", {}) == ["promote-db1"], "it waits on"


def test_it_waits_a_minute_in_a_process_that_has_left_the_task(begun, monkeypatch):
    over_ssh(monkeypatch)
    started, detached = [], []
    monkeypatch.setattr(armed, "start", lambda *args: started.append(args))
    monkeypatch.setattr(ActionModule, "detach", lambda _action: detached.append(True))
    result, (script,) = bring("@@armed\n", state="armed")
    ((_place, topic, name, prepare, seconds),) = started
    assert (topic, name, seconds, result["seconds"], detached) == ("frozen", "promote-db1", 60, 60, [])
    assert script == act.arm("shop", None, Cluster.from_member(ARGS["member"]), 60)
    prepare()
    assert detached == [True]


def test_what_cannot_be_armed_is_said_and_does_not_fail(begun, monkeypatch):
    result, scripts = bring("", state="armed")
    assert (result["armed"], scripts) == (False, []) and "ssh" in result["why"] and not result.get("failed")
    over_ssh(monkeypatch)
    assert bring("", check_mode=True, state="armed")[0]["armed"] is False
    result, _scripts = bring(Output(1, "@@failed arm\n", "mkfifo: no space left\n"), state="armed")
    assert result["armed"] is False and "no space left" in result["why"] and not result.get("failed")
    result, _scripts = bring(Unreachable("db2 gave no answer"), state="armed")
    assert result["failed"], "who cannot be reached is not promoted: before the freeze is the time to know"
    run.forget()
    assert bring("", state="armed")[0]["armed"] is False
