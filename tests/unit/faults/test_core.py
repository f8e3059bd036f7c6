# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The core set, which CI runs: what it holds, and that it fails when anything fails or when nothing was judged."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import harness
import pytest
from topology import CHECKOUT

from tests.faults import __main__ as program
from tests.faults import catalogue, kill_points, page, results, schedules

FAULTS = CHECKOUT / "tests" / "tools" / "faults"
#: What each of them shows, and nothing else does so cheaply.
CORE = {
    "F01": "a dead machine, proven off by a fence device",
    "F02": "a crashed database whose machine lives",
    "F04": "a primary that somebody still sees is not failed over",
    "F12": "a refusal for the possible loss",
    "F26": "two operators",
    "control-fence": "the same procedures fail where the fence is broken",
}


def test_the_core_set_is_what_it_should_be() -> None:
    every = [*catalogue.read(), *catalogue.read("controls")]
    core = {fault.id: fault for fault in every if fault.core}
    assert set(core) == set(CORE)
    assert not [fault.id for fault in core.values() if fault.missing], "a core fault is tried"
    assert core["F01"].procedure is catalogue.function("primary.machine_dead")
    assert core["F02"].procedure is catalogue.function("primary.process_dead")
    assert core["F04"].procedure is catalogue.function("primary.no_login")
    assert core["F12"].procedure is catalogue.function("replica.lag_over_rpo")
    assert core["F26"].procedure is catalogue.function("controllers.same_direction")
    assert core["control-fence"].procedure is catalogue.function("controls.broken_fence")
    assert {fault.service for fault in core.values()} == {"payments-db", "accounts-db"}


def test_the_oracles_planted_violations_are_part_of_it() -> None:
    source = (CHECKOUT / "tests" / "faults" / "test_oracles.py").read_text(encoding="utf-8")
    assert "@pytest.mark.core\ndef test_every_oracle_fires_for_every_service(" in source


@pytest.fixture
def tools(tmp_path: Path) -> Any:
    """Run the tool with a `python` that only writes its words down, and fails where they hold a word."""
    said = tmp_path / "said"
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$*" >>{said}\ncase "$*" in *"$FAILS"*) [ -z "$FAILS" ] || exit 1 ;; esac\n', encoding="utf-8"
    )
    python.chmod(0o755)

    def run(*words: str, fails: str = "", **more: str) -> tuple[int, list[str], str]:
        said.unlink(missing_ok=True)
        path = f"{tmp_path}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "FAILS": fails, "FAULT_SEED": "", **more}
        done = subprocess.run(
            [FAULTS, *words], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, said.read_text(encoding="utf-8").splitlines(), done.stdout

    return run


def test_the_tool_runs_each_part_of_the_core_set(tools: Any) -> None:
    rc, said, output = tools("--core", FAULT_SEED="77")
    assert rc == 0
    assert said == [
        "-m pytest -q -p no:cacheprovider tests/faults/test_oracles.py -m core",
        "-m tests.faults --core",
        "-m tests.faults.kill_points --sample 2 --seed 77",
    ]
    assert "seed 77" in output and " s: python -m tests.faults --core" in output


@pytest.mark.parametrize("fails", ["pytest", "faults --core", "kill_points"])
def test_a_part_that_fails_fails_the_tool_and_the_others_still_run(tools: Any, fails: str) -> None:
    rc, said, output = tools("--core", fails=fails)
    assert (rc, len(said)) == (1, 3)
    assert "failed: python -m" in output


def test_another_commit_has_other_kill_points(tools: Any, tmp_path: Path) -> None:
    def seed(commit: str) -> str:
        git = tmp_path / "git"
        git.write_text(f"#!/bin/sh\necho {commit}\n", encoding="utf-8")
        git.chmod(0o755)
        _rc, said, output = tools("--core")
        chosen = str(said[-1].rpartition(" ")[2])
        assert f"core set, seed {chosen}\n" in output
        return chosen

    assert seed("0000abc") == str(0xABC)
    assert seed("9ccfed2") == str(0x9CCFED2)


def test_everything_ends_with_the_page_and_named_faults_without(tools: Any) -> None:
    _rc, said, _output = tools()
    parts = [line.partition("-m ")[2].split(" ")[0] for line in said]
    assert parts == ["pytest", "tests.faults", "tests.faults.kill_points", "tests.faults.schedules", "tests.faults"]
    assert said[-1] == "-m tests.faults --page"
    assert tools("F01", "F12")[1] == ["-m tests.faults F01 F12"]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """No lab: what a fault ends with is told by its id, `passed` for all others. Nothing is written to the page."""
    ends: dict[str, str] = {}

    def run(fault: catalogue.Fault, _seed: int) -> dict[str, Any]:
        result = "not_applicable" if fault.missing else ends.get(fault.id, "passed")
        return {"id": fault.id, "result": result, "seen": "seen", "seconds": 0.0, "commit": "abc"}

    monkeypatch.setattr(program.runner, "run", run)
    monkeypatch.setattr(harness, "lab", lambda *_words: "")
    monkeypatch.setattr(results.add_faults, "__defaults__", (tmp_path / "faults.json", "faults"))
    monkeypatch.setattr(page, "PAGE", tmp_path / "untouched.md")
    return ends


def test_a_core_set_without_a_failure_ends_well(lab: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--core"]) == 0
    assert "faults 5/5 F26 passed" in capsys.readouterr().out


@pytest.mark.parametrize("failed", CORE)
def test_any_failure_fails_it(lab: dict[str, str], failed: str, capsys: pytest.CaptureFixture[str]) -> None:
    lab[failed] = "failed"
    assert program.main(["--core"]) == 1
    assert f"failed: {failed}" in capsys.readouterr().out


def test_nothing_that_was_tried_is_a_failure(
    lab: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[str] = []
    monkeypatch.setattr(harness, "lab", commands.append)
    assert program.main(["F16"]) == 1
    assert "nothing was tried" in capsys.readouterr().out
    assert commands == [], "where nothing was tried somebody else may be using the lab"
    monkeypatch.setattr(program, "_chosen", lambda parts, *_words: {part: [] for part in parts})
    assert program.main(["--core"]) == 1


def test_a_program_without_a_point_or_a_schedule_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_points, "try_all", lambda *_words, **_how: [])
    monkeypatch.setattr(schedules, "run_all", lambda *_words: [])
    assert kill_points.main(["--sample", "2"]) == 1
    assert schedules.main(["--seed", "1"]) == 1
