# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes `ansible_collections.continuity.dr` importable from a plain checkout, for pytest and for what it starts."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTIONS = CHECKOUT / "build" / "collections"


def _importable() -> bool:
    try:
        return importlib.util.find_spec("ansible_collections.continuity.dr") is not None
    except ModuleNotFoundError:
        return False


if not _importable():  # ansible-test and an installed collection bring their own path
    link = COLLECTIONS / "ansible_collections" / "continuity" / "dr"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path("..") / ".." / ".." / "..")
    sys.path.insert(0, str(COLLECTIONS))

settings.register_profile("continuity", deadline=None)  # a busy machine is no error
settings.load_profile("continuity")


@pytest.fixture
def run_ansible(tmp_path):
    """`run_ansible("playbook", "verb.yml", "-e", "scope=all")` below the test's own directory, as a user with no
    ansible.cfg and no ANSIBLE_ variables would. Returns the finished process; `stdout` holds both streams."""
    from ansible_collections.continuity.dr import plugins

    def run(command, *arguments, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        paths = f"{_collections_of(plugins)}:{tmp_path / 'collections'}"
        clean.update(HOME=str(tmp_path), NO_COLOR="1", ANSIBLE_COLLECTIONS_PATH=paths)
        return subprocess.run(
            [sys.executable, "-m", "ansible", command, *map(str, arguments)],
            cwd=tmp_path,
            env={**clean, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def _collections_of(package):
    return Path(next(iter(package.__path__))).parents[3]
