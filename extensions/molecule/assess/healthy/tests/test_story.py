# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Both services could be moved now; asking is free."""

from __future__ import annotations

from harness import Result


def test_both_services_could_be_moved(said: dict[str, Result]) -> None:
    for mode, run in said.items():
        assert (run.rc, run.changed, run.report["verdict"]) == (0, 0, "passed"), f"{mode}: {run.output}"
        for service in ("payments-db", "accounts-db"):
            assert f"{service}: could be moved now, db1 -> db2" in run.output, f"{mode}: {run.output}"
