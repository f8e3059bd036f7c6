# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The archive holds the collection and nothing that lies about in the tree it was packed from."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from copy_tree import copy_tree

TOP = Path(__file__).resolve().parents[3]
#: What commands of this project, editors and people leave in a working tree.
PLANTED = (
    ".ansible/tmp/x",
    ".benchmarks/x",
    ".cache/x",
    ".ci/log/x",
    ".coverage",
    ".DS_Store",
    ".env",
    ".hypothesis/examples/x",
    ".idea/x",
    ".mypy_cache/3.13/x.json",
    ".nox/x",
    ".pytest_cache/v/x",
    ".ruff_cache/x",
    ".vault_pass",
    ".venv/bin/python",
    ".venv-importer/bin/python",
    ".venv-oldest/bin/python",
    ".venv3/bin/python",
    ".vscode/x",
    "build/lab/secrets/tsig",
    "collections/x",
    "continuity-dr-0.0.1.tar.gz",
    "docs/.DS_Store",
    "docs/plan.md~",
    "playbooks/.assess.yml.swp",
    "plugins/__pycache__/x.pyc",
    "plugins/action/old.pyc",
    "runs/20261122T031500Z-3f9a/report.json",
    "tests/output/x",
    "vault.key",
    "venv/bin/python",
    "x.egg-info/PKG-INFO",
    "x.log",
)
STAYS = ("inventories/lab/", "extensions/molecule/", "changelogs/fragments/", "requirements-")
TOOLS = {".gitignore", ".yamllint", "Makefile", "mypy.ini", "pytest.ini", "ruff.toml"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of an archive of this tree, packed where it stands after a long day."""
    place = tmp_path_factory.mktemp("archive")
    tree = place / "continuity" / "dr"
    copy_tree(TOP, tree)
    for name in PLANTED:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("x", encoding="utf-8")
    command = ["-m", "ansible", "galaxy", "collection", "build", str(tree), "--output-path", str(place)]
    environment = {**os.environ, "HOME": str(place), "ANSIBLE_HOME": str(place / "home")}
    subprocess.run([sys.executable, *command], env=environment, check=True, capture_output=True)
    (archive,) = place.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        return {member.name for member in opened.getmembers() if member.isfile()}


def test_nothing_that_lies_about_is_packed(packed: set[str]) -> None:
    assert sorted(packed & set(PLANTED)) == []
    assert sorted(name for name in packed if name.startswith(".")) == [".ansible-lint"]  # galaxy.yml says why


def test_tools_and_tests_of_this_repository_stay_out(packed: set[str]) -> None:
    folders = {name.split("/")[0] for name in packed if "/" in name}
    assert folders <= {"changelogs", "docs", "extensions", "inventories", "meta", "playbooks", "plugins", "roles"}
    assert sorted(packed & TOOLS) == []
    assert not [name for name in packed if name.startswith(STAYS)]


def test_what_an_operator_needs_is_packed(packed: set[str]) -> None:
    shipped = ("docs", "inventories/marketplace", "meta", "playbooks", "plugins", "roles")
    tracked = subprocess.run(
        ["git", "-C", str(TOP), "ls-files", "-z", *shipped], check=True, capture_output=True, text=True
    ).stdout.split("\0")
    assert sorted({name for name in tracked if name and (TOP / name).is_file()} - packed) == []
    beside = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "requirements.txt", "changelogs/config.yaml"}
    assert beside <= packed
