# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each commit tries half of the tests in the lab: no fewer, and sooner or later every one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from half import chosen

NAMES = [f"test_{number}" for number in range(51)]


def test_a_seed_names_the_same_half_in_whatever_order_they_come() -> None:
    assert chosen(NAMES, "b7ff106") == chosen(NAMES[::-1], "b7ff106")
    assert chosen(NAMES, "b7ff106") != chosen(NAMES, "f274aa3")


@pytest.mark.parametrize("count", range(6))
def test_half_is_never_less(count: int) -> None:
    assert len(chosen(NAMES[:count], "seed") & set(NAMES[:count])) == (count + 1) // 2


def test_ten_commits_try_them_all() -> None:
    assert set().union(*(chosen(NAMES, f"{seed:07x}") for seed in range(10))) == set(NAMES)


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    lines = [f"def test_{number}(): assert {number} != 3" for number in range(8)]
    (tmp_path / "test_all.py").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def ran(tests: Path, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "half", "-p", "no:cacheprovider", "--rootdir", str(tests)]
    done = subprocess.run(
        [*command, "-c", "/dev/null", *words, str(tests)],
        cwd=tests,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2] / "tools"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_without_the_option_all_of_them_run(tests: Path) -> None:
    code, said = ran(tests)
    assert code == 1 and "1 failed, 7 passed" in said


@pytest.mark.parametrize("broken", [True, False], ids=["with the broken one", "without it"])
def test_with_it_half_of_them_run_and_the_rest_is_counted(tests: Path, broken: bool) -> None:
    names = [f"test_all.py::test_{number}" for number in range(8)]
    seed = next(seed for seed in "abcdefgh" if ("test_all.py::test_3" in chosen(names, seed)) == broken)
    code, said = ran(tests, f"--half={seed}")
    assert code == (1 if broken else 0)
    assert f"half of the tests: --half={seed}" in said
    assert ("1 failed, 3 passed, 4 deselected" if broken else "4 passed, 4 deselected") in said


def test_the_commit_is_the_seed_and_elsewhere_there_is_one_as_well(tests: Path) -> None:
    assert "half of the tests: --half=none" in ran(tests, "--half=commit")[1]
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *words], cwd=tests, check=True)
    found = subprocess.run(
        ["git", "rev-parse", "--short=7", "HEAD"], cwd=tests, capture_output=True, text=True, check=True
    )
    assert f"half of the tests: --half={found.stdout.strip()}" in ran(tests, "--half=commit")[1]
