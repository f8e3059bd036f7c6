# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A test run that hides a failure would be worth nothing: the runner of stages and scenarios fails when it must."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jobs import Job, run_all

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs go below the current directory."""
    monkeypatch.chdir(tmp_path)


def shell(name: str, script: str, needs: str = "", refused: str = "", aside: bool = False, alone: bool = False) -> Job:
    return Job(name, ["sh", "-c", script], needs, refused, aside=aside, alone=alone)


def test_everything_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all([shell("lint", "echo no findings"), shell("scenarios/a", "echo 3 passed")]) == 0
    said = capsys.readouterr().out
    assert "lint: ok in 0 s  no findings" in said
    assert said.endswith("2 passed, 0 failed\n")
    assert Path("build/log/scenarios/a.log").read_text(encoding="utf-8") == "3 passed\n"


def test_a_failure_shows_its_end_and_the_rest_still_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all([shell("unit", "seq 100; exit 3"), shell("build", "echo built")]) == 1
    said = capsys.readouterr().out
    assert "unit: FAILED" in said
    assert "    100\n    -- all of it: build/log/unit.log" in said
    assert "\n    40\n" not in said
    assert "build: ok" in said
    summary, again = said.split("1 passed, 1 failed\n")
    assert summary and again.startswith("unit ended with\n    76\n") and "    100\n" in again


def test_what_needs_a_failed_job_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all([shell("lab", "exit 1"), shell("molecule", "touch ran", needs="lab")]) == 1
    assert "molecule: not run, lab failed" in capsys.readouterr().out
    assert not Path("ran").exists()


def test_what_could_not_begin_in_time_is_told_as_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    late, soon = Job("late", ["touch", "ran"], within=-1.0), Job("soon", ["true"], within=60.0)
    assert run_all([late, soon]) == 0
    said = capsys.readouterr().out
    assert not Path("ran").exists()
    assert "late: skipped in 0 s" in said and said.endswith("1 passed, 0 failed, 1 skipped\n")


def test_jobs_run_aside_from_the_start_and_none_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    wait = "for try in $(seq 500); do [ -e {} ] && exit 0; sleep 0.02; done; exit 1"
    # Each ends only when it sees the other: one after another they could not.
    lab = shell("lab", "touch lab; " + wait.format("lint"))
    lint = shell("lint", "touch lint; " + wait.format("lab"), aside=True)
    types = shell("types", "touch types; " + wait.format("stories"), aside=True)
    broken = shell("unit", "exit 3", aside=True)
    assert run_all([lab, lint, types, broken, shell("molecule", "touch stories; " + wait.format("types"))]) == 1
    said = capsys.readouterr().out
    assert all(f"{name}: ok" in said for name in ("lab", "lint", "types", "molecule"))
    assert "unit: FAILED" in said
    assert "\n4 passed, 1 failed\n" in said


def test_one_that_measures_waits_for_all_that_runs_aside() -> None:
    # It goes on for a moment: whatever began meanwhile would have been seen
    unit = shell("unit", "for try in $(seq 25); do [ ! -e began ] || exit 1; sleep 0.02; done; touch ended", aside=True)
    assert run_all([shell("lab", "true"), unit, shell("bench-guard", "touch began; test -e ended", alone=True)]) == 0


def test_what_runs_aside_leaves_the_others_the_machine() -> None:
    own = int(subprocess.run(["nice"], capture_output=True, text=True, check=True).stdout)
    assert run_all([shell("lint", "nice > aside", aside=True), shell("lab", "nice > lab")]) == 0
    assert int(Path("lab").read_text()) == own
    assert int(Path("aside").read_text()) == min(own + 5, 19)


def test_a_success_that_left_something_out_is_a_failure() -> None:
    assert run_all([shell("story", "echo Missing playbook; exit 0", refused="Missing playbook")]) == 1
    assert run_all([shell("story", "echo all there; exit 0", refused="Missing playbook")]) == 0


def test_a_stage_that_was_skipped_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    oldest = Job("unit-oldest", ["echo", "skipped: no Python 3.11"], may_skip=True)
    assert run_all([shell("unit", "echo 3 passed"), oldest]) == 0
    said = capsys.readouterr().out
    assert "unit-oldest: skipped in 0 s" in said
    assert "  unit-oldest  skipped      0 s  no Python 3.11\n" in said
    assert said.endswith("1 passed, 0 failed, 1 skipped\n")


def test_a_failure_is_not_called_skipped_and_nobody_else_may_skip(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all([Job("unit-oldest", ["sh", "-c", "echo skipped: it; exit 1"], may_skip=True)]) == 1
    assert "unit-oldest: FAILED" in capsys.readouterr().out
    assert run_all([shell("unit", "echo skipped: it")]) == 0
    assert "unit: ok" in capsys.readouterr().out


def test_a_stage_keeps_its_reason_on_the_way_through_make(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("unit-oldest lint:\n\t@echo skipped: it\n", encoding="utf-8")
    stages = [sys.executable, str(CHECKOUT / "tests/tools/stages.py"), "unit-oldest", "lint"]
    done = subprocess.run(stages, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "  unit-oldest  skipped      0 s  it\n  lint         ok           0 s\n" in done.stdout


@pytest.fixture
def oldest(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Ask for a Python that no machine has, on one with the given programs: exit code and last line."""

    def oldest(ci: str, **programs: str) -> tuple[int, str]:
        for name, script in {"apt_cache": "exit 100", **programs}.items():
            path = tmp_path / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            path.chmod(0o755)
        done = subprocess.run(
            ["tests/tools/oldest", str(tmp_path / "venv"), "3.99"],
            cwd=CHECKOUT,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "CONTINUITY_CI": ci},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()[-1]

    return oldest


NO_PYTHON = "skipped: this machine has no working Python 3.99"


def test_without_the_oldest_python_the_stage_says_so(oldest: Callable[..., tuple[int, str]]) -> None:
    assert oldest("", apt_cache="exit 0", pyenv="exit 0") == (0, NO_PYTHON)


@pytest.mark.parametrize(
    ("programs", "how"),
    [({"apt_cache": "exit 0"}, "apt-get install python3.99-venv"), ({"pyenv": "exit 0"}, "pyenv install 3.99")],
    ids=["apt", "pyenv"],
)
def test_in_ci_it_fails_where_that_python_could_be_had(
    oldest: Callable[..., tuple[int, str]], programs: dict[str, str], how: str
) -> None:
    assert oldest("1", **programs) == (1, f"CI has no working Python 3.99, and it could be had here: {how}")


def test_in_ci_it_is_skipped_where_that_python_cannot_be_had(oldest: Callable[..., tuple[int, str]]) -> None:
    assert oldest("1") == (0, NO_PYTHON)
