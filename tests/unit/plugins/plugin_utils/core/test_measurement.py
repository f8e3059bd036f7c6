# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ledgers drawn as text: one character is one write, 0.1 s apart.

a, b: acknowledged by the old primary (timeline 1) and the new one (timeline 2); B: by a new one at the old address;
s: in recovery; x: by another cluster; o: by the new address, on the
old timeline; r: refused; d: in doubt; space: the client was not writing.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import Row, Server
from ansible_collections.continuity.dr.plugins.plugin_utils.core.measurement import Fenced, measure, ranges
from ansible_collections.continuity.dr.plugins.plugin_utils.core.outage import Expected

SERVERS = {
    "a": Server("198.51.100.11", 5432, "77", 1),
    "b": Server("203.0.113.11", 5432, "77", 2),
    "B": Server("198.51.100.11", 5432, "77", 2),
    "s": Server("203.0.113.11", 5432, "77", 2, in_recovery=True),
    "x": Server("203.0.113.11", 5432, "99", 2),
    "o": Server("203.0.113.11", 5432, "77", 1),
}
NEW = Expected("77", 2, frozenset({"203.0.113.11"}))
BASE = 1000.0  # wall clock of the first write


def rows(drawing: str) -> list[Row]:
    found = []
    for index, char in enumerate(drawing):
        if char == " ":
            continue
        at, ns = BASE + index * 0.1, index * 100_000_000
        server = SERVERS.get(char)
        outcome = {"r": "refused", "d": "in_doubt"}.get(char, "acknowledged")
        address = server.address if server else "198.51.100.11"
        found.append(Row(index + 1, outcome, at, at, ns, ns, address, 5432, server))
    return found


def at(index: int) -> float:
    return BASE + index * 0.1


# drawing, fault at this index, outage in tenths of a second (None: unknown)
STORIES = [
    ("aaaaaaaaaarrrrbbbbbbbbbb", 10, 5),  # the plain failover
    ("aaaaaaaaaadrrrbbbbbbbbbb", 9, 5),  # the fault noted a little early
    ("aaaaaaaaaadrrrbbbbbbbbbb", 12, 5),  # and a little late
    ("aaaaaaaaaarrbrrbbbbbbbbb", 10, 6),  # a first write that is refused again does not stop the clock
    ("aaaaaaaaaarrarrbbbbbbbbb", 10, 6),  # the old one's last sign of life does not start it anew
    ("arraaaaaaaarrbbbbbbbbbbb", 10, 3),  # an earlier blip is another story
    ("aaaaaaaaaabbbbbbbbbbbbbb", 10, 1),  # without a refused write
    ("aaaaaaaaaa     bbbbbbbbb", 10, 6),  # without any write
    ("aaaaaaaaaarrrrbbb", 10, None),  # not yet stable
    ("aaaaaaaaaarrrrrrr", 10, None),  # still down
    ("rrrrbbbbbbbbbbbb", 0, None),  # nothing before it
    ("bbbbbbbbbbbbbbbb", 5, None),  # nothing was interrupted
    ("aaaaaaaaaarrrraaaaaaaaaa", 10, None),  # the old primary came back instead
    ("aaaaaaaaaarrrrssssssssss", 10, None),  # acknowledged in recovery: nonsense, and no service
    ("aaaaaaaaaarrrrxxxxxxxxxx", 10, None),  # another cluster behind the name
    ("aaaaaaaaaarrrrBBBBBBBBBB", 10, None),  # the right timeline at the wrong address
    ("aaaaaaaaaarrrroooooooooo", 10, None),  # the right address on the timeline of before
]


@pytest.mark.parametrize(("drawing", "fault", "tenths"), STORIES)
def test_a_failover_is_measured_from_its_fault(drawing, fault, tenths) -> None:
    found = measure(rows(drawing), fault_time=at(fault), expected=NEW, stable_for_seconds=0.5)
    assert found.outage.seconds == (None if tenths is None else pytest.approx(tenths / 10))
    assert bool(found.outage.why_unknown) == (tenths is None)


@pytest.mark.parametrize(
    ("drawing", "tenths"),
    [
        ("aaaaaaaaaarrrrbbbbbbbbbb", 5),
        ("aaraaaaaaarrrrbbbbbbbbbb", 5),  # a blip before is not the switchover
        ("aaaaaaaaaarrarrbbbbbbbbb", 6),
        ("aaaarrbbbbbbbbbb", 3),  # shorter than a stable service, but all there is
        ("rraaaarrbbbbbbbbbb", None),  # the window begins inside an interruption
        ("bbbbbbbbbb", None),
    ],
)
def test_a_planned_change_interrupts_the_last_stable_service(drawing, tenths) -> None:
    found = measure(rows(drawing), expected=NEW, stable_for_seconds=0.5)
    assert found.outage.seconds == (None if tenths is None else pytest.approx(tenths / 10))


