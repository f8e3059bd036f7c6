# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection and its peers, side by side: one lab, one run, one client. README.md says how."""

from __future__ import annotations

import sys
from pathlib import Path

# The lab's own modules (tests/lab) are used as the lab's commands use them: by their plain names. The collection has
# its import name below build/collections (`make collection`).
_CHECKOUT = Path(__file__).resolve().parents[1]
for _folder in (_CHECKOUT / "tests" / "lab", _CHECKOUT / "build" / "collections"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))
