# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A test run that hides a failure would be worth nothing: the runner of stages and scenarios fails when it must."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs import Job, run_all


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs go below the current directory."""
    monkeypatch.chdir(tmp_path)


def shell(name: str, script: str, needs: str = "", refused: str = "") -> Job:
    return Job(name, ["sh", "-c", script], needs, refused)


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
    assert said.endswith("1 passed, 1 failed\n")


def test_what_needs_a_failed_job_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all([shell("lab", "exit 1"), shell("molecule", "touch ran", needs="lab")]) == 1
    assert "molecule: not run, lab failed" in capsys.readouterr().out
    assert not Path("ran").exists()


def test_a_success_that_left_something_out_is_a_failure() -> None:
    assert run_all([shell("story", "echo Missing playbook; exit 0", refused="Missing playbook")]) == 1
    assert run_all([shell("story", "echo all there; exit 0", refused="Missing playbook")]) == 0
