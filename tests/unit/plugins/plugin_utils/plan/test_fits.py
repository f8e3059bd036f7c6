# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The short way says that a plan fits only where the library finds nothing, or a wrong plan would pass."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import schema
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.fits import check_of
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import Sealed, read_plan

PLAN = Path(__file__).resolve().parents[5] / "inventories" / "marketplace" / "plan.yml"
CORRECT, _ERRORS = read_plan(PLAN.read_bytes())
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-1, 70000)
    | st.sampled_from([0.1, 1.0, 5432.0, float("inf"), float("nan")])
    | st.sampled_from(["", "x", "90s", "90s\n", "dc1", "{{ vault }}", "2026-10-01", "continuity.dr.endpoint_rfc2136"])
    | st.sampled_from([Sealed("$ANSIBLE_VAULT;1.1;AES256"), Sealed("continuity.dr.endpoint_rfc2136")])
    | st.sampled_from([[], [1], ["a", "a"], [1, True], [[1], [1]], {}, {"role": "x"}, {1: 2}])
)


def places(value, path=()):
    """The path of every value of the plan."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield (*path, key)
        yield from places(item, (*path, key))


def at(path):
    value = CORRECT
    for step in path:
        value = value[step]
    return value


def changed(path, change):
    plan = copy.deepcopy(CORRECT)
    target = plan
    for step in path[:-1]:
        target = target[step]
    change(target, path[-1])
    return plan


def library_finds(plan):
    return next(schema._validator().iter_errors(plan), None) is not None


@pytest.fixture(scope="module")
def fits():
    return schema._fits()


def test_a_correct_plan_fits_without_the_library(monkeypatch):
    monkeypatch.setattr(schema, "_validator", lambda: pytest.fail("the library was asked"))
    assert schema.schema_findings(CORRECT) == []


@settings(max_examples=600, deadline=None)
@given(path=st.sampled_from(list(places(CORRECT))), value=VALUES)
def test_whatever_is_put_anywhere_both_say_the_same(fits, path, value):
    plan = changed(path, lambda target, last: target.__setitem__(last, value))
    if fits(plan):
        assert not library_finds(plan)
    elif value not in ([1], [1, True], [[1], [1]]):  # lists of other things than text are the library's to judge
        assert library_finds(plan)


@pytest.mark.parametrize("path", [path for path in places(CORRECT) if isinstance(at(path), int | float)])
@pytest.mark.parametrize("number", [-1, 0, 0.05, 4, 10, 65536, 1001, 100_000_001])
def test_at_the_edges_of_numbers_both_say_the_same(fits, path, number):
    plan = changed(path, lambda target, last: target.__setitem__(last, number))
    assert fits(plan) is not library_finds(plan)


@pytest.mark.parametrize("path", list(places(CORRECT)), ids=lambda path: ".".join(map(str, path)))
def test_whatever_is_taken_away_both_say_the_same(fits, path):
    plan = changed(path, lambda target, last: target.__delitem__(last))
    assert fits(plan) is not library_finds(plan)


@pytest.mark.parametrize("path", [path for path in places(CORRECT) if isinstance(path[-1], str)])
@pytest.mark.parametrize("key", ["Another", 1])
def test_whatever_is_added_both_say_the_same(fits, path, key):
    plan = changed(path, lambda target, last: target.__setitem__(key, "x"))
    assert fits(plan) is not library_finds(plan)


@pytest.mark.parametrize(
    "part",
    [
        {"format": "ipv4"},
        {"properties": {"a": {"oneOf": []}}},
        {"enum": [1, 2]},
        {"if": {"minItems": 1}, "else": {"maxItems": 3}},
    ],
)
def test_a_keyword_that_only_the_library_knows_is_left_to_it(part):
    assert not check_of(part, lambda *_given: True)({"a": 1})
