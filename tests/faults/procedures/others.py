# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Going back, exercising, and several things at once."""

from __future__ import annotations

import os
from pathlib import Path

import harness
from harness import FAULTS

from tests.faults.procedures.controllers import name_server_back
from tests.faults.procedures.primary import serves_again
from tests.faults.procedures.replica import crash, restart
from tests.faults.trial import Seen, Trial, tail


def failback_under_load(trial: Trial) -> Seen:
    """The way back while clients write: it is a planned move, and takes their last row along."""
    trial.done("switchover", *trial.move)
    trial.watch.wait_rows(5)
    result = trial.done("failback", f"scope={trial.service}")
    assert (trial.writable(), trial.named()) == (["db1"], {"db1"})
    trial.watch.wait_rows(5)
    lost = trial.watch.ledgers[0].lost()
    assert lost == [], f"lost: {lost}"
    return Seen(f"db1 serves, 0 rows lost; {trial.outage(result)}")


def production(trial: Trial) -> Seen:
    """A fault is to be injected where the plan says production: nobody is contacted."""
    plan = trial.plan({"plan": {"environment": "production"}})
    before = harness.state()
    result = trial.watch.verb("drill", f"scope={trial.service}", f"fault={FAULTS}/primary_crashed.yml", plan=plan)
    assert result.rc == 4 and "nothing was contacted" in result.output, tail(result.output)
    assert "TASK [" not in result.output, tail(result.output)
    assert (different := harness.differences(before)) == "", different
    line = next(line for line in result.output.splitlines() if "plan.environment" in line)
    return Seen(line.strip(), True)


def loud_failures(trial: Trial) -> Seen:
    """Runs that fail in their midst are the ones that print what they hold. All verbs here run with -vvv --diff.

    Ansible keeps a log as well, and a callback writes every result to a file. Its setting display_args_to_stdout is not
    among this: it prints what a task was given, and only a task's own no_log would keep that back.
    """
    log, results = trial.watch.runs / "ansible.log", trial.watch.runs / "junit"
    settings = {
        "ANSIBLE_LOG_PATH": str(log),
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
        "JUNIT_OUTPUT_DIR": str(results),
        "JUNIT_INCLUDE_SETUP_TASKS_IN_REPORT": "true",
    }
    results.mkdir(parents=True)
    os.environ |= settings
    trial.undo(lambda: [os.environ.pop(name, None) for name in settings])
    crash(trial)
    fails(trial, "switchover", *trial.move)
    restart(trial)
    wrong = trial.plan({"services": {trial.service: {"canary": {"database": "nowhere"}}}})
    fails(trial, "drill", f"scope={trial.service}", f"fault={FAULTS}/primary_crashed.yml", plan=wrong)
    serves_again(trial)
    result = trial.done("switchover", *trial.move)
    assert "ESTABLISH SSH CONNECTION" in result.output, "it was not that loud"
    assert log.stat().st_size > 0 and len(list(results.iterdir())) >= 3, "the log or the callback's files are missing"
    trial.watch.wait_rows(5)
    return Seen("none of the lab's secrets in any output, log, file of a callback, journal, ledger or report")


def fails(trial: Trial, verb: str, *arguments: str, plan: Path | None = None) -> None:
    """Run a verb that must not end well."""
    result = trial.watch.verb(verb, *arguments, plan=plan)
    assert result.rc != 0, tail(result.output)


def drift(trial: Trial) -> Seen:
    """A unit was renamed on one member since the plan was written: the look on a schedule finds it."""
    unit = "postgresql@15-renamed.service"
    plan = trial.plan({"services": {"accounts-db": {"members": [{}, {"unit": unit}]}}})
    seen = trial.refused("assess", f"scope={trial.service}", plan=plan, rules=("other_unit",))
    assert unit in seen.text, seen.text
    return seen


def pair(trial: Trial) -> Seen:
    """The primary is dead, its standby is too far behind, and the arbiter is dead: one refusal with all reasons."""
    plan = trial.plan({"functions": {"accounts": {"objectives": {"rpo": "1s"}}}})
    trial.known()
    trial.fault("standby_held_back", member="db2", service=trial.service)
    trial.watch.wait_rows(60)
    crash(trial)
    trial.fault("member_killed", member="ns0")
    seen = trial.refused("failover", *trial.move, plan=plan, rules=("lag_over_rpo", "arbiter_unreachable"))
    name_server_back("ns0")
    trial.heal("standby_held_back", member="db2", service=trial.service)
    restart(trial)
    return seen
