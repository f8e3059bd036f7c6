# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A gate that cannot fail is none: what each one runs, how strict it is, and that a finding of any program fails it."""

from __future__ import annotations

import configparser
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).resolve().parents[3]
MAKEFILE = (TOP / "Makefile").read_text(encoding="utf-8")
STAGES = (
    "lint types docs-lint docs build sanity importer lab molecule unit unit-oldest verbs consumer drill-restore faults "
    "bench-guard"
)

#: Every program that a gate starts, in order, with what makes it strict.
STARTED = {
    "lint": [
        "ruff check --quiet --output-format concise",
        "ruff format --check --quiet --output-format concise",
        "yamllint --strict .",
        "ansible-lint --offline --nocolor -q",
    ],
    "types": [
        "mypy --config-file mypy.ini -p ansible_collections.continuity.dr.plugins",
        "mypy --config-file mypy.ini -p benchmarks -p tests.faults",
    ],
    "docs_lint": [
        "antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck --validate-collection-refs self .",
        "antsibull-changelog lint",
    ],
}
#: Appends its command line to CALLS; ends with 1 where that is the one in FAILS.
STUB = '#!/bin/sh\nsaid="${0##*/} $*"\necho "$said" >> "$CALLS"\n[ "$said" != "$FAILS" ] || { echo finding; exit 1; }\n'


def gate(tmp_path: Path, name: str, fails: str) -> tuple[int, list[str]]:
    """Exit code of a gate whose programs are stubs, and what it started."""
    for program in {line.split()[0] for line in STARTED[name]}:
        (tmp_path / program).write_text(STUB, encoding="utf-8")
        (tmp_path / program).chmod(0o755)
    calls = tmp_path / "calls"
    path = f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin"
    code = subprocess.run(
        ["bash", str(TOP / "tests" / "tools" / name)],
        cwd=tmp_path,
        env={"PATH": path, "CALLS": str(calls), "FAILS": fails},
        stdout=subprocess.DEVNULL,
        check=False,
        timeout=60,
    ).returncode
    return code, calls.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", STARTED)
def test_a_gate_starts_every_program_and_passes_without_a_finding(tmp_path: Path, name: str) -> None:
    assert gate(tmp_path, name, "") == (0, STARTED[name])


@pytest.mark.parametrize(("name", "fails"), [(name, line) for name, lines in STARTED.items() for line in lines])
def test_a_finding_of_any_program_fails_its_gate(tmp_path: Path, name: str, fails: str) -> None:
    code, calls = gate(tmp_path, name, fails)
    assert code != 0 and fails in calls


def test_linters_run_also_after_one_of_them_found_something(tmp_path: Path) -> None:
    assert gate(tmp_path, "lint", STARTED["lint"][0])[1] == STARTED["lint"]


