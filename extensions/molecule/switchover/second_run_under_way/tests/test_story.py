# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Of two runs the second is refused before it changes anything, and the first goes on as if nobody had come."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import story
from harness import Result


def test_the_run_that_holds_the_claim_is_named(refused: Callable[..., tuple[str, str]]) -> None:
    measured, limit = refused("claim_held", "accounts-db")
    assert measured.startswith("paused by ")
    assert limit == "no open claim of another run"


def test_it_says_how_long_the_claim_lasts_and_how_to_continue_a_dead_run(said: dict[str, Result]) -> None:
    for run in said.values():
        refusal = run.rules("accounts-db")["claim_held"]
        assert re.search(r"ends in \d+ s", refusal["message"])
        assert "continuity_run_id=paused" in refusal["hint"]


def test_the_first_run_ends_well(place: Path, answers: Callable[[str], set[str]]) -> None:
    first = story.resume(place)
    assert first.rc == 0, first.output
    assert answers("accounts-db") == {"203.0.113.11"}
