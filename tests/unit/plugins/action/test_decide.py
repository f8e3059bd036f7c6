# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import pytest
from fake_action import made

from ansible_collections.continuity.dr.plugins.action.decide import ActionModule, text
from ansible_collections.continuity.dr.plugins.plugin_utils import journal, run
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Decision, Observation, Refusal, Step

NAME = "shop.example."
SERVICE = {
    "objectives": {"rpo_seconds": 300.0},
    "depends_on": [],
    "fence": {"role": "f"},
    "endpoints": [{"name": NAME}],
    "members": [
        {"host": "db1", "site": "dc1", "address": "198.51.100.11", "port": 5433},
        {"host": "db2", "site": "dc2", "address": "203.0.113.11"},
    ],
}
PLAN = {"environment": "drill", "sites": {"dc1": {"use": "preferred"}, "dc2": {"use": "recovery"}}}
HERE = {"reachable": True, "running": True, "position": 9, "timeline": 1, "system_id": "7", "epoch": 0}
PRIMARY = Observation(
    "db1",
    "dc1",
    address="198.51.100.11",
    role="primary",
    writable=True,
    followers={"db2": "async"},
    engine={"units": ["db.service"], "ports": [5433], "settings": {}},
    **HERE,
)
REPLICA = Observation(
    "db2",
    "dc2",
    address="203.0.113.11",
    role="replica",
    writable=False,
    receiving=True,
    lag_seconds=0.0,
    upstream="db1:5433",
    **HERE,
)


@pytest.fixture
def begin(tmp_path):
    """`begin("switchover")` begins a run of that verb with the service `shop`, db1 primary and db2 following it."""

    def start(verb="switchover", **inputs):
        run.forget()
        known = {"target_site": None, "source_site": None, "waive": (), "reason": None, **inputs}
        return run.begin(
            verb=verb, inputs=known, plan=PLAN, services={"shop": SERVICE}, runs_directory=str(tmp_path / "runs")
        )

    yield start
    run.forget()


def task_vars(*observed, stage=None, begun=False, endpoint=("198.51.100.11",), **facts):
    def said(member):
        return {"ansible_facts": {"continuity_observed": {"shop": json.loads(json.dumps(dataclasses.asdict(member)))}}}

    hostvars = {"shop": {}, "db1": {}, "db2": {}} | {
        member.member: said(member) for member in observed or (PRIMARY, REPLICA)
    }
    answer = {"reachable": True, "value": list(endpoint), "claim": None}
    return {
        "hostvars": hostvars,
        "continuity_stage": stage,
        "inventory_hostname": "shop",
        "ansible_facts": {"continuity_endpoint_observed": {NAME: answer}, **facts},
    } | ({"continuity_drill_begun": True} if begun else {})


def decide(verb="switchover", variables=None, **task):
    action = made(ActionModule, {"service": "shop", "verb": verb}, delegate_to=None, **task)
    return action.run(task_vars=variables or task_vars()), action._display.text


def test_outside_a_run_it_says_whose_step_it_is():
    run.forget()
    result, _shown = decide()
    assert (result["failed"], result["reason"]) == (True, "no_run")
    assert "shop is not in this run" in result["msg"] and "ansible-playbook continuity.dr.<verb>" in result["msg"]


def test_a_service_that_is_not_in_this_run_is_told_the_same(begin):
    begin()
    result = made(ActionModule, {"service": "other", "verb": "assess"}).run(task_vars=task_vars())
    assert result["reason"] == "no_run"


def test_a_decision_is_returned_shown_journaled_and_a_fact(begin):
    begun = begin(target_site="dc2")
    result, shown = decide()
    assert (result["changed"], result["decision"]["to_member"]) == (False, "db2")
    assert result["ansible_facts"]["continuity_decision"] == result["decision"]
    assert shown.startswith(
        "shop: switchover db1 -> db2: claim, lease db1, lease db2, demote db1, promote\n  db2, point, rejoin db1, ver"
    )
    assert result["decision"]["ports"] == {"198.51.100.11": 5433, "203.0.113.11": 5432}
    assert result["decision"]["observed"]["db1"]["units"] == ["db.service"]
    _started, done = journal.read(journal.path_of(begun.directory, "shop"))
    assert (done["step"], done["state"], done["data"]["to_member"]) == ("decide", "done", "db2")
    assert (Path(begun.directory) / "run.json").exists()


