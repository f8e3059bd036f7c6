# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whole verbs without a machine: an engine of a third party whose state is a file, and members reached by a connection
that only writes down what it was asked.

`lay(folder)` makes the inventory, the plan and the collection `acme.dr` below `folder`, for `run_ansible` there with
`ENVIRONMENT`. `done(folder)` is everything that was done, in its order. Environment variables break it: `TEST_DEAD=db2`
(a machine does not answer), `TEST_DYING=db2` (from the first demotion on), `TEST_FAILING="promote db2"` (payments-db),
`TEST_REFUSING` (the same, refused by a rule), `TEST_BLIND=true` (nothing can be observed once something was done),
`TEST_HELD="run 60"` (each member has a lease of that run, which did a step so many seconds ago).

`lay(folder, arms=True)` has an engine that arms; `TEST_DISARMED=true`: a demotion that fails says that it disarmed.
`lay(folder, fenced=True)` has a fence for payments-db; `TEST_FENCE="on off"` is what its device says, a word each time
it is asked. `TEST_TARGET='{"role": "none"}'`: what db2 says of itself once something was done.
"""

from __future__ import annotations

import json
from pathlib import Path

from connection_plugin import FOLDER, install

PLAN = """
plugin: continuity.dr.plan
plan: {id: shop, environment: drill}
sites:
  dc1: {use: preferred}
  dc2: {use: recovery}
functions:
  payments: {tier: 1, objectives: {rto: 1h, rpo: 5m}, depends_on: [accounts]}
  accounts: {tier: 2, objectives: {rto: 1h, rpo: 5m}}
services:
  payments-db: {function: payments, engine: {role: acme.dr.engine_file}, members: [db1, db2]}
  accounts-db:
    function: accounts
    engine: {role: acme.dr.engine_file, port: 5433}
    members: [db1, db2]
"""
HOSTS = """
dc1: {hosts: {db1: {ansible_host: 127.0.0.2, ansible_connection: written_down}}}
dc2: {hosts: {db2: {ansible_host: 127.0.0.3, ansible_connection: written_down}}}
"""
#: A run of a verb, as a user's environment; the connection plugin lies beside the inventory.
ENVIRONMENT = {"ANSIBLE_CONNECTION_PLUGINS": FOLDER}

ANSWER = """
host = {"127.0.0.2": "db1", "127.0.0.3": "db2"}.get(self._play_context.remote_addr)
if host is None or host in os.environ.get("TEST_DEAD", "").split() or os.path.exists(f"dead-{host}"):
    raise AnsibleConnectionFailure(f"no route to {self._play_context.remote_addr}")
script = (in_data or b"").decode()
if "@@held" in script or "@@released" in script:
    service = re.search(r"^state=/var/lib/continuity/(.+)$", script, re.M)[1]
    with open("done.jsonl", "a") as file:
        print(json.dumps([service, "lease" if "@@held" in script else "unlease", host]), file=file)
return 0, b"@@held 270" if "@@held" in script else b"@@released", b""
"""

ENGINE = """
import json, os
from ansible_collections.continuity.dr.plugins.plugin_utils import action
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal

class ActionModule(action.Step):
    def run(self, tmp=None, task_vars=None):
        self.journal_step = None if self._task.args["do"] == "observe" else self._task.args["do"]
        return super().run(tmp, task_vars)

    def _arguments(self):
        return dict(self._task.args)

    def step(self, args, task_vars):
        with open("world.json") as file:
            world = json.load(file)
        do, member = args["do"], args["member"]
        if do == "observe":
            if os.environ.get("TEST_BLIND") and os.path.exists("done.jsonl"):
                raise action.StepFailed("the password is no longer there")
            return {"changed": False, "ansible_facts": {"continuity_observed": {
                one["service"]: self.seen(one, world[one["service"]]) for one in member}}}
        if f"{do} {member['host']}" == os.environ.get("TEST_FAILING") and args["service"] == "payments-db":
            raise action.StepFailed("it did not work", disarmed=bool(os.environ.get("TEST_DISARMED")))
        if f"{do} {member['host']}" == os.environ.get("TEST_REFUSING") and args["service"] == "payments-db":
            raise action.StepRefused([Refusal("not_now", "now", "later", "a rule of the engine's own")])
        if do == "demote" and os.environ.get("TEST_DYING"):
            open("dead-" + os.environ["TEST_DYING"], "w").close()
        self.execute("do")
        service, changed = world[args["service"]], True
        if do == "promote":
            service.update(primary=member["host"])
        elif do == "rejoin":
            service["stopped"] = [each for each in service["stopped"] if each != member["host"]]
        elif do == "demote":
            service["stopped"].append(member["host"])
        with open("world.json", "w") as file:
            json.dump(world, file)
        with open("done.jsonl", "a") as file:
            print(json.dumps([args["service"], do, member["host"]]), file=file)
        facts = {"arm": "continuity_armed", "promote": "continuity_promoted", "demote": "continuity_demoted",
                 "rejoin": "continuity_rejoined"}
        said = {"changed": True, "armed": do == "arm",
                "position": 1000, "timeline": 1, "system_id": "7", "promotion": {"time": 1.0}}
        return {**said, "ansible_facts": {facts[do]: said} if do in facts else {}}

    def seen(self, one, service):
        host, where = one["host"], {"member": one["host"], "site": one["site"], "address": one["address"]}
        try:
            self.execute("ask")
        except action.Unreachable:
            return where
        primary, running = service["primary"], host not in service["stopped"]
        other = next(peer["host"] for peer in one["peers"]) if one.get("peers") else "?"
        seen = {**where, "reachable": True, "running": running, "system_id": "7", "timeline": 1, "epoch": 0,
                "position": 1000, "fenced": not running, "problems": []}
        if held := os.environ.get("TEST_HELD"):
            run, acted = held.split()
            seen["lease"] = {"run": run, "owner": "ann@ops", "seconds_left": 200, "acted_seconds_ago": int(acted)}
        if host == primary:
            return {**seen, "role": "primary", "writable": running, "followers": {other: "async"}}
        now = json.loads(os.environ.get("TEST_TARGET", "{}")) if os.path.exists("done.jsonl") and host == "db2" else {}
        return {**seen, "role": "replica", "writable": False, "lag_bytes": 0, "lag_seconds": 0.0,
                "receiving": primary not in os.environ.get("TEST_DEAD", "").split(),
                "upstream": primary + ":5432", **now}
