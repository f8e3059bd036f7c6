# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep a copy of the working tree as a collection directory: everything git does not ignore, committed or not.

ansible-test wants a real directory named ``ansible_collections/<namespace>/<name>`` and no link to one, and an archive
must not hold what lies about in somebody's checkout. Only what changed is copied, so that caches keyed by time stay
warm.

Example: ``copy_tree.py build/copy/ansible_collections/continuity/dr``
"""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
from pathlib import Path


def wanted(top: Path) -> set[str]:
    """Name the files below ``top`` that git tracks or would track, and that are still there."""
    listing = subprocess.run(
        ["git", "-C", str(top), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in listing.stdout.split("\0") if name and (top / name).is_file()}


def copy_tree(top: Path, target: Path) -> int:
    """Make ``target`` hold exactly the wanted files of ``top``; return how many files it holds.

    What else is in ``target`` is deleted: a checkout, or what holds a file to be copied, is refused (ValueError).
    """
    files = wanted(top)
    inside = target.resolve()
    if (target / ".git").exists() or any((top / name).resolve().is_relative_to(inside) for name in files):
        raise ValueError(f"{target}: holds what is to be copied; allowed: a directory for the copy alone")
    target.mkdir(parents=True, exist_ok=True)
    for old in target.rglob("*"):
        if not old.is_dir() and str(old.relative_to(target)) not in files:
            old.unlink()
    for name in files:
        source, copy = top / name, target / name
        if copy.is_file() and filecmp.cmp(source, copy) and source.stat().st_mode == copy.stat().st_mode:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy)
    for directory in sorted((d for d in target.rglob("*") if d.is_dir()), reverse=True):
        if not any(directory.iterdir()):
            directory.rmdir()
    return len(files)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: copy_tree.py TARGET (copies this checkout; everything else in TARGET is deleted)")
    copy_tree(Path(__file__).resolve().parents[2], Path(sys.argv[1]))
