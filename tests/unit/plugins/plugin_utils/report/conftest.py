# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run directories as a run leaves them, written through the journal itself."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import journal
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import format_time
from ansible_collections.continuity.dr.plugins.plugin_utils.report import build

START = 1_795_317_300.0  # 2026-11-22T03:15:00Z
RUN_ID = "20261122T031500Z-3f9a"
REFUSAL = {"rule": "lag_over_rpo", "measured": "12 s", "limit": "5 s", "message": "db2 is behind", "hint": "wait"}


class RunDirectory:
    """A run's directory that is filled step by step; times are seconds after the run's begin."""

    def __init__(self, directory, verb, rto, rpo):
        self.path = Path(directory)
        self.verb = verb
        self.stage = verb
        self.run = {
            "schema": 1,
            "run_id": RUN_ID,
            "verb": verb,
            "check_mode": False,
            "operator": "ops@controller",
            "reason": None,
            "started": START,
            "plan": {
                "id": "marketplace",
                "title": "Marketplace",
                "environment": "drill",
                "digest": "sha256:" + "ab" * 32,
                "allowances": {"detection_seconds": 60.0, "decision_seconds": 300.0},
                "sites": {"dc1": {"use": "preferred"}, "dc2": {"use": "recovery"}},
            },
            "services": {},
            "inputs": {"scope": "payments", "target_site": None, "outage_started": None, "waive": []},
        }
        self.objectives = {"rto_seconds": rto, "rpo_seconds": rpo}
        self.service("payments-db")

    def service(self, name, **objectives):
        """Have another service take part."""
        self.name = name
        self.run["services"][name] = {
            "function": "payments",
            "tier": 1,
            "objectives": {**self.objectives, **objectives},
        }
        (self.path / "journal").mkdir(parents=True, exist_ok=True)
        return self

    def entry(self, at, step, state="done", /, **data):
        """Write one journal entry of the current service and stage."""
        moment = START + at
        clock = (int(round(moment * 1e6)) * 1000, int(round(at * 1e6)) * 1000 + 5_000_000_000)
        data.setdefault("stage", self.stage)
        journal.append(self.path, RUN_ID, self.name, step, state, data, clock=lambda: clock, fsync=False)
        return self

    def decide(self, at, **data):
        """The decision of a move from dc1 to dc2."""
        names = data.pop("steps", ("claim", "lease", "fence", "promote", "point", "verify"))
        decision = {
            "steps": [{"name": name, "member": None} for name in names],
            "from_site": "dc1",
            "to_site": "dc2",
            "from_member": "db1",
            "to_member": "db2",
            "refusals": [],
            "waivers": [],
            "evidence": ["db2: replica, streaming"],
            "goal_reached": False,
            **data,
        }
        return self.entry(at, "decide", **decision)

    def steps(self, at, *names, each=0.1):
        """Several steps after one another, each started and done."""
        for name in names:
            self.entry(round(at, 6), name, "started", member="db2")
            at += each
            self.entry(round(at, 6), name, member="db2", evidence=f"{name} read back")
        return self

    def outcome(self, at, state="done", **data):
        """The service's end, as the verbs write it."""
        return self.entry(at, "outcome", state, **{"state": state, "message": "", "next_command": "", **data})

    def canary(self, outage=2.41, fault=1.0, stage=None, **changes):
        """The canary's measurement of a stage."""
        path = self.path / "canary" / f"{self.name}.json"
        path.parent.mkdir(exist_ok=True)
        kept = json.loads(path.read_text())["measurements"] if path.exists() else []
        began, ended = START + fault, None if outage is None else START + fault + outage
        measurement = {
            "stage": stage or self.stage,
            "service": self.name,
            "taken": format_time(began + 60),
            "window_end": None,
            "acknowledged": 1200,
            "refused": 4,
            "in_doubt": 1,
            "outage_seconds": outage,
            "outage_started": format_time(began),
            "outage_ended": ended and format_time(ended),
            "outage_unknown": "" if ended else "the new primary: it acknowledged no write",
            "compared": 1200,
            "lost": 0,
            "lost_rows": [],
            "lost_ranges": [],
            "lost_seconds": 0.0,
            "lost_seconds_at_least": 0.0,
            "acknowledged_by_fenced": 0,
            "acknowledged_by_old_primary": 0,
            "surviving_unknown": "",
            **changes,
        }
        path.write_text(json.dumps({"schema": 1, "measurements": [*kept, measurement]}))
        return self

    def ledger(self, seconds=4.0, rate=20, fault=1.0, outage=2.4):
        """The canary's ledger: acknowledged writes, refused ones within the outage, and a torn last line."""
        path = self.path / "canary" / f"{self.name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        lines = ['{"event":"began"}']
        for number in range(int(seconds * rate)):
            at = number / rate
            outcome = "refused" if fault < at < fault + outage else "acknowledged"
            done = {"done": format_time(START + at), "done_ns": int(at * 1e9) + 5_000_000_000}
            lines.append(json.dumps({"seq": number + 1, "outcome": outcome, **done}))
        path.write_text("\n".join(lines) + '\n{"seq": 9')
        return self

    def write(self, **changes):
        """Write run.json and return the directory."""
        (self.path / "run.json").write_text(json.dumps({**self.run, **changes}))
        return self.path


