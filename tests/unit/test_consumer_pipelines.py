# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shell of the consumer's two pipelines, run by bash with planted secrets and stub programs."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

CONSUMER = Path(__file__).resolve().parents[2] / "examples" / "consumer"
SECRETS = {"SSH_KEY": "planted-key", "TSIG": "planted-tsig", "CANARY": "planted-canary"}
VARIABLES = {"KNOWN_HOSTS": "planted-hosts", "CONTINUITY_ARCHIVE": "https://dist.example/continuity-dr.tar.gz"}
FILES = {"id_ed25519": "SSH_KEY", "known_hosts": "KNOWN_HOSTS", "tsig": "TSIG", "canary": "CANARY"}
DRILL = "ansible-playbook continuity.dr.drill -e scope=orders"
REPORT = "ansible-playbook continuity.dr.report"
INSTALLED = [
    f"curl --fail --silent --show-error --location --create-dirs --output vendor/continuity-dr.tar.gz"
    f" {VARIABLES['CONTINUITY_ARCHIVE']}",
    "python3 -m pip install -r requirements.txt",
    "ansible-galaxy collection install --force -r requirements.yml",
    "python3 -m pip install -r collections/ansible_collections/continuity/dr/requirements.txt",
]

#: Keeps its command line, and the secrets as they stand now; a drill leaves a journal. `-m venv` makes more of itself.
STUB = """#!/bin/bash
said="${0##*/} $*"
call="$CALLS/$(ls "$CALLS" | wc -l)"
mkdir "$call"
printf '%s' "$said" > "$call/said"
stat -c %a . > "$call/directory"
[ ! -d secrets ] || cp -a secrets "$call/secrets"
case "$said" in
"python3 -m venv "*) mkdir -p "$3/bin" && tee "$3/bin"/{python3,ansible-galaxy,ansible-playbook} < "$0" > /dev/null
    chmod +x "$3/bin"/* ;;
*drill*) mkdir -p runs/one && echo journal > runs/one/journal.jsonl ;;
*report*) [ ! -d runs/one ] || echo page > runs/one/report.html ;;
esac
case "$said" in $FAILS) exit 2 ;; esac
"""


class Runner:
    """A CI server's machine: a checkout of the consumer's project, stubs on PATH, what they saw in `calls`."""

    def __init__(self, top, fails, programs, umask):
        self.top, self.project, self.umask = top, top / "project", umask
        shutil.copytree(CONSUMER, self.project, ignore=shutil.ignore_patterns("secrets", "runs", "collections"))
        (top / "calls").mkdir()
        (top / "bin").mkdir()
        for name in programs:
            (top / "bin" / name).write_text(STUB)
            (top / "bin" / name).chmod(0o755)
        self.path = f"{top / 'bin'}:/usr/bin:/bin"
        self.base = {"CALLS": str(top / "calls"), "FAILS": fails}
        self.failed = False
        self.uploaded = None

    def bash(self, script, options, **environment):
        """Whether the script ended well."""
        return not subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", *options, "-c", script],
            cwd=self.project,
            env={**self.base, "PATH": self.path, **environment},
            umask=self.umask,
            check=False,
            timeout=60,
        ).returncode

    def upload(self):
        """What the artifact would hold, and whether secrets were still there."""
        files = sorted(str(path.relative_to(self.project)) for path in (self.project / "runs").rglob("*.*"))
        self.uploaded = {"files": files, "secrets": (self.project / "secrets").exists()}

    @property
    def calls(self):
        folders = sorted((self.top / "calls").iterdir(), key=lambda path: int(path.name))
        return {(folder / "said").read_text(): folder for folder in folders}

    def leaks(self):
        """Files that hold a planted secret; the CI server's own store is not below the project."""
        kept = [path for path in self.project.rglob("*") if path.is_file()]
        kept += [path for path in (self.top / "temp").rglob("*") if path.is_file()]
        return [path.name for path in kept for secret in SECRETS.values() if secret in path.read_text(errors="replace")]


def load(name):
    return yaml.load((CONSUMER / name).read_text(encoding="utf-8"), yaml.BaseLoader)


def github(top, fails):
    """Run the steps as GitHub does: each in a shell of its own, after a failure only those that always run."""
    runner = Runner(top, fails, ["curl", "python3"], 0o022)
    (top / "temp").mkdir()
    added = top / "added_to_path"
    added.touch()
    store = {"secrets": SECRETS, "vars": VARIABLES}
    for step in load(".github/workflows/drill.yml")["jobs"]["drill"]["steps"]:
        assert step.get("if") in (None, "always()")
        if runner.failed and "if" not in step:
            continue
        if step.get("uses", "").startswith("actions/upload-artifact@"):
            runner.upload()
        if "run" not in step:
            continue
        given = {
            name: re.sub(r"\$\{\{ (\w+)\.(\w+) \}\}", lambda found: store[found[1]][found[2]], value)
            for name, value in step.get("env", {}).items()
        }
        runner.path = ":".join([*added.read_text().split(), f"{top / 'bin'}:/usr/bin:/bin"])
        well = runner.bash(step["run"], ["-e"], RUNNER_TEMP=str(top / "temp"), GITHUB_PATH=str(added), **given)
        runner.failed |= not well and step.get("continue-on-error") != "true"
    return runner


