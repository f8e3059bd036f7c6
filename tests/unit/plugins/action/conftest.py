# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import journal, run


@pytest.fixture
def fence_journal(tmp_path):
    """`fence_journal(fence)`: the journal of a run that fences, looks and releases. Only the look is not in it."""

    def path_of(fence):
        run.forget()
        begun = run.begin(
            verb="failover", inputs={}, plan={}, services={"payments-db": {}}, runs_directory=str(tmp_path / "runs")
        )
        try:
            for state in ("fenced", "proven", "released"):
                fence(state)
        finally:
            run.forget()
        path = Path(journal.path_of(begun.directory, "payments-db"))
        assert [(e["step"], e["state"]) for e in journal.read(path)] == [
            (s, e) for s in ("fence", "release") for e in ("started", "done")
        ]
        return path

    return path_of