@pytest.mark.parametrize(
    ("drawing", "fault", "tenths"),
    [
        ("aaaaarraaaaarrrraaaaaaaaa", None, 5),  # the longest one
        ("aaaaarrrrraaaaarraaaaaaaa", 13, 3),  # the one since the fault
        ("aaaaarrrraaarraaaaaaaaaaa", None, 10),  # served again only for a moment
        ("aaaaaaaaaaaaaaaaaaaaaaaaa", None, 1),  # the longest gap of a service that never broke
        ("aaaa  aaaaaaaaaaaaaaaaaaa", None, 3),
        ("aaaaaaaaaarrrrrrr", None, None),  # it has not ended
        ("aaaaaaaaaarrrraa", None, None),  # not yet stable
        ("a", None, None),
    ],
)
def test_without_a_change_of_primary_the_outage_is_the_longest_gap(drawing, fault, tenths) -> None:
    fault_time = None if fault is None else at(fault)
    found = measure(rows(drawing), fault_time=fault_time, stable_for_seconds=0.5)
    assert found.outage.seconds == (None if tenths is None else pytest.approx(tenths / 10))


def test_a_window_tells_two_changes_of_one_ledger_apart() -> None:
    one = rows("aaaaaaaaaarrbbbbbbbbbbrrrrrBBBBBBBBBB")
    back = Expected("77", 2, frozenset({"198.51.100.11"}))
    over = measure(one, window_end=at(21), expected=NEW, stable_for_seconds=0.5)
    home = measure(one, window_start=at(13), expected=back, stable_for_seconds=0.5)
    assert over.outage.seconds == pytest.approx(0.3) and home.outage.seconds == pytest.approx(0.6)
    assert over.counts == {"acknowledged": 20, "refused": 2, "in_doubt": 0}


def test_nothing_acknowledged_is_unknown_and_not_zero() -> None:
    for drawing in ("", "rrrdrr"):
        found = measure(rows(drawing), expected=NEW, surviving=set()).to_dict()
        unknown = ("outage_seconds", "longest_gap_seconds", "resolution_seconds", "first_acknowledged", "lost_seconds")
        assert [found[key] for key in unknown] == [None] * len(unknown)
        assert found["stable"] is False and found["acknowledged"] == 0


def test_a_table_that_was_not_read_leaves_the_loss_unknown() -> None:
    found = measure(rows("aaaa")).to_dict()
    for key in ("compared", "lost", "lost_rows", "lost_ranges", "lost_seconds", "in_doubt_survived"):
        assert found[key] is None


def test_a_loss_is_counted_listed_and_timed() -> None:
    found = measure(rows("aaaaaaaadrbbbb"), surviving={1, 2, 3, 4, 5, 9, 11, 12, 13, 14}).to_dict()
    assert (found["compared"], found["lost"], found["lost_rows"], found["lost_ranges"]) == (12, 3, [6, 7, 8], [[6, 8]])
    assert found["lost_seconds"] == pytest.approx(0.3), "from row 5, which survived, to row 8"
    assert found["lost_seconds_at_least"] == pytest.approx(0.2)
    assert (found["in_doubt_survived"], found["refused_survived"]) == (1, 0)


def test_a_row_from_before_the_window_is_lost_all_the_same() -> None:
    found = measure(rows("aaaaaaaaaarrrrbbbbbbbbbb"), window_start=at(8), expected=NEW, surviving={1, 2, *range(5, 25)})
    assert found.loss.rows == (3, 4) and found.counts["acknowledged"] == 12


def test_a_ledger_that_begins_after_the_change_knows_of_no_loss() -> None:
    late = measure(rows("rrrbbbbbbbbbbbb"), expected=NEW, surviving=set(range(4, 16)), stable_for_seconds=0.5)
    assert (late.loss.rows, late.loss.seconds, late.to_dict()["lost"]) == (None, None, None)
    seen = measure(rows("arrbbbbbbbbbbbb"), expected=NEW, surviving=set(range(4, 16)), stable_for_seconds=0.5)
    assert seen.loss.rows == (1,)


def test_when_nothing_older_survived_the_lost_time_is_unknown() -> None:
    found = measure(rows("aaaabbbb"), surviving={5, 6, 7, 8}).to_dict()
    assert (found["lost"], found["lost_seconds"], found["lost_seconds_at_least"]) == (4, None, pytest.approx(0.3))


def test_rows_lost_in_an_earlier_stage_are_not_counted_twice() -> None:
    found = measure(rows("aaaaaa"), surviving={1, 2, 5}, already_lost={3, 4}).to_dict()
    assert (found["compared"], found["lost_rows"]) == (4, [6])


def test_a_refused_row_in_the_table_is_told() -> None:
    assert measure(rows("ara"), surviving={1, 2, 3}).loss.refused_survived == 1