def test_a_refusal_does_not_fail_the_task_and_is_shown_with_its_values(begin):
    begin(target_site="dc2")
    late = dataclasses.replace(REPLICA, receiving=False)
    result, shown = decide(variables=task_vars(PRIMARY, late))
    assert "failed" not in result and result["decision"]["refused"] is True
    assert shown.startswith("shop: refused, nothing was changed: not_streaming")
    assert "measured" not in shown, "the summary tells it, once"


def test_the_sight_of_the_primary_is_kept_but_not_in_check_mode(begin):
    kept = Path(begin(target_site="dc2").directory).parent / "last_seen" / "shop.json"
    checked, _shown = decide(check_mode=True)
    assert not kept.exists()
    real, _shown = decide()
    assert json.loads(kept.read_text())["member"] == "db1"
    assert checked["decision"]["steps"] == real["decision"]["steps"]


def test_check_mode_does_not_decide_what_rests_on_a_stage_that_was_not_carried_out(begin):
    begin(target_site="dc2")
    first, _shown = decide(check_mode=True)
    assert first["ansible_facts"]["continuity_pending"] is True
    later, shown = decide("rejoin", task_vars(continuity_pending=True), check_mode=True)
    assert later["decision"]["steps"] == [] and "when the stage before it has been carried out" in shown
    assert decide("switchover", task_vars(continuity_pending=True))[0]["decision"]["steps"], "in earnest it is decided"


BASELINE = {"from_site": "dc1", "to_site": "dc2", "refused": False}


def test_a_drill_keeps_where_its_baseline_looked(begin):
    begin("drill")
    result, _shown = decide("assess", task_vars(stage="baseline"))
    assert result["ansible_facts"]["continuity_baseline"] == BASELINE
    assert result["ansible_facts"]["continuity_fault"] == {}, (
        "what a fact cache kept of another drill is no fault of this one"
    )


def test_a_drill_moves_where_its_baseline_looked_and_back_to_where_the_service_came_from(begin):
    begin("drill")
    forth, _shown = decide("switchover", task_vars(stage="failover", begun=True, continuity_baseline=BASELINE))
    assert (forth["decision"]["from_site"], forth["decision"]["to_site"]) == ("dc1", "dc2")
    there = dataclasses.replace(PRIMARY, member="db2", site="dc2", address="203.0.113.11", followers={"db1": "async"})
    following = dataclasses.replace(REPLICA, member="db1", site="dc1", address="198.51.100.11")
    where = {"endpoint": ("203.0.113.11",), "continuity_baseline": BASELINE}
    moved = task_vars(there, following, stage="failback", begun=True, **where)
    back, _shown = decide("switchover", moved)
    assert (back["decision"]["from_site"], back["decision"]["to_site"]) == ("dc2", "dc1")


def test_a_failback_that_was_cut_off_after_the_freeze_is_finished_by_its_move(begin):
    """Its first stage finds no primary to follow: refused for that, the run would fail although the service arrives."""
    begin("failback")
    stopped = {"role": "none", "running": False, "writable": False, "followers": {}}
    frozen = dataclasses.replace(
        PRIMARY, member="db2", site="dc2", address="203.0.113.11", engine={"stopped_cleanly": True}, **stopped
    )
    following = dataclasses.replace(REPLICA, member="db1", site="dc1", address="198.51.100.11", receiving=False)
    seen, there = (frozen, following), {"endpoint": ("203.0.113.11",)}
    rejoin, shown = decide("rejoin", task_vars(*seen, stage="rejoin", **there))
    assert (rejoin["decision"]["refusals"], rejoin["decision"]["steps"]) == ([], [])
    assert "is left to the move: no primary runs" in shown
    move, _shown = decide("failback", task_vars(*seen, stage="failback", **there))
    assert {"name": "promote", "member": "db1"} in move["decision"]["steps"], move["decision"]["refusals"]
    # Where nothing was frozen the move says that there is no primary, and a rejoin alone does as well
    crashed = dataclasses.replace(frozen, engine={})
    move, _shown = decide("failback", task_vars(crashed, following, stage="failback", **there))
    assert [refusal["rule"] for refusal in move["decision"]["refusals"]] == ["no_primary"]
    begin("rejoin")
    alone, _shown = decide("rejoin", task_vars(*seen, stage="rejoin", **there))
    assert "no_primary" in [refusal["rule"] for refusal in alone["decision"]["refusals"]]


