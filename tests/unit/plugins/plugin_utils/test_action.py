# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The door to Ansible: arguments, the three ways a step ends otherwise, the journal."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from fake_action import made

from ansible_collections.continuity.dr.plugins.plugin_utils import heartbeat, journal, progress, run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import (
    Output,
    Step,
    StepFailed,
    StepRefused,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease

LEASE = {"service": "payments-db", "run_id": "run-a", "epoch": 8}
LAG = Refusal("lag_over_rpo", "12 s", "5 s", "the standby is behind", "wait until it has caught up")
GONE = Refusal("other_cluster", "7", "8", "not copies of one database")


class Probe(Step):
    """Does what a test puts into `does`."""

    module = "member_lease"
    journal_step = "lease"
    does = staticmethod(lambda step, args: {"changed": True})

    def step(self, args, task_vars):
        return self.does(self, args)


def probe(does=None, args=None, connection=None, **task):
    one = made(Probe, LEASE if args is None else args, connection, **task)
    if does:
        one.does = does
    return one


def raising(error):
    def does(*_):
        raise error

    return does


@pytest.fixture
def begun(tmp_path):
    """A run with one service, below tmp_path."""
    run.forget()
    yield run.begin(
        verb="switchover",
        inputs={},
        plan={},
        services={"payments-db": {}},
        run_id="run-a",
        runs_directory=str(tmp_path),
    )
    run.forget()


def written(begun):
    return journal.read(journal.path_of(begun.directory, "payments-db"))


# Arguments


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({**LEASE, "sevice": "x"}, "sevice"),
        ({**LEASE, "epoch": "soon"}, "epoch"),
        ({**LEASE, "epoch": [1]}, "epoch"),
        ({**LEASE, "state": "taken"}, "must be one of: held, released"),
        ({key: LEASE[key] for key in ("service", "run_id")}, "missing required arguments: epoch"),
    ],
    ids=["unknown option", "wrong type", "another wrong type", "bad choice", "missing"],
)
def test_arguments_that_are_not_documented_are_refused_before_anything_is_done(args, text):
    with pytest.raises(AnsibleActionFail) as refused:
        probe(raising(AssertionError("the step ran")), args).run(task_vars={})
    assert str(refused.value).startswith("member_lease: ") and text in str(refused.value)


def test_arguments_arrive_in_their_type_and_with_their_defaults():
    seen = {}
    probe(lambda step, args: seen.update(args) or {}, {**LEASE, "epoch": "8"}).run(task_vars={})
    unset = {"break_run": "", "not_after": None, "promotion": None}
    assert seen == {**LEASE, **unset, "state": "held", "owner": "", "seconds": 120}


def test_a_secret_of_the_wrong_type_is_not_echoed():
    class Keyed(Probe):
        module = "dns_claim"
        secrets = ("key.secret",)

    claim = {
        "state": "claimed",
        "name": "a.example.",
        "zone": "example.",
        "servers": ["198.51.100.1"],
        "run_id": "run-a",
    }
    for key in ({"name": "k", "secret": {"hidden-41": 1}, "extra": 1}, "secret=hidden-41"):
        with pytest.raises(AnsibleActionFail) as refused:
            made(Keyed, {**claim, "key": key}).run(task_vars={})
        assert "key" in str(refused.value) and "hidden-41" not in str(refused.value)


# How a step ends


def test_a_refusal_fails_with_every_rule_its_values_and_what_to_do_next():
    result = probe(raising(StepRefused([LAG, GONE], reason="mine"))).run(task_vars={})
    assert (result["failed"], result["changed"], result["refused"], result["reason"]) == (True, False, True, "mine")
    assert [(r["rule"], r["measured"], r["limit"], r["waivable"]) for r in result["refusals"]] == [
        ("lag_over_rpo", "12 s", "5 s", False),
        ("other_cluster", "7", "8", False),
    ]
    assert result["msg"] == (
        "refused, nothing was changed:\n"
        "  lag_over_rpo: the standby is behind (measured: 12 s; limit: 5 s). Next: wait until it has caught up\n"
        "  other_cluster: not copies of one database (measured: 7; limit: 8)."
    )


def test_a_refusal_after_a_change_says_that_something_changed():
    result = probe(raising(StepRefused([LAG], changed=True))).run(task_vars={})
    assert (result["failed"], result["changed"], result["refused"]) == (True, True, True)


