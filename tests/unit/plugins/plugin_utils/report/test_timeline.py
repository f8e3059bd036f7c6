# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.report.timeline import (
    NAMES,
    Window,
    axis,
    phases,
    steps_of,
)

STEPS = ["decide", "claim", "lease", "demote", "fence", "promote", "point", "verify", "rejoin", "release"]


def entries_of(*moments):
    """Entries (step, second) that were done, in this order."""
    entries = [{"seq": number, "step": step, "state": "done"} for number, (step, _at) in enumerate(moments)]
    return entries, {number: at for number, (_step, at) in enumerate(moments)}


@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.floats(0, 100)), max_size=12),
    st.floats(0, 50),
    st.floats(0, 50),
    st.sampled_from(["injected", "planned", "real"]),
    st.none() | st.floats(0, 100),
)
def test_phases_always_add_up_to_the_outage_and_none_is_negative(moments, start, length, trigger, began):
    entries, times = entries_of(*sorted(moments, key=lambda moment: moment[1]))
    window = Window(start, start + length)
    found = phases(entries, times, trigger=trigger, began=began, window=window)
    assert tuple(found) == NAMES
    known = [seconds for seconds in found.values() if seconds is not None]
    assert min(known) >= 0
    assert sum(known) == pytest.approx(length, abs=1e-5)


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.floats(0, 100)), max_size=12), st.none() | st.floats(0, 100))
def test_without_a_measurement_no_phase_of_a_client_is_known(moments, began):
    entries, times = entries_of(*sorted(moments, key=lambda moment: moment[1]))
    found = phases(entries, times, trigger="real", began=began, window=None)
    assert found["client"] is None and found["detect"] is None
    assert all(seconds is None or seconds >= 0 for seconds in found.values())


def test_a_phase_without_an_entry_is_unknown_and_its_time_goes_to_the_next():
    entries, times = entries_of(("decide", 2.0), ("promote", 3.0), ("verify", 3.5))
    found = phases(entries, times, trigger="injected", began=1.5, window=Window(1.0, 4.0))
    assert found == {
        "detect": 0.5,
        "decide": 0.5,
        "fence": None,
        "promote": 1.0,
        "redirect": None,
        "verify": 0.5,
        "client": 0.5,
    }


def test_what_was_armed_ended_when_it_acted_and_not_when_its_step_collected_it():
    entries, times = entries_of(("demote", 1.2), ("promote", 2.0), ("point", 3.0))
    for entry, acted in zip(entries, (None, 1.3, 1.4), strict=True):
        entry["monotonic_ns"] = round(times[entry["seq"]] * 1e9)
        entry["data"] = {"armed_monotonic_ns": round(acted * 1e9)} if acted else {}
    found = phases(entries, times, trigger="planned", began=0.5, window=Window(1.0, 1.5))
    told = {name: seconds for name, seconds in found.items() if seconds}
    assert told == pytest.approx({"fence": 0.2, "promote": 0.1, "redirect": 0.1, "client": 0.1})


def test_what_comes_after_a_phase_does_not_move_its_end():
    entries, times = entries_of(("decide", 1.0), ("fence", 2.0), ("promote", 3.0), ("claim", 3.5), ("decide", 3.6))
    found = phases(entries, times, trigger="real", began=0.5, window=Window(0.0, 4.0))
    assert (found["decide"], found["fence"], found["promote"], found["client"]) == (0.5, 1.0, 1.0, 1.0)


def test_a_client_that_writes_again_before_the_verification_ends_the_outage():
    entries, times = entries_of(("promote", 1.0), ("point", 2.0), ("verify", 9.0))
    found = phases(entries, times, trigger="planned", began=0.0, window=Window(0.5, 2.5))
    assert (found["promote"], found["redirect"], found["verify"], found["client"]) == (0.5, 1.0, 0.5, 0.0)


def entry(seq, time, monotonic):
    return {"seq": seq, "time": time, "monotonic_ns": monotonic}


def test_a_wall_clock_that_was_set_meanwhile_changes_no_difference():
    times = axis(
        [
            entry(1, "1970-01-01T00:01:40.000000Z", 5_000_000_000),
            entry(2, "1970-01-01T01:00:00.000000Z", 6_500_000_000),
        ]
    )
    assert times == {1: 100.0, 2: 101.5}


def test_after_a_restart_of_the_controller_the_wall_clock_counts():
    times = axis(
        [
            entry(1, "1970-01-01T00:01:40.000000Z", 5_000_000_000),
            entry(2, "1970-01-01T00:02:40.000000Z", 1_000_000_000),
            entry(3, "1970-01-01T00:09:99.000000Z", 2_000_000_000),
        ]
    )
    assert times == {1: 100.0, 2: 160.0, 3: 161.0}


def test_steps_that_run_at_several_members_at_once_are_told_apart():
    entries = [
        {"seq": 1, "step": "lease", "state": "started", "data": {"member": "db1"}},
        {"seq": 2, "step": "lease", "state": "started", "data": {"member": "db2"}},
        {"seq": 3, "step": "lease", "state": "done", "data": {"member": "db2"}},
        {"seq": 4, "step": "lease", "state": "failed", "data": {"member": "db1", "msg": "no answer"}},
        {"seq": 5, "step": "outcome", "state": "failed", "data": {}},
    ]
    rows = steps_of(entries, {1: 1.0, 2: 1.5, 3: 2.0, 4: 4.0, 5: 5.0})
    assert [(row["member"], row["state"], row["seconds"], row["message"]) for row in rows] == [
        ("db1", "failed", 3.0, "no answer"),
        ("db2", "done", 0.5, ""),
    ]


def test_a_step_without_a_begin_has_no_length():
    (row,) = steps_of([{"seq": 1, "step": "decide", "state": "done", "data": {}}], {1: 1.0})
    assert (row["state"], row["seconds"], row["began"]) == ("done", None, "1970-01-01T00:00:01.000000Z")
