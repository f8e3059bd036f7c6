# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The mark of each verdict in the history: never the colour alone, and in the legend as in the drawing."""

from __future__ import annotations

from collections.abc import Mapping

#: colour, shape as the drawing library names it, the same shape as a character
MARKS: Mapping[str, tuple[str, str, str]] = {
    "passed": ("good", "o", "●"),
    "not_measured": ("client", "d", "◆"),
    "degraded": ("warn", "^", "▲"),
    "refused": ("warn", "v", "▼"),
    "objective_missed": ("bad", "s", "■"),
    "failed": ("bad", "X", "✖"),
}
