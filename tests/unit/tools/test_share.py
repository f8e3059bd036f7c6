# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each commit tries a share of the tests in the lab: never less than the least, and sooner or later every one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = str(Path(__file__).resolve().parents[2] / "tools")
#: Each says that it ran; the broken one fails.
TEST = """
def test_{number}():
    print("it", "ran:", {number})
    assert {number} != 3
"""


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    (tmp_path / "test_all.py").write_text("".join(TEST.format(number=number) for number in range(8)), encoding="utf-8")
    return tmp_path


def ran(tests: Path, *words: str) -> tuple[int, list[str], str]:
    """Exit code, which of them ran, in their order, and what was said."""
    command = [sys.executable, "-m", "pytest", "-p", "share", "-p", "no:cacheprovider", "--rootdir", str(tests), "-s"]
    done = subprocess.run(
        [*command, "-c", "/dev/null", *words, str(tests)],
        cwd=tests,
        env={"PYTHONPATH": TOOLS, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, re.findall(r"it ran: (\d)", done.stdout), done.stdout


def test_without_the_option_all_of_them_run_in_their_order(tests: Path) -> None:
    code, numbers, said = ran(tests)
    assert (code, numbers) == (1, list("01234567"))
    assert "share" not in said.replace(str(tests), "")


def test_with_time_all_of_them_run_in_the_order_of_the_seed(tests: Path) -> None:
    code, numbers, said = ran(tests, "--share=a")
    assert code == 1 and sorted(numbers) == list("01234567") != numbers
    assert ran(tests, "--share=a")[1] == numbers != ran(tests, "--share=b")[1]
    assert "a share of the tests: --share=a, 600 s, 12 at least" in said
    assert "share a: 0 tests were left out" in said


def test_once_the_time_is_over_the_least_were_tried_and_the_rest_is_counted(tests: Path) -> None:
    order = ran(tests, "--share=a")[1]
    place = order.index("3")
    for least in (place, place + 1):
        code, numbers, said = ran(tests, "--share=a", "--share-seconds=-1", f"--share-least={least}")
        assert numbers == order[:least]
        assert code == (1 if "3" in numbers else 0), "what is broken fails where it is tried"
        assert f"{8 - least} skipped" in said and f"share a: {8 - least} tests were left out" in said


def test_by_files_the_tests_of_a_file_stay_together_in_their_order(tests: Path) -> None:
    """Also where workers share the work: each of them has to find the same order."""
    for name, base in (("b", 10), ("c", 20), ("d", 30)):
        text = "".join(TEST.format(number=base + number) for number in range(3))
        (tests / f"test_{name}.py").write_text(text, encoding="utf-8")
    whole = ["0 1 2 3 4 5 6 7", "10 11 12", "20 21 22", "30 31 32"]
    orders = []
    for seed in "abcd":
        said = ran(tests, f"--share={seed}", "--share-files")[2]
        orders.append(" ".join(re.findall(r"it ran: (\d+)", said)))
        assert sorted(orders[-1].split()) == sorted(" ".join(whole).split())
        assert all(part in orders[-1] for part in whole)
    assert len(set(orders)) > 1
    code, _numbers, said = ran(tests, "--share=a", "--share-files", "--share-seconds=-1", "--share-least=1", "-n", "2")
    assert "15 skipped" in said and "share a: 15 tests were left out" in said, code


def test_the_commit_is_the_seed_and_elsewhere_there_is_one_as_well(tests: Path) -> None:
    assert "--share=none, " in ran(tests, "--share=commit")[2]
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *words], cwd=tests, check=True)
    asked = [*git, "rev-parse", "--short=7", "HEAD"]
    found = subprocess.run(asked, cwd=tests, capture_output=True, text=True, check=True)
    assert f"--share={found.stdout.strip()}, " in ran(tests, "--share=commit")[2]
