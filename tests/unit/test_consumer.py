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
REPORT = "ansible-playbook continuity.dr.report"


def load(name: str) -> dict:
    return yaml.load((CONSUMER / name).read_text(encoding="utf-8"), yaml.BaseLoader)


def test_the_plan_is_short():
    assert len((CONSUMER / "plan.yml").read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_the_readme_names_every_command_that_the_workflows_run():
    known = {command for commands in Project(CONSUMER).commands.values() for command in commands}
    assert len(known) > 8
    github = load(".github/workflows/drill.yml")["jobs"]["drill"]["steps"]
    gitlab = load(".gitlab-ci.yml")["drill"]
    scripts = [step["run"] for step in github if "run" in step]
    scripts += gitlab["before_script"] + gitlab["script"] + gitlab["after_script"]
    ours = [
        line.strip() for script in scripts for line in script.splitlines() if re.match(r"ansible|python3 -m pip", line)
    ]
    assert len(ours) == 10
    assert set(ours) <= known


def test_one_drill_at_a_time_on_github_and_its_report_is_always_kept():
    workflow = load(".github/workflows/drill.yml")
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


def test_the_drill_is_every_sunday():
    (schedule,) = load(".github/workflows/drill.yml")["on"]["schedule"]
    minute, hour, *days = schedule["cron"].split()
    assert int(minute) in range(60) and int(hour) in range(24) and days == ["*", "*", "0"]


def test_a_drill_that_fails_fails_the_job():
    jobs = {".gitlab-ci.yml": load(".gitlab-ci.yml")["drill"]}
    jobs[".github/workflows/drill.yml"] = load(".github/workflows/drill.yml")["jobs"]["drill"]
    for job in jobs.values():
        assert not {"allow_failure", "continue-on-error"} & set(job)
    steps = [step for step in jobs[".github/workflows/drill.yml"]["steps"] if "continue-on-error" in step]
    assert [step["run"] for step in steps] == [REPORT]
    assert not [line for line in jobs[".gitlab-ci.yml"]["script"] if "||" in line]


def checked_pipelines(github: dict, gitlab: dict, report: str) -> None:
    """A killed drill left no report: it is built after every drill, before the upload, and changes no job's result."""
    steps = github["steps"]
    place = {step.get("run", step.get("uses", "")).split(" -e")[0].split("@")[0]: step for step in steps}
    names = list(place)
    drill = next(name for name in names if name.startswith("ansible-playbook continuity.dr.drill"))
    assert names.index(drill) < names.index(report) < names.index("actions/upload-artifact")
    assert place[report]["if"] == "always()" and place[report]["continue-on-error"] == "true"
    assert int(place[drill]["timeout-minutes"]) < int(github["timeout-minutes"])
    assert gitlab["after_script"][-1] == report
    assert minutes(gitlab["variables"]["RUNNER_SCRIPT_TIMEOUT"]) < minutes(gitlab["timeout"])


def minutes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+) ?(m|minutes|h)", text).groups()
    return int(number) * (60 if unit == "h" else 1)


def test_the_report_of_a_killed_drill_is_built_before_it_is_uploaded():
    github = load(".github/workflows/drill.yml")["jobs"]["drill"]
    checked_pipelines(github, load(".gitlab-ci.yml")["drill"], REPORT)


def test_the_guide_shows_the_same_pipelines():
    page = (TOP / "docs" / "drills_in_ci.md").read_text(encoding="utf-8")
    gitlab, github = (yaml.load(block, yaml.BaseLoader) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    checked_pipelines(github["jobs"]["drill"], gitlab["drill"], f"{REPORT} -i inventory")


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


def test_no_page_of_the_archive_links_to_what_the_archive_leaves_out():
    ignored = yaml.safe_load((TOP / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]

    def left_out(path: Path) -> bool:
        inside = path.relative_to(TOP)
        return any(fnmatch(str(each), pattern) for each in (inside, *inside.parents) for pattern in ignored)

    pages = [TOP / name for name in wanted(TOP) if name.endswith(".md") and not left_out(TOP / name)]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#\s:]+)", page.read_text(encoding="utf-8"))
    ]
    assert len(links) > 50
    assert [(page.name, link) for page, link in links if left_out((page.parent / link).resolve())] == []
