# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files are those that the lab itself installs; a line taken out by hand is the one change of the next run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import story
from harness import LAB, Result


@pytest.fixture
def files(place: Path) -> Path:
    """Where the story's run wrote them."""
    return story.place(place) / "files"


def rules(path: Path) -> list[str]:
    """The lines of a file that are no comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted(line for line in lines if line.strip() and not line.startswith("#"))


@pytest.mark.parametrize("member", ["db1", "db2"])
def test_each_member_gets_the_sudoers_lines_that_the_lab_lives_with(files: Path, member: str) -> None:
    assert rules(files / f"{member}.sudoers") == rules(LAB / "member" / f"{member}.sudoers")


def test_the_zone_gets_its_update_policy(files: Path) -> None:
    assert "grant continuity name payments-db.shop.example. A;" in "".join(
        path.read_text(encoding="utf-8") for path in files.glob("*.update-policy")
    )


def test_a_line_taken_out_by_hand_is_the_one_change_of_the_next_run(verb: Callable[..., Result], files: Path) -> None:
    path = files / "db1.sudoers"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.partition("\n")[2], encoding="utf-8")
    again = verb("rights", "scope=all", "rights_login=continuity", f"rights_dir={files}")
    assert (again.rc, again.changed) == (0, 1), again.output
    assert path.read_text(encoding="utf-8") == whole


def test_check_mode_writes_nothing(verb: Callable[..., Result], tmp_path: Path) -> None:
    run = verb("rights", "scope=all", "rights_login=continuity", f"rights_dir={tmp_path / 'none'}", "--check")
    assert (run.rc, run.changed) == (0, 1), run.output
    assert not (tmp_path / "none").exists()
