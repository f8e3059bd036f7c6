# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.waves import MOST_CYCLES, CycleError, cycles, waves

NAMES = st.sampled_from([f"s{number}" for number in range(8)])
GRAPHS = st.dictionaries(NAMES, st.sets(NAMES, max_size=3), max_size=8)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, []),
        ({"a": []}, [["a"]]),
        ({"payments": ["accounts"], "accounts": []}, [["accounts"], ["payments"]]),
        ({"c": ["a", "b"], "b": ["a"], "a": [], "x": []}, [["a", "x"], ["b"], ["c"]]),
        ({"a": ["elsewhere"]}, [["a"]]),
        ({"a": ["b", "b"], "b": ()}, [["b"], ["a"]]),
    ],
)
def test_waves(graph, expected):
    assert waves(graph) == expected


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        ({"a": ["a"]}, "a -> a"),
        ({"a": ["b"], "b": ["a"]}, "a -> b -> a"),
        ({"x": ["b"], "a": ["c"], "c": ["b"], "b": ["a"], "y": []}, "a -> c -> b -> a"),
        ({"a": ["b"], "b": ["a"], "c": ["d", "a"], "d": ["c"]}, "a -> b -> a; c -> d -> c"),
    ],
)
def test_a_cycle_is_named_as_a_path(graph, text):
    with pytest.raises(CycleError) as caught:
        waves(graph)
    assert text in str(caught.value)


def test_the_search_for_cycles_ends():
    ring = {f"s{number}": [f"s{(number + 1) % 3000}"] for number in range(3000)}
    assert len(cycles(ring)[0]) == 3001
    pairs = {f"{side}{number}": [f"{'b' if side == 'a' else 'a'}{number}"] for number in range(100) for side in "ab"}
    assert len(cycles(pairs)) == MOST_CYCLES


@given(GRAPHS)
def test_everything_stands_after_what_it_depends_on_or_a_real_cycle_is_shown(graph):
    try:
        order = waves(graph)
    except CycleError as error:
        assert error.cycles
        for path in error.cycles:
            assert path[0] == path[-1]
            assert all(later in graph[earlier] for earlier, later in zip(path, path[1:], strict=False))
        return
    assert cycles(graph) == []
    wave_of = {name: number for number, names in enumerate(order) for name in names}
    assert sorted(wave_of) == sorted(graph)
    for name, others in graph.items():
        known = [wave_of[other] for other in others if other in graph]
        assert wave_of[name] == max(known, default=-1) + 1
