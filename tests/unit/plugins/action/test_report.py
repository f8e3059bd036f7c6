# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.action.report import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils import journal, run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import StepFailed

DEFAULTS = {
    "run_directory": None,
    "formats": ["json", "markdown", "junit", "html"],
    "fail_on": True,
    "allow_degraded": [],
    "compare": False,
    "show": True,
}


class Display:
    """Keeps what was printed."""

    def __init__(self):
        self.text = ""

    def display(self, text):
        self.text += text


@pytest.fixture
def action():
    made = object.__new__(ActionModule)
    made._display = Display()
    return made


def make_run(directory, outcome, **data):
    """The directory of an assess run of one service."""
    name = Path(directory).name
    journal.append(
        directory, name, "payments-db", "decide", "done", {"stage": "switchover", "steps": [{"name": "point"}]}
    )
    journal.append(directory, name, "payments-db", "outcome", outcome, {"stage": "switchover", **data})
    service = {"function": "payments", "tier": 1, "objectives": {"rto_seconds": 60.0, "rpo_seconds": 0.0}}
    content = {"schema": 1, "run_id": name, "verb": "switchover", "services": {"payments-db": service}}
    (Path(directory) / "run.json").write_text(json.dumps(content))
    return str(directory)


@pytest.fixture
def begun(tmp_path):
    """`begun("report")` begins a run of that verb below tmp_path/runs."""

    def begin(verb):
        return run.begin(verb=verb, inputs={}, plan={}, services={}, runs_directory=str(tmp_path / "runs"))

    run.forget()
    yield begin
    run.forget()


def test_a_run_that_need_not_fail_is_reported(action, tmp_path):
    directory = make_run(tmp_path / "run", "done")
    result = action.step({**DEFAULTS, "run_directory": directory}, {})
    assert (result["changed"], result["verdict"], result["fails"]) == (False, "not_measured", False)
    assert result["paths"]["markdown"] == f"{directory}/report.md"
    assert all(Path(path).exists() for path in result["paths"].values())
    assert "\n".join(result["summary_lines"]) in action._display.text
    assert result["services"][0]["reasons"] == ["not measured: outage and loss"]
    assert result["runs"] == []


def test_a_run_that_must_fail_fails_with_the_verdict_the_reasons_and_the_report(action, tmp_path):
    directory = make_run(tmp_path / "run", "failed", message="db2 did not leave recovery")
    with pytest.raises(StepFailed) as failure:
        action.step({**DEFAULTS, "run_directory": directory}, {})
    assert failure.value.reason == "failed"
    assert failure.value.result["verdict"] == "failed"
    shown, page = action._display.text, f"{directory}/report.html"
    assert "db2 did not leave recovery" in shown and "next: ansible-playbook continuity.dr.assess" in shown
    assert str(failure.value).endswith(f": FAILED: payments-db. Why stands above and in {page}")
    assert shown.count("db2 did not leave recovery") == 1
    assert not {"summary_lines", "runs"} & set(failure.value.result)
    assert Path(directory, "report.md").exists()
    assert action.step({**DEFAULTS, "run_directory": directory, "fail_on": False}, {})["fails"] is True


def test_a_failure_that_shows_nothing_tells_all(action, tmp_path):
    directory = make_run(tmp_path / "run", "failed", message="db2 did not leave recovery")
    with pytest.raises(StepFailed) as failure:
        action.step({**DEFAULTS, "run_directory": directory, "show": False}, {})
    text = str(failure.value)
    assert "payments-db: FAILED" in text and "db2 did not leave recovery" in text
    assert "next: ansible-playbook continuity.dr.assess" in text and f"report: {directory}/report.html" in text
    assert failure.value.result["summary_lines"] and failure.value.result["runs"] == []


def test_a_degradation_is_allowed_by_name(action, tmp_path):
    directory = make_run(tmp_path / "run", "done", degraded=["endpoint_stale"])
    with pytest.raises(StepFailed, match="DEGRADED"):
        action.step({**DEFAULTS, "run_directory": directory}, {})
    allowed = {**DEFAULTS, "run_directory": directory, "allow_degraded": ["endpoint_stale"]}
    assert action.step(allowed, {})["fails"] is False


def test_the_run_of_the_verb_is_the_default(action, begun):
    current = begun("switchover")
    make_run(current.directory, "done")
    assert action.step(DEFAULTS, {})["run_id"] == current.run_id


def test_the_verb_report_takes_the_newest_run_or_the_one_that_is_named(action, begun, tmp_path):
    for number, name in enumerate(["newest", "older"]):
        make_run(tmp_path / "runs" / name, "done")
        os.utime(tmp_path / "runs" / name / "run.json", (1000 - number, 1000 - number))
    begun("report")
    assert action.step(DEFAULTS, {})["run_id"] == "newest"
    with pytest.raises(StepFailed, match=r"holds no run\.json"):
        action.step(DEFAULTS, {"continuity_run_id": "another"})


def test_runs_are_compared_on_request(action, tmp_path):
    for name in ("a", "b"):
        directory = make_run(tmp_path / name, "done")
        result = action.step({**DEFAULTS, "run_directory": directory, "compare": True}, {})
    assert [each["run_id"] for each in result["runs"]] == ["a", "b"]
    assert "b  switchover payments-db: not measured" in action._display.text
    assert result["paths"]["history"] == f"{tmp_path}/history.html" and Path(tmp_path, "history.html").exists()
    (tmp_path / "notes").mkdir()
    result = action.step({**DEFAULTS, "run_directory": directory, "compare": True, "formats": ["markdown"]}, {})
    assert result["summary_lines"][-1].startswith("left out: notes: holds no run.json")
    assert sorted(result["paths"]) == ["json", "markdown"]


def test_without_any_run_it_says_what_to_name(action, begun):
    with pytest.raises(StepFailed, match="run_directory"):
        action.step(DEFAULTS, {})


def test_as_a_task_of_a_foreign_playbook(tmp_path):
    good = make_run(tmp_path / "good", "done")
    bad = make_run(tmp_path / "bad", "refused", message="it depends on accounts-db, which failed in this run")
    tasks = [
        {"continuity.dr.report": {"run_directory": good}, "register": "report"},
        {"ansible.builtin.assert": {"that": ["report.verdict == 'not_measured'", "report is not changed"]}},
        {"continuity.dr.report": {"run_directory": bad, "formats": ["junit"]}},
    ]
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": _collections(), "ANSIBLE_HOME": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "switchover good: NOT MEASURED" in done.stdout
    assert "it depends on accounts-db, which failed in this run" in done.stdout + done.stderr
    assert Path(good, "report.md").exists() and not Path(bad, "report.md").exists()


def _collections():
    return str(next(Path(path) for path in sys.path if (Path(path) / "ansible_collections/continuity/dr").is_dir()))