def test_a_failback_that_was_cut_off_before_its_clients_were_sent_home_is_finished_by_its_move(begin):
    begin("failback")
    stopped = {"role": "none", "running": False, "writable": False, "followers": {}, "timeline": 1}
    old = dataclasses.replace(PRIMARY, member="db2", site="dc2", address="203.0.113.11", **stopped)
    home = dataclasses.replace(PRIMARY, followers={}, timeline=2)
    there = {"endpoint": ("203.0.113.11",)}
    rejoin, shown = decide("rejoin", task_vars(home, old, stage="rejoin", **there))
    assert (rejoin["decision"]["refusals"], rejoin["decision"]["steps"]) == ([], [])
    assert "clients are not sent to db1 yet" in shown
    move, _shown = decide("failback", task_vars(home, old, stage="failback", **there))
    names = [step["name"] for step in move["decision"]["steps"]]
    assert {"point", "rejoin"} <= set(names) and "promote" not in names, move["decision"]["refusals"]
    # Clients that are sent there already need nothing of a move: the rejoin is this stage's own
    rejoin, _shown = decide("rejoin", task_vars(home, old, stage="rejoin"))
    assert "rejoin" in [step["name"] for step in rejoin["decision"]["steps"]]


def test_what_starts_at_boot_beside_a_power_fence_is_shown_by_assess_in_a_line_of_its_own(begin):
    begin("assess")
    variables = task_vars(dataclasses.replace(PRIMARY, starts_at_boot=True), REPLICA)
    said = Evidence("db1", "fence_agent", "on", None, True, 3, "db1 is on", time.time() + 60)
    facts = {**variables["ansible_facts"], "continuity_fence_evidence": {said.key: said.to_dict()}}
    variables["hostvars"]["shop"] = {"ansible_facts": facts}
    result, shown = decide("assess", variables)
    (line,) = result["decision"]["notices"]
    first, second = " ".join(shown.split()).split("shop: ")[1:]
    assert first.startswith("could be moved now, db1 -> db2") and "boots" not in first
    assert second.startswith(line) and line.startswith("db1: its unit starts when the machine boots")
    assert line in result["decision"]["evidence"], "from where the report has it"


@pytest.mark.parametrize(
    "facts",
    [
        {"begun": True},
        {"begun": True, "continuity_baseline": {**BASELINE, "refused": True}},
        {"continuity_baseline": BASELINE, "continuity_outcome": {"state": "refused"}},
        {"continuity_baseline": BASELINE, "continuity_fault": {"window_start": 1}},
        # a stage that was left out ended as done: that does not begin the drill after all
        {"continuity_baseline": BASELINE, "continuity_outcome": {"state": "done"}},
    ],
    ids=["no baseline", "refused baseline", "refused before the fault", "failed before the fault", "left out before"],
)
@pytest.mark.parametrize("stage", ["switchover", "failover", "rejoin", "failback"])
def test_a_drill_that_could_not_begin_does_not_turn_into_the_real_thing(begin, facts, stage):
    begin("drill", target_site="dc2")
    result, shown = decide("switchover", task_vars(stage=stage, **facts))
    assert result["decision"]["steps"] == [] and "the drill could not begin" in shown


@pytest.mark.parametrize("state", ["failed", "refused", "done"])
def test_a_drill_that_began_is_brought_to_its_end_however_its_stages_went(begin, state):
    begin("drill")
    there = dataclasses.replace(PRIMARY, member="db2", site="dc2", address="203.0.113.11", followers={"db1": "async"})
    following = dataclasses.replace(REPLICA, member="db1", site="dc1", address="198.51.100.11")
    facts = {"continuity_baseline": BASELINE, "continuity_outcome": {"state": state}}
    moved = task_vars(there, following, stage="failback", begun=True, endpoint=("203.0.113.11",), **facts)
    assert decide("failback", moved)[0]["decision"]["to_member"] == "db1"