"""

DEVICE = """
import json, os
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        said = os.environ["TEST_FENCE"].split()
        asked = sum(1 for line in open("done.jsonl") if json.loads(line)[1] in ("fence", "prove", "release")) if (
            os.path.exists("done.jsonl")) else 0
        with open("done.jsonl", "a") as file:
            print(json.dumps([self._task.args[key] for key in ("service", "do", "member")]), file=file)
        return {"changed": self._task.args["do"] == "fence", "state": said[min(asked, len(said) - 1)]}
"""


def task(do: str, member: str, extra: str = "") -> str:
    """One entry point of the engine: a single task."""
    host = f"{member}[0].host" if do == "observe" else f"{member}.host"
    return (
        f"- name: {do.capitalize()} | {do}\n  acme.dr.engine: {{do: {do}, member: '{{{{ {member} }}}}'{extra}}}\n"
        f"  delegate_to: '{{{{ {host} }}}}'\n"
    )


def ask_device(do: str) -> str:
    """One entry point of the fence: what the device says becomes the evidence, and nothing is judged."""
    about = "service: '{{ fence_service }}', member: '{{ fence_member.host }}'"
    return (
        f"- name: {do.capitalize()} | ask the device\n  acme.dr.device: {{do: {do}, {about}}}\n  register: __said\n"
        f"- name: {do.capitalize()} | leave the evidence\n  continuity.dr.fence_evidence: "
        f"{{{about}, source: '{{{{ fence.name }}}}', state: '{{{{ __said.state }}}}', text: the device}}\n"
    )


def lay(folder: Path, *, arms: bool = False, fenced: bool = False, verifies: bool = False) -> None:
    """Make the world: `db1` is primary of both services and `db2` follows. ``verifies``: an engine that verifies."""
    (folder / "hosts.yml").write_text(HOSTS)
    fence = ", fence: {role: acme.dr.fence_device}, members: [{host: db1, port: 1}, {host: db2, port: 1}]}"
    (folder / "plan.yml").write_text(PLAN.replace(", members: [db1, db2]}", fence) if fenced else PLAN)
    world = {name: {"primary": "db1", "stopped": []} for name in ("payments-db", "accounts-db")}
    (folder / "world.json").write_text(json.dumps(world))
    install(folder, "written_down", ANSWER)
    acme = folder / "collections" / "ansible_collections" / "acme" / "dr"
    tasks, fences = (acme / "roles" / role / "tasks" for role in ("engine_file", "fence_device"))
    for below in (tasks, fences, acme / "plugins" / "action", acme / "plugins" / "modules"):
        below.mkdir(parents=True)
    for name, text in (("engine", ENGINE), ("device", DEVICE)):
        (acme / "plugins" / "action" / f"{name}.py").write_text(text)
        (acme / "plugins" / "modules" / f"{name}.py").write_text("")
    for name in ("fence", "prove", "release"):
        (fences / f"{name}.yml").write_text(ask_device(name))
    for name in ("observe", "preflight"):
        (tasks / f"{name}.yml").write_text(task("observe", "engine_members"))
    for name in ("arm", "verify"):
        (tasks / f"{name}.yml").write_text("[]\n")
    for name in ("demote", "promote", "rejoin", *(["arm"] if arms else []), *(["verify"] if verifies else [])):
        (tasks / f"{name}.yml").write_text(task(name, "engine_member", ", service: '{{ engine_service }}'"))


def done(folder: Path, *, leases: bool = False) -> list[list[str]]:
    """What was done at the members: `[service, entry point, member]` each, in its order.

    With ``leases`` also `lease` and `unlease`, the scripts that take and give back a lease.
    """
    path = folder / "done.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [each for each in found if leases or each[1] not in ("lease", "unlease")]
