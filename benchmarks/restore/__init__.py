# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores and backups beside bare pgBackRest, on this machine and without the lab."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.where import CHECKOUT, STATE

# The real server of the unit tests (tests/tools) is used by its plain name, as they do
if str(CHECKOUT / "tests" / "tools") not in sys.path:
    sys.path.append(str(CHECKOUT / "tests" / "tools"))

HERE = Path(__file__).resolve().parent
GOALS = HERE / "goals.json"
RESULTS = HERE.parent / "restore.json"
PAGE = CHECKOUT / "docs" / "benchmarks_restore.md"
#: Data, repository and what is restored; deleted after the run
PLACE = STATE / "restore"