@pytest.fixture
def make(tmp_path):
    """`make("failover")` begins a run directory of that verb."""

    def begin(verb="failover", rto=3600.0, rpo=0.0, name="run"):
        return RunDirectory(tmp_path / name, verb, rto, rpo)

    return begin


def failover(run, at=1.5):
    """The steps of a failover that went well; it takes half a second a step."""
    run.decide(at)
    return run.steps(at, "claim", "fence", "promote", "point", "verify", each=0.1)


@pytest.fixture
def moved(make):
    """`moved("failover")`: a run that moved payments-db and ended well; neither run.json nor a measurement yet."""

    def begin(verb="failover", **options):
        run = failover(make(verb, **options))
        return run.outcome(2.1)

    return begin


@pytest.fixture
def drill(make):
    """A drill with its four stages; without a measurement yet."""

    def begin(**options):
        run = make("drill", **options)
        run.stage = "baseline"
        run.decide(0.1, steps=(), goal_reached=True)
        run.entry(0.2, "canary", "started").entry(0.5, "canary")
        fault = {"name": "primary_crashed", "member": "db1", "window_start": START + 0.8}
        run.entry(0.8, "inject", "started").entry(0.9, "inject", fault=fault)  # before the fault, and after it
        run.entry(1.1, "inject", "started").entry(1.1, "inject", fault={**fault, "injected": START + 1.1})
        run.stage = "failover"
        failover(run, 1.7).outcome(2.3, redundancy="not following: db1")
        run.stage = "heal"
        run.entry(9.0, "heal", "started").entry(9.5, "heal")
        run.stage = "rejoin"
        run.decide(10.0, steps=("lease", "rejoin", "verify"), from_site=None, from_member=None)
        run.steps(10.1, "rejoin", "verify").outcome(10.4)
        run.stage = "failback"
        run.decide(20.0, from_site="dc2", to_site="dc1", from_member="db2", to_member="db1")
        run.steps(20.1, "demote", "promote", "point", "verify").outcome(20.6)
        return run

    return begin


@pytest.fixture(scope="session")
def schema():
    """The validator of docs/report.schema.json."""
    path = next(parent for parent in Path(__file__).parents if (parent / "docs").is_dir()) / "docs/report.schema.json"
    content = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


@pytest.fixture
def report_of(schema):
    """Build the report of a run directory; it must fit the schema."""

    def made(run, **options):
        report = build(run.write(), **options)
        problems = [
            f"{error.json_path}: {error.message}" for error in schema.iter_errors(json.loads(json.dumps(report)))
        ]
        assert problems == []
        return report

    return made


@pytest.fixture
def runs(make, moved, drill, report_of):
    """A report of every verdict by its name; the one that passed is a drill."""

    def refused():
        run = make("failover", name="refused").decide(0.5, steps=(), refusals=[REFUSAL])
        return run.outcome(0.6, "refused", message="refused, nothing was changed:\n  lag_over_rpo: db2 is behind")

    def failed():
        run = make("switchover", name="failed").decide(0.5).entry(0.8, "point", "started")
        return run.entry(1.8, "point", "failed", msg="ns0 says <NOTAUTH> | no").outcome(1.9, "failed", message="x")

    def nothing():
        return make("failover", name="nothing").decide(0.5, steps=(), goal_reached=True).outcome(0.6)

    measured = drill(name="drill").ledger().canary(stage="failover").canary(stage="failback", outage=0.5, fault=20.1)
    return {
        "passed": report_of(measured),
        "refused": report_of(refused()),
        "failed": report_of(failed()),
        "objective_missed": report_of(
            moved(name="missed", rto=2.0).canary(lost=3, lost_ranges=[[1201, 1202], [1204, 1204]], lost_seconds=0.02)
        ),
        "degraded": report_of(moved(name="degraded").canary().outcome(2.2, degraded=["endpoint_stale"])),
        "not_measured": report_of(moved(name="unmeasured")),
        "nothing_to_do": report_of(nothing()),
    }