def gitlab(top, fails):
    """Run the job as GitLab does: before_script and script in one shell, after_script always, in a directory that
    everybody may write and without a umask."""
    runner = Runner(top, fails, ["apt-get", "curl", "python3", "ansible-galaxy", "ansible-playbook"], 0o000)
    runner.project.chmod(0o777)
    job, store = load(".gitlab-ci.yml")["drill"], top / "store"
    store.mkdir()
    given = {name: VARIABLES[name] for name in ("CONTINUITY_ARCHIVE",)}
    for name in FILES.values():  # variables of type File
        (store / name).write_text({**SECRETS, **VARIABLES}[name])
        (store / name).chmod(0o666)
        given[name] = str(store / name)
    options = ["-e", "-o", "pipefail"]
    runner.failed = not runner.bash("\n".join(job["before_script"] + job["script"]), options, **given)
    runner.bash("\n".join(job["after_script"]), options, **given)
    if job["artifacts"]["when"] == "always" or not runner.failed:
        runner.upload()
    return runner


@pytest.fixture(params=[github, gitlab], ids=["github", "gitlab"])
def pipeline(request, tmp_path):
    """`pipeline("*drill*")`: the pipeline's whole job, in which every command of that pattern fails."""
    return lambda fails="": request.param(tmp_path, fails)


def test_the_drill_finds_every_secret_in_its_file_and_nobody_else_may_read_it(pipeline):
    runner = pipeline()
    assert not runner.failed
    seen = runner.calls[DRILL] / "secrets"
    assert {path.name: path.read_text().strip() for path in seen.iterdir()} == {
        file: {**SECRETS, **VARIABLES}[name] for file, name in FILES.items()
    }
    assert {stat.filemode(path.stat().st_mode) for path in seen.iterdir()} == {"-rw-------"}
    assert stat.filemode(seen.stat().st_mode) == "drwx------"
    assert not int((runner.calls[DRILL] / "directory").read_text(), 8) & stat.S_IWOTH  # or ansible.cfg is not read
    assert [(seen / name).read_text()[-1] for name in ("tsig", "canary")] == ["g", "y"]  # a newline would be part of it


def test_the_archive_is_installed_before_the_drill_and_the_report_built_after_it(pipeline):
    calls = [said for said in pipeline().calls if not said.startswith(("apt-get", "python3 -m venv"))]
    assert calls == [*INSTALLED, DRILL, REPORT]


@pytest.mark.parametrize("fails", ["", DRILL, "*continuity.dr.*", REPORT, "ansible-galaxy*"])
def test_no_secret_is_left_whatever_failed(pipeline, fails):
    runner = pipeline(fails)
    assert runner.failed is (fails not in ("", REPORT))
    assert not (runner.project / "secrets").exists()
    assert runner.leaks() == []
    assert runner.uploaded["secrets"] is False


def test_what_the_secrets_were_for_is_over_when_the_report_is_built(pipeline):
    assert not (pipeline().calls[REPORT] / "secrets").exists()


def test_a_failed_drill_is_reported_and_kept(pipeline):
    runner = pipeline(DRILL)
    assert REPORT in runner.calls
    assert runner.uploaded["files"] == ["runs/one/journal.jsonl", "runs/one/report.html"]


def test_without_the_collection_there_is_no_drill(pipeline):
    runner = pipeline("ansible-galaxy*")
    assert DRILL not in runner.calls and runner.failed


def test_a_drill_begins_by_schedule_or_by_hand_and_with_no_commit():
    assert set(load(".github/workflows/drill.yml")["on"]) == {"schedule", "workflow_dispatch"}
    rules = [{"if": f'$CI_PIPELINE_SOURCE == "{source}"'} for source in ("schedule", "web")]
    assert load(".gitlab-ci.yml")["drill"]["rules"] == rules


def test_reports_are_kept_for_more_than_a_year():
    upload = load(".github/workflows/drill.yml")["jobs"]["drill"]["steps"][-1]
    assert int(upload["with"]["retention-days"]) > 366
    days, unit = load(".gitlab-ci.yml")["drill"]["artifacts"]["expire_in"].split()
    assert unit == "days" and int(days) > 366
