# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the plugins are made of."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType


class KeptCompiled:
    """Finds the modules below this package as Python finds any other, with what it compiled earlier in `__pycache__`.

    Ansible's own finder of collections compiles a module each time it is imported, in every run: a fifth of a second
    that a failover has to wait for. Ansible loads the plugins themselves as this class does.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Where a module is; None for those that are not ours."""
        if not name.startswith(f"{__name__}."):
            return None
        specs = (FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name) for folder in path or ())
        return next((spec for spec in specs if spec is not None), None)


# Before Ansible's finder, and only before that one; outside Ansible there is none, and Python's own finds the modules
_finders = [type(finder).__name__ for finder in sys.meta_path]
if "_AnsibleCollectionFinder" in _finders:
    sys.meta_path.insert(_finders.index("_AnsibleCollectionFinder"), KeptCompiled)