@pytest.mark.parametrize("inputs", [{"source_site": "dc2"}, {"target_site": "dc1"}], ids=["it is elsewhere", "there"])
def test_a_drill_of_a_service_that_would_not_move_does_not_begin(begin, inputs):
    begin("drill", **inputs)
    result, shown = decide("assess", task_vars(stage="baseline"))
    assert [each["rule"] for each in result["decision"]["refusals"]] == ["nothing_to_exercise"]
    assert result["ansible_facts"]["continuity_baseline"]["refused"] is True and "nothing_to_exercise" in shown
    run.forget()
    begin("assess", **inputs)
    assert not decide("assess", task_vars(stage="assess"))[0]["decision"]["refused"], "to look is no exercise"


def test_a_drill_whose_failover_failed_after_the_fault_goes_on(begin):
    begin("drill")
    facts = {
        "continuity_baseline": BASELINE,
        "continuity_outcome": {"state": "failed"},
        "continuity_fault": {"injected": 1},
    }
    assert decide("switchover", task_vars(stage="failover", **facts))[0]["decision"]["steps"]


def test_the_words_for_a_person():
    refusal = Refusal("lag_over_rpo", "12 s", "5 s", "behind", "wait")
    twice = Decision("shop", "failover", refusals=(refusal, refusal, dataclasses.replace(refusal, rule="no_fence")))
    assert text(twice) == "refused, nothing was changed: lag_over_rpo, no_fence"
    assert text(Decision("shop", "rejoin")) == "nothing to do"
    assert text(Decision("shop", "rejoin", redundancy="not following: db2")) == "nothing to do; not following: db2"
    assert text(Decision("shop", "failover", steps=(Step("point"),), to_member="db2")) == "failover ? -> db2: point"
    assessed = Decision("shop", "assess", from_member="db1", to_member="db2", evidence=("x", "could lose 1 s"))
    assert text(assessed) == "could be moved now, db1 -> db2; could lose 1 s"


DEAD = dataclasses.replace(PRIMARY, running=False, role="none", writable=False, followers={})
ALONE = dataclasses.replace(REPLICA, receiving=False)


def promoted(seconds_ago):
    record = {"member": "db1", "epoch": 3, "time": time.time() - seconds_ago, "run_id": "run-old", "timeline": 1}
    return task_vars(DEAD, dataclasses.replace(ALONE, promotion=record), stage="failover"), record


def test_a_second_failover_is_held_off_and_its_acknowledgement_stands_in_the_decision(begin, monkeypatch):
    monkeypatch.setitem(SERVICE, "hold_off_seconds", 1800.0)
    monkeypatch.setitem(SERVICE, "fences", [{"name": "fence_systemd", "role": "f"}])
    known = {"target_site": "dc2", "accept_data_loss_seconds": 1e9, "reason": "db1 burnt"}
    begin("failover", **known)
    variables, record = promoted(252)
    result, _shown = decide("failover", variables)
    (refusal,) = result["decision"]["refusals"]
    assert refusal["rule"] == "hold_off"
    assert refusal["measured"] == "promoted 4m 12s ago by run run-old, epoch 3 (the record on db2)"
    assert refusal["limit"] == "30m"
    assert result["decision"]["promotion"] == record
    begin("failover", **known, waive=("hold_off",))
    result, _shown = decide("failover", variables)
    assert [waiver["rule"] for waiver in result["decision"]["waivers"]] == ["hold_off"]
    assert "promote" in [step["name"] for step in result["decision"]["steps"]]


def test_a_drill_right_after_another_is_not_held_off(begin, monkeypatch):
    monkeypatch.setitem(SERVICE, "hold_off_seconds", 1800.0)
    monkeypatch.setitem(SERVICE, "fences", [{"name": "fence_systemd", "role": "f"}])
    begin("drill", accept_data_loss_seconds=1e9, reason="drill")
    variables, _record = promoted(1)
    variables["ansible_facts"] |= {
        "continuity_baseline": {"from_site": "dc1", "to_site": "dc2", "refused": False},
        "continuity_fault": {"injected": 1.0},
    }
    result, shown = decide("failover", variables)
    assert "promote" in [step["name"] for step in result["decision"]["steps"]], shown
