# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""That the goal is reached is no error."""

from __future__ import annotations

from harness import Result


def test_there_is_nothing_to_do(said: dict[str, Result]) -> None:
    for mode, run in said.items():
        assert (run.rc, run.changed, run.report["verdict"]) == (0, 0, "nothing_to_do"), f"{mode}: {run.output}"
        assert "payments-db: nothing to do" in run.output