def test_an_acknowledgement_of_a_fenced_member_is_counted_from_the_proof_to_the_release() -> None:
    member = frozenset({"198.51.100.11"})
    one = rows("aaaaabbbab")
    assert measure(one, fenced=[Fenced(member, since=at(5))]).fenced_rows == (9,)
    assert measure(one, fenced=[Fenced(member, since=at(9))]).fenced_rows == ()
    assert measure(one, fenced=[Fenced(member, since=at(3), until=at(8))]).fenced_rows == (4, 5)
    assert measure(one).to_dict()["acknowledged_by_fenced"] is None, "nobody was fenced: nothing is known"


def test_a_fenced_member_is_known_by_the_address_that_was_connected_to_as_well() -> None:
    row = rows("a")[0]
    behind_nat = Row(1, "acknowledged", row.sent, row.done, 0, 0, "192.0.2.7", 5432, SERVERS["a"])
    for address in ("192.0.2.7", "198.51.100.11"):
        assert measure([behind_nat], fenced=[Fenced(frozenset({address}), since=at(0))]).fenced_rows == (1,)


def test_an_old_primary_that_still_acknowledges_is_told_without_any_fence() -> None:
    found = measure(rows("aaaaaarrbbbbbbbbbba"), expected=NEW, stable_for_seconds=0.5)
    assert found.outage.seconds == pytest.approx(0.3) and found.old_primary_rows == (19,)
    assert not found.stable


def test_servers_are_listed_in_the_order_in_which_they_served() -> None:
    found = measure(rows("aarrbbb")).to_dict()["acknowledged_by"]
    assert [(one["address"], one["timeline"], one["acknowledged"]) for one in found] == [
        ("198.51.100.11", 1, 2),
        ("203.0.113.11", 2, 3),
    ]


def test_ranges() -> None:
    assert ranges([]) == [] and ranges([9, 3, 5, 4]) == [[3, 5], [9, 9]]


drawings = st.text(alphabet="abBsxrd ", max_size=60)
faults = st.none() | st.integers(0, 60).map(at)
expectations = st.sampled_from([None, NEW, Expected(), Expected("77"), Expected(timeline=1)])


@given(drawings, st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_lost_is_always_the_set_difference(drawing, surviving, already_lost) -> None:
    one = rows(drawing)
    acknowledged = {row.seq for row in one if row.outcome == "acknowledged"}
    found = measure(one, surviving=surviving, already_lost=already_lost)
    assert set(found.loss.rows) == acknowledged - surviving - already_lost
    assert (found.loss.seconds == 0.0) <= (not found.loss.rows), "no loss of rows is called a loss of 0 s"
    assert found.loss.seconds is None or found.loss.seconds >= found.loss.seconds_at_least >= 0


@given(drawings, faults, expectations, faults, faults, st.sampled_from([0.0, 0.3, 0.5]))
def test_an_outage_is_never_negative_and_lies_between_two_real_acknowledgements(
    drawing, fault, expected, start, end, stable
) -> None:
    one = rows(drawing)
    found = measure(
        one, window_start=start, window_end=end, fault_time=fault, expected=expected, stable_for_seconds=stable
    )
    outage = found.outage
    assert (outage.seconds is None) == bool(outage.why_unknown)
    if outage.seconds is not None:
        assert outage.seconds >= 0
        assert outage.before.acknowledged and outage.after.acknowledged
        assert expected is None or (expected.matches(outage.after) and not expected.matches(outage.before))
        assert fault is None or outage.after.done >= fault
    if not found.counts["acknowledged"]:
        assert outage.seconds is None and found.longest_gap_seconds is None
    assert found.longest_gap_seconds is None or found.longest_gap_seconds > 0


@given(drawings, st.integers(0, 60), st.integers(0, 60))
def test_a_fenced_acknowledgement_is_always_flagged(drawing, since, planted) -> None:
    one = [row for row in rows(drawing) if row.seq != planted + 1]
    moment = at(planted)
    one.append(
        Row(planted + 1, "acknowledged", moment, moment, planted * 10**8, planted * 10**8, None, None, SERVERS["a"])
    )
    found = measure(one, fenced=[Fenced(frozenset({"198.51.100.11"}), since=at(since))])
    assert (planted + 1 in found.fenced_rows) == (planted >= since)


@given(drawings, st.sampled_from([None, NEW]), st.sampled_from([0.0, 0.3, 0.5]))
def test_a_stable_end_means_an_unbroken_row_of_acknowledgements(drawing, expected, stable) -> None:
    one = rows(drawing)
    if measure(one, expected=expected, stable_for_seconds=stable).stable:
        tail = [row for row in one if row.done_ns >= one[-1].done_ns - stable * 1e9]
        assert all(row.acknowledged and row.server == one[-1].server for row in tail)
        assert expected is None or all(expected.matches(row) for row in tail)