def test_a_failure_has_its_reason_its_words_and_its_facts():
    result = probe(raising(StepFailed("db1 did not stop", reason="stop_failed", output="x", failed=False))).run(
        task_vars={}
    )
    assert (result["failed"], result["changed"], result["reason"], result["msg"]) == (
        True,
        False,
        "stop_failed",
        "db1 did not stop",
    )
    assert result["output"] == "x"


def test_a_name_that_would_be_a_path_is_bad_input_and_not_a_traceback():
    result = probe(lambda step, args: {"lease": step.lease_of({**args, "service": "../x"})}).run(task_vars={})
    assert (result["failed"], result["reason"]) == (True, "bad_input") and "service '../x'" in result["msg"]


def test_what_nobody_foresaw_is_not_dressed_up():
    with pytest.raises(ZeroDivisionError):
        probe(lambda *_: 1 / 0).run(task_vars={})


def test_an_empty_run_id_is_not_the_absence_of_one():
    step = probe()
    assert step.lease_of({**LEASE, "run_id": None}) is None
    assert step.lease_of({**LEASE, "owner": "ann"}) == Lease("payments-db", "run-a", 8, "ann")
    assert (
        probe(lambda step, args: {"x": step.lease_of({**args, "run_id": ""})}).run(task_vars={})["reason"]
        == "bad_input"
    )


def test_a_members_own_refusal_becomes_ours():
    step = probe()
    step.raise_if_refused(Output(0, "@@held 5\n", ""), None)
    with pytest.raises(StepRefused) as refused:
        step.raise_if_refused(
            Output(43, "@@refused lease_held run-b by bob, 9 s left\n", ""), Lease("payments-db", "run-a", 8)
        )
    (refusal,) = refused.value.refusals
    assert (refusal.rule, refusal.measured) == ("lease_held", "run-b by bob, 9 s left")
    assert refusal.limit == "free, or held by run run-a" and "continuity_run_id" in refusal.hint


# Journal


def test_intent_is_written_before_and_the_result_after(begun):
    def does(step, args):
        assert [entry["state"] for entry in written(begun)] == ["started"]
        return {"changed": True, "held": True, "ansible_facts": {"big": 1}, "diff": {}}

    probe(does).run(task_vars={"continuity_stage": "failover"})
    started, done = written(begun)
    assert (started["step"], started["data"]) == ("lease", {"stage": "failover", "check_mode": False, "member": "db1"})
    assert done["state"] == "done" and done["data"]["held"] is True and done["data"]["elapsed_seconds"] >= 0
    assert not {"ansible_facts", "diff"} & set(done["data"])


@pytest.mark.parametrize(
    ("error", "state", "kept"),
    [
        (StepRefused([LAG]), "refused", "lag_over_rpo"),
        (StepFailed("no", reason="stop_failed"), "failed", "stop_failed"),
    ],
)
def test_a_refusal_and_a_failure_are_written_as_what_they_are(begun, error, state, kept):
    probe(raising(error)).run(task_vars={})
    assert [entry["state"] for entry in written(begun)] == ["started", state]
    assert kept in json.dumps(written(begun)[1]["data"]) and written(begun)[1]["data"]["stage"] == "switchover"


def test_check_mode_is_told_and_secrets_are_masked(begun):
    secret = {"key": {"name": "k", "secret": "hidden-41"}, "said": "host=x password=hidden-41"}
    probe(lambda *_: secret, check_mode=True).run(task_vars={})
    text = journal.path_of(begun.directory, "payments-db").read_text()
    assert "hidden-41" not in text and all(entry["data"]["check_mode"] for entry in written(begun))


def test_nothing_is_written_outside_a_run_for_another_service_or_for_a_step_that_is_not_journaled(begun):
    probe(args={**LEASE, "service": "other"}).run(task_vars={})
    unnamed = probe()
    unnamed.journal_step = None
    unnamed.run(task_vars={})
    run.forget()
    probe().run(task_vars={})
    assert not Path(begun.directory).exists()


# What a person reads meanwhile


class Terminal:
    """Keeps each line; with an error it is a terminal that has gone."""

    def __init__(self, error=None):
        self.lines, self.error = [], error

    def display(self, text):
        self.lines.append(text)
        if self.error:
            raise self.error


def told(does=None, terminal=None, variables=None, **task):
    one, terminal = probe(does, **task), terminal or Terminal()
    one._display = terminal
    return one.run(task_vars=variables or {}), terminal.lines


