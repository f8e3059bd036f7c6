# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two services side by side in one lab: a reset waits for the other, and is done once for both."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import harness
import pytest
from harness import Result

from tests.faults import lanes
from tests.faults.lanes import Lane, Lanes
from tests.faults.points import SERVICES


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run, in its order; every verb ends well."""
    said: list[str] = []

    def run_verb(verb: str, *_words: str) -> Result:
        said.append(verb)
        return Result(0, "", 0.0)

    monkeypatch.setattr(harness, "lab", lambda *words: said.append(words[0]))
    monkeypatch.setattr(harness, "run_verb", run_verb)
    monkeypatch.setattr(Lane, "crash", lambda _self: said.append("crash"))
    monkeypatch.setattr(Lane, "timeline", lambda _self: 1)
    monkeypatch.setattr(Lane, "reading", lambda _self, _timeline: {"stands": said[-1]})
    monkeypatch.setattr(lanes.shutil, "copytree", lambda *_paths: None)
    return said


def lane(tmp_path: Path, stands: Any = "healthy") -> Lane:
    made = Lane("payments-db", tmp_path)
    made.after_reset()
    made.stands = stands
    return made


@pytest.mark.parametrize(
    ("stands", "start", "verbs"),
    [
        ("healthy", "healthy", []),
        ("healthy", "failed_over", ["crash", "failover"]),
        ("failed_over", "healthy", ["failback"]),
        ("moved", "healthy", ["failback"]),
        ("moved", "failed_over", ["failback", "crash", "failover"]),
    ],
)
def test_a_service_is_brought_to_where_a_procedure_begins(
    tmp_path: Path, ran: list[str], stands: str, start: str, verbs: list[str]
) -> None:
    brought = lane(tmp_path, stands)
    brought.bring(start)
    assert ran == ["assess", *verbs]
    assert brought.stands == start


def test_what_a_procedure_leaves_is_kept_only_from_its_own_begin(tmp_path: Path, ran: list[str]) -> None:
    brought = lane(tmp_path, "moved")
    brought.bring("failed_over")
    assert set(brought.expected) == {"failover"}
    brought.bring("healthy")
    assert set(brought.expected) == {"failover", "failback"}


def test_a_procedure_that_does_not_end_well_leaves_an_unknown_state(
    tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = lane(tmp_path)
    brought.bring("healthy")
    monkeypatch.setattr(harness, "run_verb", lambda *_words: Result(2, "refused", 0.0))
    with pytest.raises(AssertionError, match="ended with 2"):
        brought.bring("failed_over")
    assert brought.stands == ""


def test_a_reset_waits_for_what_runs_beside_and_is_done_once(tmp_path: Path, ran: list[str]) -> None:
    both = Lanes(SERVICES, tmp_path)
    first, other = both.lanes.values()
    with both.working(first):
        assert (ran, other.stands) == (["reset"], "healthy")
        other.stands = ""  # something went wrong there
        entered = threading.Event()

        def work() -> None:
            with both.working(other):
                entered.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert not entered.wait(0.2)
        assert ran == ["reset"]
    thread.join(5)
    assert entered.is_set()
    assert ran == ["reset", "reset"]
    assert (first.stands, other.stands) == ("healthy", "healthy")
