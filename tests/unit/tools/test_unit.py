# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""tests/tools/unit: what fails among many is tried once more alone, and what is broken fails still."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "tools" / "unit"
BY_CHANCE = """
import pathlib, pytest
@pytest.mark.parametrize("word", ["one", "two words"])
def test_by_chance(word):
    seen = pathlib.Path(__file__).with_name(word.replace(" ", "_"))
    assert seen.exists() or seen.touch()
def test_sound(): pass
"""
BROKEN = """
import pytest
@pytest.mark.parametrize("n", range({count}))
def test_broken(n): assert n < 0
"""


def unit(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(tests, encoding="utf-8")
    return subprocess.run(
        [UNIT, folder / "kept", "-n", "2", "-c", "/dev/null", folder / "test_it.py"],
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_fails_by_chance_is_told_and_is_no_failure(tmp_path: Path) -> None:
    done = unit(tmp_path, BY_CHANCE)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()[-1]
    assert said.startswith("passed only alone: ") and "[one]" in said and "[two words]" in said and "sound" not in said


@pytest.mark.parametrize(("count", "again"), [(1, True), (5, True), (6, False)])
def test_what_is_broken_fails_and_many_are_no_chance(tmp_path: Path, count: int, again: bool) -> None:
    done = unit(tmp_path, BROKEN.format(count=count))
    assert done.returncode == 1
    assert ("once more, alone" in done.stdout) == again
    assert "passed only alone" not in done.stdout


def test_a_run_without_a_test_is_no_success(tmp_path: Path) -> None:
    assert unit(tmp_path, "").returncode == 5
