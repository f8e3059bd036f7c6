# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sanity test whose program is missing did not run: that is no success, whatever ansible-test's exit code says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from sanity import run

TOP = Path(__file__).resolve().parents[3]
NO_PROGRAM = 'WARNING: Required program "shellcheck" not found.'
NO_PYTHON = 'Skipping sanity test "import" on Python 3.13 because it could not be found.'
NO_ENVIRONMENT = 'Skipping sanity test "pylint" on Python 3.13 due to missing virtual environment support.'
UNSUPPORTED = 'Skipping sanity test "x" on Python 3.13 because it is unsupported. Supported Python versions: 3.12'


def say(tmp_path: Path, *lines: str, code: int = 0) -> int:
    script = "\n".join([*(f"echo '{line}' >&2" for line in lines), f"exit {code}"])
    return run(["sh", "-c", script], tmp_path, dict(os.environ))


@pytest.mark.parametrize("line", [NO_PROGRAM, NO_PYTHON, NO_ENVIRONMENT])
def test_a_test_that_was_left_out_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert say(tmp_path, 'Running sanity test "shellcheck"', line, line) == 1
    said = capsys.readouterr().out
    assert said.count("not everything ran:") == 1
    assert "make packages" in said
    assert "no findings" not in said


def test_everything_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert say(tmp_path, 'Running sanity test "shellcheck"', UNSUPPORTED) == 0
    assert capsys.readouterr().out.endswith("ansible-test sanity: no findings\n")


def test_findings_fail_as_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert say(tmp_path, "ERROR: tests/x.sh:1:1: SC2086", code=1) == 1
    assert "no findings" not in capsys.readouterr().out


def test_its_programs_are_installed_first() -> None:
    assert re.search(r"^sanity:.* packages\b", (TOP / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    packages = (TOP / "tests" / "tools" / "debian_packages.sh").read_text(encoding="utf-8")
    assert "need shellcheck program shellcheck" in packages
