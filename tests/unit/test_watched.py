# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every measurement of a run is told of every member that the run has fenced: nobody else looks for two primaries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_world
import pytest

from ansible_collections.continuity.dr import plugins
from ansible_collections.continuity.dr.plugins.plugin_utils import journal

#: Instead of the canary: it writes down what it is asked, and always finds a service that is well.
WRITTEN_DOWN = """
import json
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        with open("canary.jsonl", "a") as file:
            print(json.dumps(dict(self._task.args)), file=file)
        return {"changed": False}
"""
#: Nobody answers at this name server, which is waived: the walk goes on without claim and switch.
NAMED = "role: continuity.dr.endpoint_rfc2136, name: payments-db.example., type: A, ttl: 5s, zone: example."
ENDPOINT = f"{{{NAMED}, servers: [127.0.0.1], port: 1, key: {{name: k, secret: c2VjcmV0}}}}"
CANARY = "{database: shop, role: canary, table: canary, rate: 20}"
INPUTS = ("scope=payments-db", "waive=arbiter_unreachable", "reason=test", "continuity_run_id=a", "confirm=refused")
#: A demotion proves that its member takes no writes, as PostgreSQL's engine says it.
SAID = "        return {**said,"
DEMOTED = f"""        if do == "demote":
            import time
            fenced = action.merged_fact(task_vars, "continuity_fenced", {{member["host"]: time.time()}})
            return {{**said, "ansible_facts": {{facts[do]: said, **fenced}}}}
{SAID}"""


@pytest.fixture
def asked(tmp_path, run_ansible):
    """Run a verb of payments-db in the fake world; returns what its canary was asked, by state and stage."""
    fake_world.lay(tmp_path, fenced=True)
    plan = tmp_path / "plan.yml"
    with_canary = f"payments-db: {{canary: {CANARY}, endpoints: [{ENDPOINT}], "
    plan.write_text(plan.read_text().replace("payments-db: {", with_canary))
    for name in ("hosts.yml", "connection_plugins/written_down.py"):  # a record cannot lead to those
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text.replace("127.0.0.2", "198.51.100.11").replace("127.0.0.3", "203.0.113.11"))
    engine = tmp_path / "collections/ansible_collections/acme/dr/plugins/action/engine.py"
    assert engine.read_text().count(SAID) == 1
    engine.write_text(engine.read_text().replace(SAID, DEMOTED))
    _with_another_canary(tmp_path / "collections" / "ansible_collections" / "continuity" / "dr")

    def run(verb: str, *words: str, **environment: str) -> dict[str, dict[str, Any]]:
        more = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"), **fake_world.ENVIRONMENT, **environment}
        refused = tmp_path / "runs" / "refused"
        refused.mkdir(parents=True, exist_ok=True)
        (refused / "run.json").write_text(json.dumps({"verb": verb}))
        journal.append(str(refused), "refused", "payments-db", "outcome", "refused", fsync=False)
        options = [word for each in (*INPUTS, *words) for word in ("-e", each)]
        done = run_ansible("playbook", "-i", "hosts.yml", "-i", "plan.yml", f"continuity.dr.{verb}", *options, **more)
        path = tmp_path / "canary.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found = {each.get("stage") or each["state"]: each for each in map(json.loads, lines)}
        assert found, done.stdout
        return found

    return run


def _with_another_canary(collection: Path) -> None:
    """This collection, file by file, with an action in place of the canary's."""
    checkout = Path(next(iter(plugins.__path__))).parent
    actions = collection / "plugins" / "action"
    actions.mkdir(parents=True)
    for below in ("", "plugins", "plugins/action"):
        for each in (checkout / below).iterdir():
            there = collection / below / each.name
            if not there.exists() and each.name != "canary.py":
                there.symlink_to(each)
    (actions / "canary.py").write_text(WRITTEN_DOWN)


def members(step: dict[str, Any]) -> list[str]:
    return [each["member"] for each in step.get("fenced") or ()]


def test_a_failover_measures_with_whom_it_fenced(asked):
    found = asked("failover", "target_site=dc2", TEST_DEAD="db1", TEST_FENCE="on off")
    (window,) = found["failover"]["fenced"]
    assert (window["member"], window["addresses"]) == ("db1", ["198.51.100.11"]) and float(window["since"]) > 1.7e9


def test_a_drill_goes_on_watching_whom_it_stopped_until_it_is_over(asked):
    found = asked("drill")
    seen = {stage: members(found[stage]) for stage in ("switchover", "dwell", "failback", "stopped")}
    both = ["db1", "db2"]
    assert seen == {"switchover": ["db1"], "dwell": ["db1"], "failback": both, "stopped": both}
    was, now = found["failback"]["fenced"][0], found["stopped"]["fenced"][0]
    assert was == found["dwell"]["fenced"][0] and "until" not in was
    assert float(now["until"]) > float(now["since"]), "back home it takes writes again"
    assert found["dwell"]["expected"]["addresses"] == ["203.0.113.11"]
