# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where things are."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
LAB = CHECKOUT / "tests" / "lab"
STATE = CHECKOUT / "build" / "bench"  # keys, ledgers, what verbs wrote: never committed
RESULTS = HERE / "results.json"
PAGE = CHECKOUT / "docs" / "benchmarks.md"
PLOT = CHECKOUT / "docs" / "benchmarks.svg"
BOUNDS = HERE / "bounds.json"
