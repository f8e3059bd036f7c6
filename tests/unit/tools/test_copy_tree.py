# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The copy that the gates judge and the archive is built from: what git would take, committed or not, nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from copy_tree import copy_tree


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    top = tmp_path / "checkout"
    (top / "plugins").mkdir(parents=True)
    (top / ".gitignore").write_text("/build/\n", encoding="utf-8")
    (top / "plugins" / "new.py").write_text("x = 1\n", encoding="utf-8")
    (top / "build").mkdir()
    (top / "build" / "junk").write_text("", encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    return top


def held(target: Path) -> set[str]:
    return {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}


def test_it_takes_what_git_does_not_ignore(checkout: Path, tmp_path: Path) -> None:
    assert copy_tree(checkout, tmp_path / "copy") == 2
    assert held(tmp_path / "copy") == {".gitignore", "plugins/new.py"}


def test_it_follows_changes_and_removals(checkout: Path, tmp_path: Path) -> None:
    copy_tree(checkout, tmp_path / "copy")
    (checkout / "plugins" / "new.py").unlink()
    (checkout / "README.md").write_text("# dr\n", encoding="utf-8")
    (checkout / ".gitignore").write_text("/build/\n/runs/\n", encoding="utf-8")
    copy_tree(checkout, tmp_path / "copy")
    assert held(tmp_path / "copy") == {".gitignore", "README.md"}
    assert not (tmp_path / "copy" / "plugins").exists()
    assert (tmp_path / "copy" / ".gitignore").read_text(encoding="utf-8") == "/build/\n/runs/\n"


@pytest.mark.parametrize("target", ["checkout", ".", "checkout/plugins", "other"])
def test_nothing_is_deleted_where_it_copies_from_nor_in_another_checkout(
    checkout: Path, tmp_path: Path, target: str
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "other")], check=True)
    before = held(tmp_path)
    with pytest.raises(ValueError, match="allowed: a directory for the copy alone"):
        copy_tree(checkout, tmp_path / target)
    assert held(tmp_path) == before
