# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection and its peers, side by side: one lab, one run, one client. README.md says how."""

from __future__ import annotations

import sys
from pathlib import Path

# The lab's own modules (tests/lab) are used as the lab's commands use them: by their plain names.
_LAB = str(Path(__file__).resolve().parents[1] / "tests" / "lab")
if _LAB not in sys.path:
    sys.path.append(_LAB)