def test_the_end_of_a_journaled_step_is_told_and_why_it_failed_below(begun):
    _result, (line,) = told()
    assert line.startswith("payments-db") and "  lease db1: done 0" in line and line.endswith("no RTO")
    _result, (line,) = told(raising(StepFailed("db1 is full\nsee the log", reason="no_space")))
    above, below = line.split("\n")
    assert "lease db1: FAILED 0" in above and above.endswith("no RTO") and below.endswith("s    db1 is full")
    _result, (line,) = told(raising(StepRefused([LAG, GONE])))
    assert line.endswith("    lag_over_rpo: the standby is behind; other_cluster: n...")


def test_nothing_is_told_of_what_is_not_journaled(begun):
    one = probe()
    one.journal_step, one._display = None, Terminal()
    one.run(task_vars={})
    assert one._display.lines == []
    run.forget()
    assert told()[1] == []


@pytest.mark.parametrize(("wanted", "count"), [("false", 0), (False, 0), ("no", 0), ("true", 1), (True, 1)])
def test_it_can_be_turned_off(begun, wanted, count):
    assert len(told(variables={"continuity_progress": wanted})[1]) == count


def test_a_task_that_is_not_to_be_logged_is_not_told(begun):
    assert told(no_log=True)[1] == []


def test_a_step_that_takes_long_shows_that_it_is_alive(begun, monkeypatch):
    waited, terminal = threading.Event(), Terminal()
    terminal.display = lambda text: terminal.lines.append(text) or waited.set()
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    result, lines = told(lambda *_: {"changed": waited.wait(10)}, terminal)
    assert result["changed"] and "lease db1: still running 0s" in lines[0] and "lease db1: done 0" in lines[-1]


@pytest.mark.parametrize(
    "broken", ["the terminal", "the formatter", "the clock", "the journal", "the setting", "the subject"]
)
def test_what_goes_wrong_while_telling_does_not_fail_the_step(begun, monkeypatch, broken):
    terminal, variables = Terminal(OSError("gone") if broken == "the terminal" else None), {}
    one = probe(lambda *_: {"changed": True, "held": 7})
    if broken == "the formatter":
        monkeypatch.setattr(progress, "lines", raising(ValueError("no format")))
    elif broken == "the clock":
        monkeypatch.setattr(progress, "downtime", raising(ValueError("no time")))
    elif broken == "the journal":
        monkeypatch.setattr(journal, "read", raising(OSError("unreadable")))
    elif broken == "the setting":
        one._templar = SimpleNamespace(template=lambda v: raising(AnsibleError("undefined"))() if v == "{{ x }}" else v)
        variables["continuity_progress"] = "{{ x }}"
    elif broken == "the subject":
        one.progress_subject = raising(KeyError("member"))
    one._display = terminal
    result = one.run(task_vars=variables)
    assert (result["changed"], result["held"], "failed" in result) == (True, 7, False)
    assert len(terminal.lines) == (1 if broken == "the terminal" else 0)
    monkeypatch.undo()
    assert [each["state"] for each in written(begun)] == ["started", "done"]


def test_no_secret_and_no_line_break_is_told(begun):
    evil = StepFailed("host=x password=hidden-41\x1b[2J at postgres://me:hidden-41@db1", reason="no")
    _result, (line,) = told(raising(evil), delegate_to="db1\nPLAY RECAP token=hidden-41")
    assert "hidden-41" not in line and "********" in line
    assert all(part.isprintable() for part in line.split("\n")) and "db1 PLAY RECAP" in line


def test_telling_costs_about_a_millisecond_a_step(begun, monkeypatch):
    """Over a journal as a drill leaves it: 0.5 ms; the bound is for a slower machine. Processor time, and the quickest
    of many, so that a busy one does not count."""
    for number in range(60):
        data = {"stage": "failover", "member": "db1", "name": "a.", "filling": "x" * 500}
        step = ("lease", "claim", "verify", "point", "promote", "decide")[number % 6]
        journal.append(begun.directory, begun.run_id, "payments-db", step, "done", data, fsync=False)

    def quickest(**variables):
        one, times = probe(), []
        one._display = Terminal()
        for _turn in range(30):
            began = time.process_time()
            teller = one._teller(variables, LEASE)
            with heartbeat.Heartbeat(teller.runs if teller else None):
                pass
            if teller:
                teller.ended("done", {"elapsed_seconds": 0.1})
            times.append(time.process_time() - began)
        assert len(one._display.lines) == (0 if variables else 30)
        return min(times)

    spent = quickest() - quickest(continuity_progress=False)
    assert spent < 0.003
