# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What examples/consumer promises without a machine: a short plan, and workflows that can be copied."""

from __future__ import annotations

import re
import tarfile
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from copy_tree import wanted
from readme_project import Project

TOP = Path(__file__).resolve().parents[2]
CONSUMER = TOP / "examples" / "consumer"
MOST_LINES = 25


def load(name: str) -> dict:
    return yaml.load((CONSUMER / name).read_text(encoding="utf-8"), yaml.BaseLoader)


def test_the_plan_is_short():
    assert len((CONSUMER / "plan.yml").read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_the_readme_names_every_command_that_the_workflows_run():
    known = {command for commands in Project(CONSUMER).commands.values() for command in commands}
    assert len(known) > 8
    github = load(".github/workflows/drill.yml")["jobs"]["drill"]["steps"]
    gitlab = load(".gitlab-ci.yml")["drill"]
    scripts = [step["run"] for step in github if "run" in step] + gitlab["before_script"] + gitlab["script"]
    ours = [
        line.strip() for script in scripts for line in script.splitlines() if re.match(r"ansible|python3 -m pip", line)
    ]
    assert len(ours) == 8
    assert set(ours) <= known


def test_one_drill_at_a_time_on_github_and_its_report_is_always_kept():
    workflow = load(".github/workflows/drill.yml")
    assert workflow["on"]["schedule"][0]["cron"]
    assert workflow["concurrency"] == {"group": "drill-orders", "cancel-in-progress": "false"}
    steps = workflow["jobs"]["drill"]["steps"]
    upload = steps[-1]
    assert upload["uses"].startswith("actions/upload-artifact@") and upload["if"] == "always()"
    assert upload["with"]["path"] == "runs/" and upload["with"]["if-no-files-found"] == "error"
    assert workflow["permissions"] == {"contents": "read"}


def test_one_drill_at_a_time_on_gitlab_and_its_report_is_always_kept():
    job = load(".gitlab-ci.yml")["drill"]
    assert {"if": '$CI_PIPELINE_SOURCE == "schedule"'} in job["rules"]
    assert job["resource_group"] == "drill-orders" and job["interruptible"] == "false"
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["paths"] == ["runs/"] and job["artifacts"]["reports"] == {"junit": "runs/*/junit.xml"}


@pytest.mark.parametrize("path", [".github/workflows/drill.yml", ".gitlab-ci.yml"])
def test_no_secret_is_left_on_the_runner(path):
    assert "rm -rf secrets" in (CONSUMER / path).read_text(encoding="utf-8")


def test_the_archive_holds_no_example_and_no_test():
    ignored = yaml.safe_load((TOP / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    folders = [name for name in ignored if (TOP / name).is_dir()]
    assert {"examples", "tests"} <= set(folders)
    kept = [name for name in wanted(TOP) if name.startswith(("examples/", "tests/", "benchmarks/"))]
    assert kept and all(any(fnmatch(name.split("/")[0], pattern) for pattern in ignored) for name in kept)
    for archive in (TOP / "build" / "dist").glob("*.tar.gz"):
        with tarfile.open(archive) as opened:
            assert not [name for name in opened.getnames() if name.startswith(("examples/", "tests/", "benchmarks/"))]