@pytest.mark.parametrize(
    ("said", "code", "accepted"),
    [
        ("INFO: Starting import", 0, True),
        ("INFO: 1 WARNING: in the middle of a line is somebody's text", 0, True),
        ("WARNING: No changelog found", 0, False),
        ("ERROR: Invalid collection metadata", 0, False),
        ("INFO: Starting import", 1, False),
    ],
)
def test_the_importer_fails_on_errors_and_on_warnings(tmp_path: Path, said: str, code: int, accepted: bool) -> None:
    for folder in ("environment/bin", "dist"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dist" / "continuity-dr-1.0.0.tar.gz").touch()
    python = tmp_path / "environment" / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit {code}\n', encoding="utf-8")
    python.chmod(0o755)
    command = ["bash", str(TOP / "tests" / "tools" / "importer"), "environment", "dist"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode == 0) == accepted
    assert ("importer: accepted continuity-dr-1.0.0.tar.gz" in done.stdout) == accepted
    assert accepted or said in done.stderr


def recipe(target: str) -> list[str]:
    """The commands of a target."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE)
    assert found, f"no target {target}"
    return [line.strip() for line in found[1].splitlines()]


def test_a_test_run_has_every_stage() -> None:
    found = re.search(r"^STAGES \?= (.*)$", MAKEFILE, re.MULTILINE)
    assert found and found[1] == STAGES
    assert recipe("test")[-1] == "python tests/tools/stages.py $(STAGES)"


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("lint", "tests/tools/lint"),
        ("types", "tests/tools/types"),
        ("docs-lint", "tests/tools/docs_lint"),
        ("docs", "tests/tools/docs_build build/docs"),
        ("sanity", "python tests/tools/sanity.py $(COPY)"),
        ("importer", "tests/tools/importer .venv-importer build/dist"),
        ("unit", "tests/tools/unit build/cache/unit $(AT_ONCE) $(PYTEST_ARGS)"),
        ("unit-oldest", "tests/tools/oldest .venv-oldest 3.11 $(AT_ONCE) $(PYTEST_ARGS)"),
        ("molecule", "python tests/tools/scenarios.py $(SCENARIOS)"),
        ("verbs", "python -m pytest -p share -p no:cacheprovider tests/lab/verbs $(VERBS) $(PYTEST_ARGS)"),
        ("consumer", "python -m pytest -p no:cacheprovider tests/consumer $(PYTEST_ARGS)"),
        ("faults", "tests/tools/faults $(FAULTS)"),
        ("bench-guard", 'python -m benchmarks.guard --rounds "$(BENCH_ROUNDS)"'),
    ],
)
def test_the_exit_code_of_a_stage_is_that_of_its_program(target: str, command: str) -> None:
    assert recipe(target) == [command]


def test_a_test_run_tries_what_it_has_time_for(tmp_path: Path) -> None:
    """All of the faults take hours; without the word a test run would not end, with another none would be tried."""
    (tmp_path / "Makefile").write_text(
        "faults verbs molecule lab:\n\t@echo given: $(FAULTS)$(VERBS)$(SCENARIOS)\n", encoding="utf-8"
    )
    stages = [sys.executable, str(TOP / "tests/tools/stages.py"), "lab", "molecule", "verbs", "faults"]
    subprocess.run(stages, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "build/log/faults.log").read_text() == "given: --core\n"
    assert (tmp_path / "build/log/verbs.log").read_text() == "given: --share=commit\n"
    assert (tmp_path / "build/log/molecule.log").read_text() == "given: --share=commit\n"
    assert (tmp_path / "build/log/lab.log").read_text() == "given:\n"


def test_what_measures_has_the_machine_to_itself_and_what_needs_the_lab_is_not_aside() -> None:
    stages = runpy.run_path(str(TOP / "tests/tools/stages.py"))
    made = {name: stages["stage"](name, STAGES.split()) for name in STAGES.split()}
    assert {name for name, job in made.items() if job.alone} == {"bench-guard"}
    assert not {name for name, job in made.items() if job.aside and (name == "lab" or job.needs)}
    # Alone, a part has the whole machine
    assert not stages["stage"]("unit", ["lint", "unit"]).aside


@pytest.mark.parametrize("target", ["molecule", "verbs", "consumer", "drill-restore", "faults", "bench-guard"])
def test_what_works_in_the_lab_is_not_begun_without_one(target: str) -> None:
    assert STAGES.split().index("lab") < STAGES.split().index(target)
    assert runpy.run_path(str(TOP / "tests/tools/stages.py"))["NEEDS"][target] == "lab"


def test_make_ignores_no_failure() -> None:
    assert re.search(r"^\.SHELLFLAGS := -euo pipefail -c$", MAKEFILE, re.MULTILINE)
    assert not re.search(r"^\t[@+]*-|^\.IGNORE|^MAKEFLAGS.*(--ignore-errors|--keep-going|-i\b|-k\b)", MAKEFILE, re.M)


def test_ansible_lint_has_its_strictest_profile_and_no_exception() -> None:
    settings = yaml.safe_load((TOP / ".ansible-lint").read_text(encoding="utf-8"))
    assert settings["profile"] == "production" and settings["strict"] is True
    assert not {"skip_list", "warn_list", "mock_modules", "mock_roles", "only_builtins_allow_modules"} & set(settings)
    assert not [path for path in (".ansible-lint-ignore", ".config/ansible-lint-ignore.txt") if (TOP / path).exists()]
    made = {".venv", ".venv-oldest", ".venv-importer", "build", "runs", "changelogs/changelog.yaml"}
    assert set(settings["exclude_paths"]) == made


def test_yamllint_reads_all_that_is_written_by_hand() -> None:
    settings = yaml.safe_load((TOP / ".yamllint").read_text(encoding="utf-8"))
    made = {".venv", ".venv-*", ".ansible", "build", "runs", "changelogs/changelog.yaml"}
    assert settings["extends"] == "default" and set(settings["ignore"]) == made
    assert {name for name, rule in settings["rules"].items() if rule in ("disable", False)} == {
        "comments-indentation",
        "document-start",
    }


def test_types_are_strict_and_most_of_all_in_the_core() -> None:
    settings = configparser.ConfigParser()
    settings.read(TOP / "mypy.ini", encoding="utf-8")
    assert settings["mypy"].getboolean("strict")
    core = settings["mypy-ansible_collections.continuity.dr.plugins.plugin_utils.core.*"]
    assert dict(core) == dict.fromkeys(
        ("disallow_subclassing_any", "disallow_untyped_decorators", "warn_return_any"), "true"
    )
    quiet = {"ignore_errors", "exclude", "disable_error_code", "follow_imports"}
    ours = [name for name in settings.sections() if name in ("mypy",) or "continuity" in name]
    assert [(name, key) for name in ours for key in settings[name] if key in quiet] == []


def test_a_warning_of_a_test_run_is_a_failure() -> None:
    settings = configparser.ConfigParser()
    settings.read(TOP / "pytest.ini", encoding="utf-8")
    assert settings["pytest"]["filterwarnings"].split() == ["error"]
    assert {"--strict-markers", "--strict-config"} <= set(settings["pytest"]["addopts"].split())
    assert settings["pytest"].getboolean("xfail_strict")
    assert settings["pytest"]["testpaths"].split() == ["tests/unit", "tests/lab/test_lab.py"]
