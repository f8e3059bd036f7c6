# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Going back, exercising, and several things at once."""

from __future__ import annotations

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
    """Runs that fail in their midst are the ones that print what they hold. All verbs here run with -vvv --diff."""
    crash(trial)
    trial.watch.verb("switchover", *trial.move)
    restart(trial)
    wrong = trial.plan({"services": {"accounts-db": {"canary": {"database": "nowhere"}}}})
    trial.watch.verb("drill", f"scope={trial.service}", f"fault={FAULTS}/primary_crashed.yml", plan=wrong)
    serves_again(trial)
    result = trial.done("switchover", *trial.move)
    assert "ESTABLISH SSH CONNECTION" in result.output, "it was not that loud"
    trial.watch.wait_rows(5)
    return Seen("none of the lab's secrets in any output, journal, ledger or report")


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
