# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest

from tests.faults.points import PROCEDURES, SERVICES, Point, Wish, between, following, points_of, sampled


def entries(*said: str) -> list[dict[str, Any]]:
    return [dict(zip(("step", "state"), each.split(), strict=True)) for each in said]


PLANNED = entries(
    "decide done",
    "claim done",
    "arm started",
    "arm done",
    "demote started",
    "demote done",
    "promote done",
    "point done",
)
UNPLANNED = entries("decide done", "fence done", "promote started", "promote done", "point done", "release done")


def test_every_line_is_a_point() -> None:
    points = points_of("shop", PROCEDURES["rejoin"], entries("decide done", "claim started", "claim done"))
    assert points == [Point("shop", "rejoin", line) for line in (1, 2, 3)]


def test_what_is_armed_is_spared_while_something_is_armed() -> None:
    points = points_of("shop", PROCEDURES["switchover"], PLANNED)
    assert [point.line for point in points if point.special == "armed"] == [3, 4, 5, 6, 7]


def test_the_site_is_left_by_a_run_that_is_half_done() -> None:
    points = points_of("shop", PROCEDURES["failover"], UNPLANNED)
    assert [point.line for point in points if point.special == "site"] == [3, 4, 5]
    assert {point.special for point in points} == {"", "site"}


def test_a_step_that_never_came_makes_no_points() -> None:
    assert between(PLANNED, ("fence", "point")) == []
    assert between(entries("arm done", "demote done"), ("arm", "point")) == []


def test_the_same_seed_gives_the_same_sample() -> None:
    assert sampled(9, 7) == sampled(9, 7)
    assert sampled(9, 7) != sampled(9, 8)


@pytest.mark.parametrize("seed", range(20))
def test_a_sample_has_every_verb_and_every_service(seed: int) -> None:
    assert {wish.verb for wish in sampled(4, seed)} == set(PROCEDURES)
    assert {wish.service for wish in sampled(2, seed)} == set(SERVICES)
    assert len({(wish.service, wish.verb) for wish in sampled(8, seed)}) == 8


def test_a_wish_is_a_point_of_its_verb_the_first_and_the_last_too() -> None:
    every = points_of("payments-db", PROCEDURES["failover"], UNPLANNED)
    assert Wish("payments-db", "failover", 0.0).point(UNPLANNED) == every[0]
    assert Wish("payments-db", "failover", 0.999999).point(UNPLANNED) == every[-1]
    shares = [number / 100 for number in range(100)]
    assert {Wish("payments-db", "failover", share).point(UNPLANNED) for share in shares} == set(every)


def test_the_next_point_begins_as_the_service_stands() -> None:
    points = [Point("shop", verb, 1) for verb in ("failover", "rejoin", "failback")]
    assert following(points, "healthy").verb == "failover"
    assert following(points, "failed_over").verb == "rejoin"
    assert following(points, "moved").verb == "failover"
    assert following(points[:1], "failed_over").verb == "failover"


def test_what_follows_a_procedure_is_never_far() -> None:
    """Each but the planned move ends where another begins, so that nothing has to be brought about in between."""
    starts = {procedure.start for procedure in PROCEDURES.values()}
    assert {verb for verb, procedure in PROCEDURES.items() if procedure.end in starts} == {"failover", "failback"}


def test_a_point_is_read_from_its_name() -> None:
    for name in ("payments-db:failover:12", "accounts-db:switchover:3:armed", "payments-db:failover:4:site"):
        assert str(Point.read(name)) == name
    for name in ("failover:1", "shop:failover:1", "payments-db:failover:0", "payments-db:failover:x"):
        with pytest.raises(SystemExit, match="SERVICE:VERB:LINE"):
            Point.read(name)
    for name in ("payments-db:restore:1", "payments-db:failover:1:other", "payments-db:failover:1:site:x"):
        with pytest.raises(SystemExit, match="payments-db, accounts-db"):
            Point.read(name)
