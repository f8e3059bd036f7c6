# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run does once so that its workers do not: in a process of its own, as in Ansible."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COLLECTIONS = Path(__file__).resolve().parents[4] / "build" / "collections"
WITH_ANSIBLES_FINDER = f"""
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder([{str(COLLECTIONS)!r}])._install()
"""
UTILS = "ansible_collections.continuity.dr.plugins.plugin_utils"


def run(code, cache):
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(cache), "PYTHONPATH": ""}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", WITH_ANSIBLES_FINDER + code],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_module_is_compiled_once_and_found_again(tmp_path):
    code = f"import sys\nfrom {UTILS}.core import waves\nprint(type(waves.__loader__).__name__, waves.__cached__)"
    loader, cached = run(code, tmp_path)
    assert loader == "SourceFileLoader"
    written = Path(cached).stat()
    assert run(code, tmp_path) == [loader, cached]
    assert (Path(cached).stat().st_mtime_ns, Path(cached).stat().st_ino) == (written.st_mtime_ns, written.st_ino)


def test_a_module_that_is_not_there_is_missing_as_ever(tmp_path):
    code = f"""
try:
    import {UTILS}.core.no_such_module
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(code, tmp_path) == [f"{UTILS}.core.no_such_module"]


def test_what_every_worker_needs_is_loaded_and_what_is_not_there_is_no_error(tmp_path):
    code = f"""
import gc, sys
from {UTILS} import warm
warm.load(["ssh", "continuity.dr.service", "no.such.connection", "None"])
parts = ["filter.core", "test.core", "connection.ssh", "shell.sh"]
loaded = "\\n".join(sys.modules)
print(*(f"ansible.plugins.{{part}}" in loaded for part in parts), gc.get_freeze_count() > 10000)
"""
    assert run(code, tmp_path) == ["True"] * 5
