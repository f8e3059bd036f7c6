# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Templates as Python keeps its modules: compiled once, and not for every run that waits for its report."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket


class KeptTemplates(FileSystemBytecodeCache):
    """What was compiled, in `__pycache__` beside the templates; where nothing can be written, nothing is kept."""

    def __init__(self) -> None:
        self._folder = Path(__file__).resolve().parent / "templates" / "__pycache__"
        super().__init__(str(self._folder), "%s.jinja.pyc")

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template, unless Python was told to keep nothing."""
        if sys.dont_write_bytecode:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            super().dump_bytecode(bucket)
