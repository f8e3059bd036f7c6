# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes `ansible_collections.continuity.dr` importable from a plain checkout, for pytest and for what it starts."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

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
