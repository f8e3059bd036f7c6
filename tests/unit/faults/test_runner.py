# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fault that breaks off has failed: no earlier result may stand for it."""

from __future__ import annotations

from subprocess import TimeoutExpired
from typing import Any

import harness
import pytest

from tests.faults import catalogue, runner


@pytest.mark.parametrize("how", ["nodes", "program"])
def test_a_fault_whose_tests_hang_has_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, how: str) -> None:
    def hangs(words: list[str], seconds: float, _more: Any) -> None:
        raise TimeoutExpired(words, seconds)

    monkeypatch.setattr(harness, "ended", hangs)
    monkeypatch.setattr(runner, "PLACE", tmp_path)
    fault = next(each for each in catalogue.read() if getattr(each, how) and not each.procedure and not each.missing)
    entry = runner.run(fault, 1)
    assert (entry["id"], entry["result"]) == (fault.id, "failed")
    assert entry["seen"].startswith("broken off by TimeoutExpired")
