# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from benchmarks import figures
from benchmarks.figures import Row

SECOND = 10**9


def row(seq: int, at: float, outcome: str = "acknowledged") -> Row:
    return Row(seq, outcome, int(at * SECOND) - 1, int(at * SECOND), "198.51.100.11")


def test_the_outage_is_the_longest_time_between_two_acknowledged_rows() -> None:
    rows = [row(1, 1.0), row(2, 1.5), row(3, 1.6, "in_doubt"), row(4, 1.8, "refused"), row(5, 2.75), row(6, 2.8)]
    assert figures.longest_gap(rows, 0) == 1.25


def test_a_gap_that_was_over_before_the_case_began_is_not_its_outage() -> None:
    rows = [row(1, 1.0), row(2, 4.0), row(3, 4.1), row(4, 4.6)]
    assert figures.longest_gap(rows, int(4.2 * SECOND)) == pytest.approx(0.5)


def test_a_case_that_nobody_acknowledged_has_no_outage_of_zero() -> None:
    with pytest.raises(ValueError, match="no two rows"):
        figures.longest_gap([row(1, 1.0), row(2, 2.0, "refused")], 0)


def test_lost_is_what_was_acknowledged_and_is_not_there() -> None:
    rows = [row(1, 1.0), row(2, 1.1), row(3, 1.2, "in_doubt"), row(4, 1.3, "refused"), row(5, 1.4)]
    assert figures.lost(rows, [1, 3]) == 2
    assert figures.lost(rows, [1, 2, 5]) == 0


def test_a_summary_keeps_the_worst_as_it_was() -> None:
    assert figures.summary([0.31, 0.1, 9.0, 0.2]) == {"min": 0.1, "median": 0.255, "max": 9.0, "n": 4}


def test_losses_of_all_repetitions_are_added() -> None:
    samples = [
        {"outage_seconds": 0.1, "wall_seconds": 1.0, "lost": 0},
        {"outage_seconds": 0.3, "wall_seconds": 2.0, "lost": 3},
    ]
    assert figures.summarise(samples)["lost"] == 3


def test_what_was_not_measured_has_no_ratio() -> None:
    cases = {
        "floor": {"measure": "outage_seconds", "floor": "floor", "outage_seconds": {"median": 0.2}},
        "case": {"measure": "outage_seconds", "floor": "floor", "outage_seconds": {"median": 0.5}},
        "failed": {"measure": "outage_seconds", "floor": "floor"},
        "alone": {"measure": "outage_seconds", "floor": "nowhere", "outage_seconds": {"median": 0.5}},
    }
    assert [figures.ratio(cases, name) for name in cases] == [1.0, 2.5, None, None]
