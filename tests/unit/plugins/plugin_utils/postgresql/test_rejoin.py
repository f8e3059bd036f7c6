# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a member comes back: every row of the decision table, and what must hold for any member at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Upstream
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.rejoin import Branch, method

UPSTREAM = Upstream("203.0.113.132", 5432)
#: The new primary is on timeline 3; timeline 1 ended at 1000 and timeline 2 at 2000.
BRANCH = Branch("7301", 3, 3000, {1: 1000, 2: 2000})


def stopped(**changes: Any) -> Observation:
    """An old primary that was stopped cleanly on timeline 2, before its end."""
    values: dict[str, Any] = {
        "reachable": True,
        "running": False,
        "role": "none",
        "writable": False,
        "system_id": "7301",
        "timeline": 2,
        "position": 1999,
        "engine": {"stopped_cleanly": True, "standby_signal": False},
    }
    return Observation("db1", "dc1", **(values | changes))


def replica(**changes: Any) -> Observation:
    values = {"running": True, "role": "replica", "receiving": False, "upstream": None, "engine": {}}
    return stopped(**(values | changes))


RESTORED = {"member": "db2", "epoch": 8, "restored": True, "timeline": 3}
FOLLOWING = {"receiving": True, "upstream": "203.0.113.132:5432", "timeline": 3}
TABLE = [
    ("streams from the new primary already", replica(**FOLLOWING), "none"),
    ("streams from another member", replica(**FOLLOWING | {"upstream": "203.0.113.199:5432"}), "follow"),
    ("no usable data: no identifier", stopped(system_id=None), "clone"),
    ("no usable data: no timeline", stopped(timeline=None), "clone"),
    ("a rewind was cut off", stopped(engine={"rejoining": True}), "clone"),
    ("the primary's data was replaced", replica(promotion=RESTORED), "clone"),
    ("it was replaced, and the member was cloned since", replica(timeline=3, promotion=RESTORED), "follow"),
    ("it was replaced before the last promotion", replica(promotion={**RESTORED, "timeline": 2}), "follow"),
    ("same timeline, not ahead", stopped(timeline=3, position=3000), "follow"),
    ("same timeline, a running replica", replica(timeline=3, position=2500), "follow"),
    (
        "same timeline, a standby that crashed",
        stopped(timeline=3, position=None, engine={"standby_signal": True}),
        "follow",
    ),
    ("same timeline, not cleanly stopped and no standby", stopped(timeline=3, position=None, engine={}), "rewind"),
    ("older timeline, stopped before its end", stopped(), "follow"),
    ("two timelines back, stopped before its end", stopped(timeline=1, position=999), "follow"),
    ("older timeline, a replica before its end", replica(), "follow"),
    ("older timeline, at its end", stopped(position=2000), "rewind"),
    ("older timeline, past its end", stopped(position=2001), "rewind"),
    ("older timeline, a replica past its end", replica(position=2001), "rewind"),
    ("older timeline, crashed", stopped(position=None, engine={"stopped_cleanly": False}), "rewind"),
    ("a timeline that the new primary never was on", Observation(**{**stopped().__dict__, "timeline": 0}), "rewind"),
]


@pytest.mark.parametrize(("old", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_row_of_the_table(old, expected):
    assert method(old, BRANCH, UPSTREAM) == expected


REFUSED = [
    (replica(role="primary", timeline=3), "running_as_primary", "running as a primary"),
    (stopped(system_id="8"), "other_cluster", "8"),
    (stopped(system_id="8", engine={"rejoining": True}), "other_cluster", "8"),
    (stopped(timeline=4), "timeline_ahead", "4"),
    (replica(**FOLLOWING | {"timeline": 4}), "timeline_ahead", "4"),
    (stopped(timeline=3, position=3001), "position_ahead", "0/BB9"),
    (stopped(running=None, role="unknown", position=None, engine={}), "not_stopped", "does not answer"),
    (
        stopped(running=None, role="unknown", position=None, engine={"rejoining": True}),
        "not_stopped",
        "does not answer",
    ),
    (Observation("db1", "dc1"), "not_stopped", "does not answer"),
]


@pytest.mark.parametrize(("old", "rule", "measured"), REFUSED, ids=[f"{n}-{row[1]}" for n, row in enumerate(REFUSED)])
def test_what_cannot_be_done_safely_is_refused_with_both_values(old, rule, measured):
    refusal = method(old, BRANCH, UPSTREAM)
    assert isinstance(refusal, Refusal)
    assert (refusal.rule, refusal.measured) == (rule, measured)
    assert refusal.limit and refusal.hint and "db1 cannot become a replica" in refusal.message


def test_a_standby_that_is_still_starting_may_be_stopped_and_follow():
    starting = stopped(running=None, role="unknown", position=None, timeline=3, engine={"standby_signal": True})
    assert method(starting, BRANCH, UPSTREAM) == "follow"


MEMBERS = st.builds(
    Observation,
    member=st.just("db1"),
    site=st.just("dc1"),
    reachable=st.booleans(),
    running=st.sampled_from([True, False, None]),
    role=st.sampled_from(["primary", "replica", "none", "unknown"]),
    position=st.none() | st.integers(0, 4000),
    system_id=st.sampled_from(["7301", "7301", "7301", "8", None]),
    timeline=st.none() | st.integers(0, 5),
    receiving=st.sampled_from([True, False, None]),
    upstream=st.sampled_from(["203.0.113.132:5432", "other:1", None]),
    engine=st.fixed_dictionaries(
        {}, optional={"stopped_cleanly": st.booleans(), "standby_signal": st.booleans(), "rejoining": st.booleans()}
    ),
)


@given(MEMBERS)
def test_no_member_that_is_past_the_fork_ever_just_follows(old):
    if method(old, BRANCH, UPSTREAM) != "follow":
        return
    assert old.timeline is not None and old.timeline <= 3
    if old.timeline < 3:
        assert old.position is not None and old.position < BRANCH.ends[old.timeline]
    elif old.position is not None:
        assert old.position <= BRANCH.position


@given(MEMBERS)
def test_a_running_primary_and_another_database_are_always_refused(old):
    chosen = method(old, BRANCH, UPSTREAM)
    if old.is_primary or old.system_id not in ("7301", None):
        assert isinstance(chosen, Refusal)
    if chosen == "clone":
        assert old.system_id is None or old.timeline is None or old.engine.get("rejoining")


@given(MEMBERS)
def test_only_what_is_known_to_be_no_primary_is_touched(old):
    if isinstance(method(old, BRANCH, UPSTREAM), Refusal):
        return
    assert old.reachable
    assert old.running is False or old.is_replica or old.engine.get("standby_signal")


def test_a_history_is_read_as_the_server_writes_it():
    text = "1\t0/3000148\tno recovery target specified\n\n# a remark\n2\t1/A0\tbefore 2026-01-01\n"
    branch = Branch.from_server({"system_id": 7301, "timeline": 3, "position": 9, "history": text})
    assert branch == Branch("7301", 3, 9, {1: 0x3000148, 2: 0x1_0000_00A0})
    assert Branch.from_server({"system_id": "1", "timeline": 1, "position": 9, "history": ""}).ends == {}


@pytest.mark.parametrize("missing", ["system_id", "timeline", "position", "history"])
def test_a_history_that_settled_did_not_return_is_refused(missing):
    whole = {"system_id": "1", "timeline": 1, "position": 9, "history": ""}
    with pytest.raises(ValueError, match=f"history.*{missing}"):
        Branch.from_server({key: value for key, value in whole.items() if key != missing})
