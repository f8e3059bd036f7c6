# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fault matrix: every fault of the catalogue is tried in the lab while oracles watch from outside Ansible."""

from __future__ import annotations

import sys
from pathlib import Path

# The lab's own modules, and helpers of its tests, are used by their plain names, as the lab's commands use them.
_LAB = Path(__file__).resolve().parents[1] / "lab"
for _folder in (_LAB, _LAB / "verbs"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))
